"""The stage operator against real processes: report in, log through, failures told apart, nothing left running."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from groundswell_operator import StageOperator, brief, event_of
from groundswell_retry import AsTold, NotNow
from structlog.testing import capture_logs

from tests.dags.airflow_home import PROJECT

pytestmark = pytest.mark.slow


class Events(dict):
    """Airflow's outlet events, as far as a task sees them."""

    def __missing__(self, asset):
        self[asset] = SimpleNamespace(extra={}, keys=[])
        self[asset].add_partitions = self[asset].keys.append
        return self[asset]


def context(**params):
    run = SimpleNamespace(run_id="a_run", conf={}, partition_key="2026-10-19", data_interval_start=None, data_interval_end=None, run_after=None)
    return {"dag_run": run, "params": params, "outlet_events": Events(), "triggering_asset_events": {}}


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Makes a task whose interpreter is ``code``, a script that gets what Python would have got."""

    def make(code, **kwargs):
        script = tmp_path / "stage.py"
        script.write_text(textwrap.dedent(code))
        monkeypatch.setenv("GROUNDSWELL_STAGE_INTERPRETER", f"{sys.executable} {script}")
        return StageOperator(task_id="a_task", **{"stage": "collect", "topic": "games", **kwargs})

    return make


def test_the_report_comes_back_and_the_call_is_as_a_person_would_write_it(stage):
    task = stage(
        """
        import json, os, sys
        print("something else first")
        print(json.dumps({"stage": "collect", "said": sys.argv[1:], "folder": os.getcwd()}))
        """,
        options={"source": "steam", "version": ""},
        windowed=True,
    )
    report = task.execute(context())
    assert report["said"] == ["-m", "groundswell.cli", "collect", "--topic", "games", "--source", "steam", "--window", "2026-10-19"]
    assert report["folder"] == str(PROJECT)


def test_the_real_command_line_refuses_for_good(monkeypatch):
    monkeypatch.delenv("GROUNDSWELL_STAGE_INTERPRETER", raising=False)
    task = StageOperator(task_id="a_task", stage="collect", topic="gammes", options={"source": "steam"}, windowed=True)
    with pytest.raises(AirflowFailException, match="did you mean 'games'"):
        task.execute(context())


@pytest.mark.parametrize(
    ("code", "error", "words"), [(1, AirflowException, "status 1: groundswell: no luck"), (2, AirflowFailException, "called wrongly")]
)
def test_wrong_use_is_final_and_failure_is_not(stage, code, error, words):
    task = stage(f"import sys; print('groundswell: no luck', file=sys.stderr); print('a last word', file=sys.stderr); sys.exit({code})")
    with pytest.raises(error, match=words) as raised:
        task.execute(context())
    assert isinstance(raised.value, AirflowFailException) == (code == 2)


@pytest.mark.parametrize("output", ["", "no json", "[1]"])
def test_no_report_is_a_failure(stage, output):
    with pytest.raises(AirflowException, match="last line of output is no report"):
        stage(f"print({output!r})").execute(context())


def test_what_a_platform_does_not_allow_is_final(stage):
    task = stage("import sys; print('groundswell: 403', file=sys.stderr); sys.exit(77)")
    with pytest.raises(AirflowFailException, match="not allowed to.*groundswell: 403"):
        task.execute(context())


def test_a_told_wait_comes_with_the_exception_and_the_policy_keeps_it(stage):
    task = stage("import sys; print('{\"retry_after_seconds\": 95}'); print('groundswell: come back', file=sys.stderr); sys.exit(75)")
    with pytest.raises(NotNow, match="can't yet: groundswell: come back") as raised:
        task.execute(context())
    decision = task.retry_policy.evaluate(raised.value, 1, 3)
    assert (decision.action.value, decision.retry_delay) == ("retry", timedelta(seconds=95))


@pytest.mark.parametrize("last", ["", "no json", "{}", "[]", '{"retry_after_seconds": "soon"}'])
def test_a_wait_that_nobody_can_read_is_an_ordinary_failure(stage, last):
    with pytest.raises(AirflowException, match="not now but not when") as raised:
        stage(f"import sys; print({last!r}); sys.exit(75)").execute(context())
    assert AsTold().evaluate(raised.value, 1, 3).action.value == "default"


def test_a_wait_of_more_than_a_day_is_for_a_person():
    assert AsTold().evaluate(NotNow("later", 86_401), 1, 3).action.value == "fail"
    assert AsTold().evaluate(AirflowException("broken"), 1, 3).action.value == "default"


def test_the_real_command_line_hands_a_platforms_wait_on(monkeypatch):
    class Busy(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802 - the server's word
            self.send_response(429)
            self.send_header("Retry-After", "600")
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.delenv("GROUNDSWELL_STAGE_INTERPRETER", raising=False)
        monkeypatch.setenv("GROUNDSWELL_PSEUDONYM_KEY", "k" * 16)
        monkeypatch.setenv("GROUNDSWELL_HACKERNEWS_URL", f"http://127.0.0.1:{server.server_port}")
        task = StageOperator(task_id="a_task", stage="collect", topic="games", options={"source": "hackernews"}, windowed=True)
        with pytest.raises(NotNow, match="asks to wait 600 s") as raised:
            task.execute(context())
        server.shutdown()
    assert raised.value.seconds == 600


def test_standard_error_goes_to_the_log_line_by_line(stage):
    task = stage("import sys; print('WARNING groundswell.collect: slow', file=sys.stderr); print('100 % plain', file=sys.stderr); print('{}')")
    with capture_logs() as lines:
        task.execute(context())
    said = {line["event"]: line["log_level"] for line in lines}
    assert said["groundswell.collect: slow"] == "warning"
    assert said["100 % plain"] == "info"


def test_much_output_on_both_streams_blocks_nobody(stage):
    task = stage("import sys\nfor _ in range(20000): print('x' * 50); print('y' * 50, file=sys.stderr)\nprint('{\"stage\": \"collect\"}')")
    assert task.execute(context()) == {"stage": "collect"}


def test_a_failing_window_still_has_its_page(stage):
    task = stage("import sys; sys.exit(1)", stage="validate", windowed=True)
    with pytest.raises(AirflowException):
        task.execute(context())
    assert task.report == {"stage": "validate", "topic": "games", "window": "2026-10-19"}


def test_an_outlet_says_what_was_announced(stage):
    report = {
        "stage": "validate",
        "topic": "games",
        "window": "2026-10-19",
        "rows_valid": 3,
        "partitions": {"steam/games/2026-10-19": {"raw": {"rows": 4}, "valid": {"rows": 3, "content_sha256": "ab"}}},
        "great_expectations": {"long": "x" * 100_000},
    }
    posts, seen = Asset("posts"), context()
    task = stage(f"print({json.dumps(report)!r})", stage="validate", windowed=True, outlets=[posts])
    small = task.execute(seen)
    event = seen["outlet_events"][posts]
    assert event.keys == ["2026-10-19"]
    assert event.extra["rows_valid"] == 3
    assert event.extra["partitions"] == {"steam/games/2026-10-19": {"rows": 3, "content_sha256": "ab"}}
    assert "great_expectations" not in event.extra
    assert len(json.dumps(small)) < 20_000
    assert small["rows_valid"] == 3


def test_a_stage_that_had_nothing_to_do_skips_its_task_and_tells_nobody(stage):
    scored, seen = Asset("scored"), context()
    task = stage('print(\'{"stage": "score", "nothing_to_do": "nobody is champion"}\')', stage="score", windowed=True, outlets=[scored])
    with pytest.raises(AirflowSkipException, match="nobody is champion"):
        task.execute(seen)
    assert not seen["outlet_events"]


def test_an_xcom_is_small_whatever_the_report():
    assert len(json.dumps(brief({f"part{number}": "x" * 9_000 for number in range(50)}))) < 20_000
    assert event_of({"stage": "monitor", "is_drift": True, "reasons": ["one"], "signals": {}}) == {"stage": "monitor", "is_drift": True}


@pytest.mark.parametrize(
    ("kwargs", "params", "events"),
    [
        ({"options": {"source": "steam"}, "sources": {"games": ["replay"]}}, {}, {}),
        ({"options": {"source": "steam"}}, {"sources": ["replay"]}, {}),
        ({"sources": {"games": ["steam"]}}, {"sources": ["replay"]}, {}),
        ({"sources": {"films": ["steam"]}}, {}, {}),
        ({}, {"topics": ["films"]}, {}),
        ({}, {}, {"posts": [SimpleNamespace(extra={"topic": "films"})]}),
    ],
)
def test_what_was_not_asked_for_is_skipped(stage, kwargs, params, events):
    with pytest.raises(AirflowSkipException):
        stage("raise SystemExit(1)", **kwargs).execute({**context(**params), "triggering_asset_events": events})


def _is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def _wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if {stubborn} else signal.SIG_DFL)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open({pids!r} + ".new", "w") as file:
    file.write(f"{{os.getpid()}} {{child.pid}}")
os.rename({pids!r} + ".new", {pids!r})
time.sleep(60)
"""


def test_a_killed_task_takes_the_stage_and_its_children_along(stage, tmp_path):
    task = stage(STUBBORN.format(stubborn=False, pids=str(tmp_path / "pids")))
    threading.Thread(target=lambda: (_wait_for((tmp_path / "pids").exists), task.on_kill()), daemon=True).start()
    with pytest.raises(AirflowException, match="ended by SIGTERM"):
        task.execute(context())
    assert _wait_for(lambda: not any(_is_alive(int(pid)) for pid in (tmp_path / "pids").read_text().split()))


def test_a_stage_that_does_not_listen_is_ended_all_the_same(stage, tmp_path, monkeypatch):
    monkeypatch.setattr("groundswell_operator._GRACE_SECONDS", 0.2)
    task = stage(STUBBORN.format(stubborn=True, pids=str(tmp_path / "pids")))
    threading.Thread(target=lambda: (_wait_for((tmp_path / "pids").exists), task.on_kill()), daemon=True).start()
    with pytest.raises(AirflowException, match="ended by SIGKILL"):
        task.execute(context())
    assert _wait_for(lambda: not any(_is_alive(int(pid)) for pid in (tmp_path / "pids").read_text().split()))


def test_a_stage_dies_with_a_task_that_was_killed_outright(tmp_path):
    pids = str(tmp_path / "pids")
    script = tmp_path / "stage.py"
    script.write_text(
        f"import os, time\nopen({pids!r} + '.new', 'w').write(str(os.getpid()))\nos.rename({pids!r} + '.new', {pids!r})\ntime.sleep(60)"
    )
    code = (
        "import sys; sys.path[:0] = ['plugins', '.']\n"
        "import tests.dags.conftest\n"
        "from tests.dags.test_operator import context\n"
        "from groundswell_operator import StageOperator\n"
        "StageOperator(task_id='a_task', stage='collect', topic='games').execute(context())"
    )
    task = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, "GROUNDSWELL_STAGE_INTERPRETER": f"{sys.executable} {script}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert _wait_for((tmp_path / "pids").exists, 30)
    task.send_signal(signal.SIGKILL)
    task.wait()
    assert _wait_for(lambda: not _is_alive(int((tmp_path / "pids").read_text())))
