"""Trial: models in serving's own processes; what is slow or fat is told, what does not come up is told too, and nothing stays behind."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from models import export_of, project_with_registry, register

from groundswell import trial
from groundswell.errors import StackError
from groundswell.judge import judge
from groundswell.params import JudgeParams
from groundswell.settings import Settings
from groundswell.trial import in_serving
from tests.serving.servers import PROJECT, SERVING_PYTHON
from tests.test_judge import NOW, OTHER_DATA
from tests.waiting import eventually

pytestmark = pytest.mark.slow

TEXTS = ["a great game", "awful and broken, the worst patch", "the server list"] * 4
PARAMS = JudgeParams(bootstrap_samples=400, latency_texts=8, goal="no_worse", margin=0.05, max_memory_ratio=1.2, seed=3)
PLACES = Settings(project=PROJECT, serving_python=str(SERVING_PYTHON))


def _asked(topic="games", settings=PLACES, **kinds):
    return in_serving({name: export_of(kind) for name, kind in kinds.items()}, TEXTS, topic=topic, settings=settings)


def test_a_model_costs_what_itself_costs_and_its_processes_end():
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    found = _asked(challenger="good", champion="good")
    assert 0.4 < found["latency_ratio"] < 2.5 and 0.9 < found["memory_ratio"] < 1.1
    for name in ("challenger", "champion"):
        assert 0 < found[name]["p50_ms"] <= found[name]["p95_ms"]
        assert found[name]["rss_bytes"] > 30 * 2**20 and found[name]["loaded_seconds"] > 0
    assert {child.pid for child in psutil.Process().children(recursive=True)} == before


@pytest.fixture
def settings(tmp_path):
    return project_with_registry(tmp_path / "project").model_copy(update={"serving_python": PLACES.serving_python})


def test_a_challenger_that_is_slow_and_fat_is_held_for_both(settings):
    register(settings, "good", dataset_md5=OTHER_DATA, champion=True)
    register(settings, "heavy")
    verdict = judge("games", settings=settings, params=PARAMS, now=NOW)
    assert verdict["verdict"] == "HOLD" and verdict["latency_ratio"] > 1.5 and verdict["memory_ratio"] > 1.2
    assert any(f"{verdict['latency_ratio']:.2f} times as long" in reason for reason in verdict["reasons"])
    assert any(f"{verdict['memory_ratio']:.2f} times as much memory" in reason for reason in verdict["reasons"])
    assert verdict["serving"]["challenger"]["p50_ms"] > verdict["serving"]["champion"]["p50_ms"]
    assert verdict["serving"]["interpreter"] == "serving's" and "| in a serving process of its own | p50 |" in verdict["summary"]


def test_a_serving_that_does_not_come_up_is_said_and_the_judge_goes_on_without(settings, tmp_path, caplog):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no module named uvicorn >&2\nexit 3\n")
    broken.chmod(0o755)
    register(settings, "good", dataset_md5=OTHER_DATA, champion=True)
    register(settings, "better")
    with caplog.at_level(logging.WARNING):
        verdict = judge("games", settings=settings.model_copy(update={"serving_python": str(broken)}), params=PARAMS, now=NOW)
    why = "serving ended with exit status 3 before it listened: no module named uvicorn"
    assert verdict["serving"] == {"not_measured": why} and verdict["latency_ratio"] > 0 and verdict["memory_ratio"] is None
    assert f"Latency and memory were not measured in serving ({why})" in verdict["summary"]
    assert any(why in record.message for record in caplog.records)


@pytest.mark.parametrize("refused", ["challenger", "champion"])
def test_whom_serving_will_not_have_is_told_and_only_a_challenger_is_held_for_it(settings, refused):
    other = {"topic": "films"}
    register(settings, "good", dataset_md5=OTHER_DATA, champion=True, config=other if refused == "champion" else {})
    register(settings, "better", config=other if refused == "challenger" else {})
    verdict = judge("games", settings=settings, params=PARAMS.model_copy(update={"max_latency_ratio": 20}), now=NOW)
    is_held = any(reason.startswith("Serving refuses the challenger: ") and "'films'" in reason for reason in verdict["reasons"])
    assert is_held == (refused == "challenger") == (verdict["verdict"] == "HOLD")
    assert verdict["serving"]["not_measured"].startswith(f"{refused}: the local copy of version 1") and verdict["latency_ratio"] > 0


def test_an_interpreter_that_is_not_there_is_named():
    with pytest.raises(StackError, match="GROUNDSWELL_SERVING_PYTHON names /nowhere/python, which is not there"):
        _asked(challenger="good", settings=PLACES.model_copy(update={"serving_python": "/nowhere/python"}))


def test_a_judge_that_is_killed_leaves_no_serving_behind(tmp_path):
    code = (
        "import sys; from pathlib import Path; from groundswell.settings import Settings; from groundswell.trial import in_serving\n"
        "in_serving({'challenger': Path(sys.argv[1])}, ['great'] * 1_000_000, topic='games', settings=Settings(serving_python=sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(export_of("good")), PLACES.serving_python]
    process = subprocess.Popen(command, cwd=PROJECT, env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        children = eventually(lambda: [child for child in psutil.Process(process.pid).children() if _is_serving(child)])
        time.sleep(1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive
    finally:
        process.kill()


def _is_serving(process: psutil.Process) -> bool:
    try:
        return "serving.main" in process.cmdline()
    except psutil.Error:
        return False


def test_an_export_on_another_disk_is_copied(tmp_path, monkeypatch):
    def other_disk(source, place):
        raise OSError(18, "Invalid cross-device link")

    source, place = tmp_path / "a", tmp_path / "b"
    source.write_text("weights")
    monkeypatch.setattr(os, "link", other_disk)
    trial._linked(str(source), str(place))
    assert Path(place).read_text() == "weights" and not os.path.samefile(source, place)
