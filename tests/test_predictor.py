"""The predictor answers alike everywhere, and refuses a folder that it can't trust."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import shared_export, tiny_rows

from groundswell.errors import ModelError
from groundswell.files import sha256_of
from groundswell.predictor import MODEL_FILES, Predictor, softmax, verify
from groundswell.schema import LABELS

PROJECT = Path(__file__).parent.parent
NASTY = {
    "empty": "",
    "nul": "a\0b great",
    "lone surrogate": "great \ud83d game",
    "100 kB": "great " * 17_000,
    "one word of 100 kB": "g" * 100_000,
    "right to left": "\u05de\u05e9\u05d7\u05e7 \u0646\u0635 \u202e great",
    "only emoji": "😀😀🎮",
    "line ends": "great\r\n\r\n\u2028game",
}


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load(shared_export())


@pytest.fixture
def copy(tmp_path):
    """An export folder that a test may damage."""
    return shutil.copytree(shared_export(), tmp_path / "export")


def test_answers_are_probabilities_in_the_order_asked(predictor):
    texts, labels = tiny_rows(120, seed=9)
    said = predictor.predict(texts)
    assert (said.shape, said.dtype) == ((120, 3), np.float32)
    assert np.allclose(said.sum(axis=1), 1, atol=1e-6)
    assert predictor.labels == LABELS
    assert (said.argmax(axis=1) == labels).mean() > 0.95  # it has learnt its words: a wrong order would not know them


def test_nobody_is_a_question_too(predictor):
    assert predictor.predict([]).shape == (0, 3)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_answer_does_not_depend_on_who_else_asks(predictor, threads):
    texts, _ = tiny_rows(40, seed=4)
    texts[7] = "a much longer text than all of its neighbours " * 12
    together = Predictor.load(shared_export(), threads=threads).predict(texts)
    alone = np.concatenate([predictor.predict([text]) for text in texts])
    assert np.array_equal(together, alone)


def test_int8_and_fp32_are_two_networks_of_one_model(predictor):
    texts, _ = tiny_rows(60, seed=3)
    fp32 = Predictor.load(shared_export(), precision="fp32")
    said = fp32.predict(texts)
    assert np.abs(said - predictor.predict(texts)).max() < 0.15
    assert np.allclose(said, np.concatenate([fp32.predict([text]) for text in texts]), atol=1e-5)


def test_texts_are_normalised_here(predictor):
    assert np.array_equal(predictor.predict(["@somebody https://x.example/y  great &amp; fun"]), predictor.predict(["@user http great & fun"]))


def test_the_temperature_is_what_divides_the_logits(predictor):
    texts, _ = tiny_rows(5)
    expected = softmax(predictor.logits(texts) / np.float32(predictor.config["temperature"]))
    assert np.array_equal(predictor.predict(texts), expected)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_no_text_is_too_nasty(predictor, text):
    said = predictor.predict([text, "great"])
    assert np.isfinite(said).all()
    assert np.array_equal(said[1:], predictor.predict(["great"]))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", *MODEL_FILES.values(), "trained_on.npy"])
def test_a_changed_file_is_named(copy, name):
    with open(copy / name, "ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match=f"{name} has sha256"):
        Predictor.load(copy)


def test_a_missing_file_is_named(copy):
    (copy / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"model\.onnx is in manifest\.json but not in the folder"):
        Predictor.load(copy)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": {"config.json": "0"}}'])
def test_half_a_manifest_is_refused(copy, content):
    (copy / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        Predictor.load(copy)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="expected an export folder"):
        Predictor.load(tmp_path)


def test_other_text_rules_are_refused(copy):
    _change(copy, "config.json", json.dumps({**json.loads((copy / "config.json").read_text()), "text_version": 99}).encode())
    with pytest.raises(ModelError, match="text rules version 99, this code has 1"):
        Predictor.load(copy)


def test_a_network_that_is_none_is_refused_though_its_hash_is_right(copy):
    _change(copy, "model.int8.onnx", b"no network at all")
    with pytest.raises(ModelError, match="can't be loaded"):
        Predictor.load(copy)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ModelError, match="int4"):
        Predictor.load(shared_export(), precision="int4")


def test_it_needs_no_torch():
    code = f"""
import sys
from pathlib import Path
from groundswell.predictor import Predictor
Predictor.load({str(shared_export())!r}).predict(["great"])
print(sorted({{"torch", "transformers", "mlflow", "pandas", "pyarrow", "sklearn"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_verify_gives_every_file():
    files = verify(shared_export())
    expected = {"config.json", "tokenizer.json", "model.onnx", "model.int8.onnx", "profile.parquet", "trained_on.npy", "trained_rows.npy"}
    assert set(files) == expected | {"golden.json", "card.md"}


def _change(folder, name, content):
    """Put other content into an export, and its hash into the manifest: what somebody who means it would do."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = sha256_of(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.slow
def test_the_runtime_reports_to_nobody_and_leaves_no_mark_of_this_machine(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI", "TF_BUILD", "GITHUB_ACTIONS")}
    code = "import sys; from groundswell.predictor import Predictor; Predictor.load(sys.argv[1]).predict(['what a day'])"
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code, str(shared_export())], env=environment, check=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_runtime_is_loaded_in_one_place_where_it_is_told_to_report_nothing():
    files = [path for folder in ("src", "serving") for path in (PROJECT / folder).rglob("*.py")]
    loading = [path for path in files if re.search(r"^\s*(import onnxruntime\b|from onnxruntime\b)", path.read_text(), re.MULTILINE)]
    assert sorted(path.name for path in loading) == ["onnx_runtime.py", "predict.py"], (
        "predict.py goes to people who have not this package, and tells it too"
    )
    assert all("ORT_DISABLE_TELEMETRY" in path.read_text() for path in loading)
