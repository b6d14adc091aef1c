"""Serving's settings, its signature, and what it may import."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from groundswell.errors import ParamsError, StackError
from serving import signature
from serving.config import ServingSettings, load_serving_settings, usable_cores
from serving.main import bind

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent.parent
SERVING_PYTHON = PROJECT / ".venv-serving" / "bin" / "python"
NEVER = (
    "torch",
    "transformers",
    "airflow",
    "pyarrow",
    "pandas",
    "sklearn",
    "evidently",
    "great_expectations",
    "dvc",
    "polars",
    "sqlalchemy",
    "multipart",
)
OURS = {
    "groundswell",
    "groundswell.errors",
    "groundswell.files",
    "groundswell.keys",
    "groundswell.onnx_runtime",
    "groundswell.predictor",
    "groundswell.text",
}


def test_the_topic_must_be_said():
    with pytest.raises(ParamsError, match="GROUNDSWELL_TOPIC is not set"):
        load_serving_settings()


@pytest.mark.parametrize(("name", "value"), [("TOPIC", "../etc"), ("SERVING_PORT", "http"), ("SERVING_POLL_SECONDS", "0")])
def test_a_setting_that_can_not_be_is_named(monkeypatch, name, value):
    monkeypatch.setenv("GROUNDSWELL_TOPIC", "games")
    monkeypatch.setenv(f"GROUNDSWELL_{name}", value)
    with pytest.raises(ParamsError, match=f"GROUNDSWELL_{name}: "):
        load_serving_settings()


def test_the_webhook_secret_is_not_in_what_is_printed():
    assert "told-to-nobody" not in repr(ServingSettings(topic="games", serving_webhook_secret="told-to-nobody"))


def test_cores_are_those_of_the_container(tmp_path):
    quota = tmp_path / "cpu.max"
    cores = usable_cores(tmp_path / "missing")
    assert cores >= 1
    for content, expected in {"max 100000": cores, "50000 100000": 1, "100000 100000": 1, "rubbish": cores}.items():
        quota.write_text(content)
        assert usable_cores(quota) == expected


def test_a_taken_port_is_a_clear_message():
    with bind("127.0.0.1", 0) as taken, pytest.raises(StackError, match="set GROUNDSWELL_SERVING_PORT"):
        bind("127.0.0.1", taken.getsockname()[1])


@pytest.mark.slow
def test_the_signature_is_mlflows():
    """Against the installed MLflow, so that a change of its scheme is found here."""
    from mlflow.webhooks import constants, delivery

    body = '{"entity": "model_version_alias", "data": {"name": "é"}}'
    theirs = delivery._generate_hmac_signature("secret", "d-1", "1700000000", body)
    assert signature.sign("secret", "d-1", "1700000000", body.encode()) == theirs
    headers = {
        constants.WEBHOOK_DELIVERY_ID_HEADER: "d-1",
        constants.WEBHOOK_TIMESTAMP_HEADER: "1700000000",
        constants.WEBHOOK_SIGNATURE_HEADER: theirs,
    }
    assert signature.is_signed("secret", headers, body.encode(), now=1_700_000_299)
    assert not signature.is_signed("secret", headers, body.encode(), now=1_700_000_301)
    assert not signature.is_signed("other", headers, body.encode(), now=1_700_000_000)
    assert not signature.is_signed("", headers, body.encode(), now=1_700_000_000)
    assert not signature.is_signed("secret", headers | {constants.WEBHOOK_SIGNATURE_HEADER: "v1,é"}, body.encode(), now=1_700_000_000)


def test_the_whole_process_imports_no_torch_no_airflow_and_no_stage():
    """In serving's own environment, everything imported that a request or a load would import."""
    assert SERVING_PYTHON.exists(), "make .venv-serving first: make install"
    code = """
import json, sys
import onnxruntime, tokenizers
import serving.admit, serving.main
from serving.config import ServingSettings
from serving.app import create_app
from serving.registry import MlflowRegistry
import mlflow.artifacts
create_app(ServingSettings(topic="games"), MlflowRegistry("http://127.0.0.1:9", "groundswell-sentiment-games")).openapi()
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([SERVING_PYTHON, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "serving.keeper" in loaded
    assert not {name for name in loaded if name.split(".")[0] in NEVER}
    assert {name for name in loaded if name.split(".")[0] == "groundswell"} == OURS


def test_its_requirements_name_none_of_them():
    names = {line.split("==")[0].lower() for line in (PROJECT / "requirements" / "serving.lock").read_text().splitlines()}
    assert not names & {"torch", "transformers", "apache-airflow", "mlflow", "pyarrow", "pandas", "python-multipart"}
