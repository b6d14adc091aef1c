"""Status: what runs is told from what ended by itself and from what nobody started."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from groundswell import processes, status
from groundswell.params import load_params
from groundswell.settings import Settings

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"


@pytest.fixture
def settings(tmp_path):
    return Settings(project=tmp_path, home=tmp_path / "var", params=PARAMS, mlflow_uri="")


def test_what_was_killed_is_said_to_have_ended(settings, capsys):
    params, run, log = load_params(settings), settings.root / "run", settings.root / "log"
    service = processes.Service("serving", [sys.executable, "-c", "import time; time.sleep(60)"], {}, health_url="")
    processes.start(service, folder=settings.project, run=run, log=log)
    try:
        found = status.status(settings, params)
        assert list(found["running"]) == ["serving"]
        assert not found["ended"]

        process = psutil.Process(processes.record_of("serving", run)["pid"])
        os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs([process])
        found = status.status(settings, params)
        assert not found["running"]
        assert found["ended"] == {"serving": str(log / "serving.log")}
        status.show(found, settings.home)
        assert "serving  ended, nobody stopped it" in capsys.readouterr().out
    finally:
        processes.stop("serving", run)
    assert not status.status(settings, params)["ended"]
