"""The loop on PostgreSQL, as Airflow's metadata database and as MLflow's store: a few days, from the posts to a served prediction."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from groundswell import stack
from tests.e2e.project import Project
from tests.postgresql import PostgreSQL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DAYS = ("2026-10-29", "2026-11-01")
LOOP = """
import json, sys
from groundswell import demo
from groundswell.params import load_params
from groundswell.settings import load_settings
from groundswell.window import Window
settings = load_settings()
report = demo.demo(settings, load_params(settings), wanted=tuple(map(Window.parse, sys.argv[1:])), say=lambda line: print(line, file=sys.stderr))
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def postgresql():
    server = PostgreSQL()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def looped(postgresql, tmp_path_factory):
    """A project that has been through the loop, with its report; everything stopped but PostgreSQL."""
    project = Project(tmp_path_factory.mktemp("postgresql") / "project")
    for name in ("airflow", "mlflow"):
        project.environment[f"GROUNDSWELL_{name.upper()}_DATABASE_URL"] = postgresql.url(name)
    params = yaml.safe_load((project.folder / "params.yaml").read_text())
    params["annotate"]["share"] = 1.0  # few days have few labels, and a challenger must beat the baseline
    params["train"] |= {"batch_size": 16, "epochs": 4}
    (project.folder / "params.yaml").write_text(yaml.safe_dump(params))
    try:
        done = subprocess.run(
            [sys.executable, "-c", LOOP, *DAYS],
            cwd=project.folder,
            env={**os.environ, **project.environment},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        stack.down(project.settings)
    assert done.returncode == 0, done.stderr[-3000:]
    project.report = json.loads(done.stdout.splitlines()[-1])
    project.said = done.stdout + done.stderr
    return project


def test_the_loop_ends_in_a_served_prediction(looped):
    assert looped.report["verdict"] == "PROMOTE"
    assert looped.report["model_version"] == "1"
    assert looped.report["days"] == 4
    assert {answer["label"] for answer in looped.report["answers"]} <= {"negative", "neutral", "positive"}


def test_airflow_kept_its_runs_there(looped, postgresql):
    states = dict(postgresql.rows("airflow", "select dag_id || '/' || state, count(*) from dag_run group by 1"))
    assert states["collect/success"] == 4
    assert states["retrain/success"] == 1
    [(tasks,)] = postgresql.rows("airflow", "select count(*) from task_instance where state = 'success'")
    assert tasks > 30
    [(answered,)] = postgresql.rows("airflow", "select count(*) from hitl_detail where responded_at is not null")
    assert answered == 1
    assert not list((looped.settings.root / "airflow").glob("*.db"))


def test_mlflow_kept_its_runs_and_registry_there(looped, postgresql):
    aliases = postgresql.rows("mlflow", "select name, alias, version from registered_model_aliases")
    assert ("groundswell-sentiment-games", "champion", 1) in aliases
    assert postgresql.rows("mlflow", "select status from runs") == [("FINISHED",)]
    [(webhooks,)] = postgresql.rows("mlflow", "select count(*) from webhooks")
    assert webhooks == 1
    assert not list((looped.settings.root / "mlflow").glob("*.db"))


def test_no_log_and_no_command_line_shows_a_password(looped, postgresql):
    text = looped.said + "".join(path.read_text(errors="replace") for path in (looped.settings.root / "log").iterdir())
    assert len(text) > 10_000
    for password in postgresql.passwords.values():
        assert password not in text
    service = next(each for each in stack.services(looped.settings, looped.params.topic) if each.name == "mlflow")
    assert "://" not in " ".join(service.command)
