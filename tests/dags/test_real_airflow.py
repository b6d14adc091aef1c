"""The DAGs in a real Airflow, their stages scripted: what follows what, who is asked, what stops where.

The whole loop with real stages is tests/e2e; here is what would take it too long to show. What has no place in that loop, compare and watch,
runs here for real too.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from groundswell import processes, runs, stack
from groundswell.airflow_api import Airflow, pools
from groundswell.errors import StackError
from groundswell.lake import Lake
from groundswell.params import load_params
from groundswell.processes import Service
from groundswell.schema import POST
from groundswell.settings import Settings
from groundswell.window import Window
from tests.dags.airflow_home import PROJECT
from tests.tiny import tiny_dataset

pytestmark = pytest.mark.slow

FIRST, LAST = Window.parse("2026-10-19"), Window.parse("2026-10-21")
COMPARED = """
compare:
  folds: 2
  bootstrap_samples: 200
  curves: []
  rows: [{name: lexicon, model: vader}, {name: counted, features: tfidf, model: logistic}, {name: left-out, features: tfidf, model: svm}]
"""

DAGS = ("collect", "compare", "monitor", "recollect", "report", "retrain", "score", "watch")


def params_of(home):
    """The project's params with a feed to watch, and a comparison of seconds."""
    own = (PROJECT / "params.yaml").read_text().replace("  games:\n", "  games:\n    rss:\n      feeds: [games.xml]\n", 1)
    (home / "params.yaml").write_text(own + COMPARED)
    return home / "params.yaml"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Loop:
    """A running Airflow, two people's sessions, and the folder that scripts its stages."""

    def __init__(self, settings: Settings, script: Path, environment: dict[str, str]):
        self.settings, self.script, self.environment = settings, script, environment
        self.admin = Airflow(settings.airflow_url, "admin", "first")
        self.bob = Airflow(settings.airflow_url, "bob", "second")

    def start(self, *names):
        """Servers of the stack, by name; they are stopped with Airflow."""
        run, log = stack.folders(self.settings)
        for service in stack.services(self.settings, "games"):
            if service.name in names:
                whole = Service(**{**service.__dict__, "environment": {**self.environment, **service.environment}})
                processes.start(whole, folder=PROJECT, run=run, log=log)

    def is_up(self, url):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except OSError:
            return False

    def page(self, url):
        """What somebody who is logged in is shown there."""
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.admin._token}"})
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def written_since(self, run_id):
        """The run of report that a run of compare was followed by, once it is over."""
        begun = datetime.fromisoformat(self.admin.run("compare", run_id)["start_date"])
        later = [run for run in self.admin.runs("report") if run["state"] == "success" and datetime.fromisoformat(run["run_after"]) > begun]
        return later[0]["dag_run_id"] if later else None

    def calls(self, stage):
        lines = (self.script / "calls.jsonl").read_text().splitlines()
        return [call for call in map(json.loads, lines) if call["stage"] == stage]

    def wait(self, look, seconds=90):
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, f"nothing within {seconds} s"
            time.sleep(0.5)
        return found

    def question(self, run_id):
        return self.wait(lambda: self.admin.questions("retrain", run_id))[0]

    def states(self, dag, run_id):
        return {task["task_id"]: task["state"] for task in self.admin.tasks(dag, run_id)}


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    home = tmp_path_factory.mktemp("loop")
    ports = {"airflow_port": free_port(), "mlflow_port": free_port(), "serving_port": free_port(), "simulator_port": free_port()}
    settings = stack.settings_of_the_stack(Settings(project=PROJECT, home=home / "var", params=params_of(home), **ports))
    script = home / "script"
    script.mkdir()
    shared = stack.environment(settings, "games") | {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,bob:admin",
        "GROUNDSWELL_STAGE_INTERPRETER": f"{sys.executable} {PROJECT / 'tests' / 'dags' / 'scripted_stage.py'} {script}",
    }
    run, log = stack.folders(settings)
    (settings.root / "airflow").mkdir(parents=True)
    (settings.root / "airflow" / "passwords.json").write_text(json.dumps({"admin": "first", "bob": "second"}))
    stack._migrate_airflow(settings, shared)
    found = Loop(settings, script, shared)
    try:
        found.start(*(service.name for service in stack.services(settings, "games") if service.name.startswith("airflow")))
        processes.wait_until(lambda: _is_healthy(found.admin), seconds=240, what="Airflow")
        found.admin.wait_for_dags(DAGS)
        found.admin.ensure_pools(pools(load_params(settings)))
        found.admin.unpause(*DAGS)
        yield found
    finally:
        for name in processes.names(run):
            processes.stop(name, run)


def _is_healthy(airflow):
    try:
        return {"metadatabase", "scheduler", "dag_processor"} <= {name for name, status in airflow.health().items() if status == "healthy"}
    except StackError:
        return False


@pytest.fixture(scope="module")
def backfilled(loop):
    backfill = loop.admin.backfill("collect", FIRST, LAST, max_active_runs=3)
    return loop.admin.wait_for_backfill(backfill, seconds=180)


def test_a_backfill_collects_each_window_from_every_source_and_nothing_else(loop, backfilled):
    assert [(run["partition_key"], run["state"]) for run in backfilled] == [(f"2026-10-{day}", "success") for day in (19, 20, 21)]
    assert sorted((call["source"], call["window"]) for call in loop.calls("collect")) == sorted(
        (source, run["partition_key"]) for run in backfilled for source in ("replay", "hackernews", "rss", "steam")
    )
    assert sorted(call["window"] for call in loop.calls("validate")) == [run["partition_key"] for run in backfilled]
    assert {run["run_type"] for run in loop.admin.runs("collect")} == {"backfill"}, "in the demo nothing is collected by schedule"


def test_each_window_is_announced_and_monitored_once(loop, backfilled):
    keys = [run["partition_key"] for run in backfilled]
    assert sorted(event["partition_key"] for event in loop.admin.events("posts")) == keys
    followed = loop.wait(lambda: [run for run in loop.admin.runs("monitor") if run["state"] == "success"][2:] and loop.admin.runs("monitor"))
    assert sorted(run["partition_key"] for run in followed) == keys
    assert sorted(call["window"] for call in loop.calls("monitor")) == keys
    links = {run["partition_key"]: loop.admin.links("monitor", run["dag_run_id"], "topic.request_retrain", map_index=0) for run in followed}
    asked = {"Requested run": f"{loop.settings.airflow_url}/dags/retrain/runs/drift__games__2026-10-20"}
    assert links == {"2026-10-19": {}, "2026-10-20": asked, "2026-10-21": {}}


def test_each_window_is_scored_and_scored_has_its_event(loop, backfilled):
    keys = [run["partition_key"] for run in backfilled]
    events = loop.wait(lambda: [event for event in loop.admin.events("scored")][2:] and loop.admin.events("scored"))
    assert sorted((event["partition_key"], event["extra"]["topic"]) for event in events) == [(key, "games") for key in keys]
    assert sorted(call["window"] for call in loop.calls("score")) == keys
    assert all(call["if-champion"] and call["spare-missing"] for call in loop.calls("score"))


def test_drift_in_one_window_starts_one_retraining_and_a_rejection_ends_it(loop, backfilled):
    question = loop.question("drift__games__2026-10-20")
    assert [(event["partition_key"], event["extra"]["is_drift"]) for event in loop.admin.events("retrain_requested")] == [("2026-10-20", True)]
    assert [run["dag_run_id"] for run in loop.admin.runs("retrain")] == ["drift__games__2026-10-20"]
    assert "**PROMOTE**: better" in question["body"]
    assert question["subject"] == "Promote version 7?"
    with pytest.raises(StackError, match="bob.*is not a respondent"):
        loop.bob.answer(question, "Approve")
    loop.admin.answer(question, "Reject")
    run = loop.admin.wait_for_run("retrain", "drift__games__2026-10-20", seconds=60)
    states = loop.states("retrain", run["dag_run_id"])
    assert (run["state"], states["approval"], states["promote"], states["verify"]) == ("success", "success", "skipped", "skipped")
    assert loop.calls("promote") == []


def test_an_event_from_outside_retrains_and_the_approver_goes_into_the_ledger(loop, backfilled):
    loop.admin.emit("retrain_requested", extra={"topic": "games"})
    started = loop.wait(lambda: [run for run in loop.admin.runs("retrain") if run["run_type"] == "asset_triggered"])[0]["dag_run_id"]
    loop.admin.answer(loop.question(started), "Approve")
    run = loop.admin.wait_for_run("retrain", started, seconds=60)
    assert (run["state"], loop.states("retrain", started)["verify"]) == ("success", "success")
    assert loop.calls("promote") == [{"stage": "promote", "topic": "games", "by": "admin", "verdict": "d1"}]
    assert loop.calls("verify") == [{"stage": "verify", "topic": "games", "version": "7"}]
    assert loop.wait(lambda: loop.calls("report")) == [{"stage": "report", "topic": "games"}], "a promotion has the report written anew"
    assert loop.admin.links("retrain", started, "judge") == {"MLflow run": f"{loop.settings.mlflow_uri}/#/runs/r1"}


def test_hold_asks_nobody_and_skipping_the_approval_is_written_down(loop, backfilled):
    (loop.script / "judge.json").write_text(json.dumps({"verdict": "HOLD"}))
    held = loop.admin.wait_for_run("retrain", loop.admin.trigger("retrain"), seconds=60)
    states = loop.states("retrain", held["dag_run_id"])
    assert (held["state"], states["decide"], states["approval"], states["promote"]) == ("success", "success", "skipped", "skipped")
    (loop.script / "judge.json").unlink()
    run_id = loop.admin.trigger("retrain", conf={"skip_approval": True, "window": "2026-10-19..2026-10-21"})
    skipped = loop.admin.wait_for_run("retrain", run_id, seconds=60)
    states = loop.states("retrain", skipped["dag_run_id"])
    assert (skipped["state"], states["approval"], states["promote"], states["verify"]) == ("success", "skipped", "success", "success")
    assert loop.calls("promote")[-1]["by"] == "admin (no approval required)"
    assert loop.calls("coverage")[-1]["window"] == "2026-10-19..2026-10-21"


def test_links_of_a_window_lead_to_pages_for_who_is_logged_in(loop, backfilled):
    page = loop.settings.report("validate", "games", "2026-10-19").with_suffix(".html")
    page.parent.mkdir(parents=True)
    page.write_text("<h1>a page</h1>")
    url = loop.admin.links("collect", backfilled[0]["dag_run_id"], "topic.validate", map_index=0)["Validation page"]
    assert url == f"{loop.settings.airflow_url}/groundswell/reports/validate/games/2026-10-19.html"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url)
    assert loop.page(url) == "<h1>a page</h1>"


def test_a_task_that_is_marked_failed_takes_its_stage_along(loop, backfilled):
    waits = loop.script / "coverage.waits"
    waits.touch()
    run_id = loop.admin.trigger("retrain")
    pid = int(loop.wait(waits.read_text))
    waits.unlink()
    loop.admin._send("PATCH", f"{loop.admin._task('retrain', run_id, 'coverage')}", {"new_state": "failed"})
    loop.wait(lambda: not _is_running(pid), 30)
    assert loop.admin.wait_for_run("retrain", run_id, seconds=60)["state"] == "failed"


def test_a_drift_that_lasts_has_one_retraining_in_the_queue(loop, backfilled):
    waits = loop.script / "coverage.waits"
    waits.touch()
    (loop.script / "monitor.json").write_text(json.dumps({"is_drift": True}))
    busy = loop.admin.trigger("retrain")
    loop.wait(waits.read_text)
    asked = {}
    for day in ("2026-10-25", "2026-10-26"):
        run_id = loop.admin.trigger("monitor", conf={"window": day})
        assert loop.admin.wait_for_run("monitor", run_id, seconds=60)["state"] == "success"
        asked[day] = loop.states("monitor", run_id)["topic.request_retrain"]
    waits.unlink()
    (loop.script / "monitor.json").unlink()
    queued = {run["dag_run_id"]: run["state"] for run in loop.admin.runs("retrain") if run["dag_run_id"].startswith("drift__games__2026-10-2")}
    loop.admin._send("PATCH", f"{loop.admin._task('retrain', busy, 'coverage')}", {"new_state": "failed"})
    loop.admin.answer(loop.question("drift__games__2026-10-25"), "Reject")
    assert loop.admin.wait_for_run("retrain", "drift__games__2026-10-25", seconds=60)["state"] == "success"
    assert asked == {"2026-10-25": "success", "2026-10-26": "skipped"}
    assert queued == {"drift__games__2026-10-20": "success", "drift__games__2026-10-25": "queued"}


def test_a_key_that_names_no_window_is_refused_or_fails_without_a_retry(loop, backfilled):
    with pytest.raises(StackError, match="400"):
        loop.admin.trigger("collect", partition_key="yesterday")
    run_id = loop.admin.trigger("collect", conf={"window": "yesterday"})
    assert loop.admin.wait_for_run("collect", run_id, seconds=60)["state"] == "failed"
    tasks = [task for task in loop.admin.tasks("collect", run_id) if "collect" in task["task_id"]]
    assert {(task["state"], task["try_number"]) for task in tasks} == {("failed", 1)}
    assert any("expected a UTC day" in line for line in loop.admin.log("collect", run_id, "topic.collect_steam", map_index=0))


def test_a_told_wait_is_kept_without_a_slot_and_the_window_goes_on(loop, backfilled):
    (loop.script / "annotate.not_now").write_text("20")
    run_id = loop.admin.trigger("collect", partition_key="2026-10-23")

    def waiting():
        task = next(task for task in loop.admin.tasks("collect", run_id) if task["task_id"] == "topic.annotate")
        return task if task["state"] == "up_for_retry" else None

    first = loop.wait(waiting)
    assert loop.admin.wait_for_run("collect", run_id, seconds=90)["state"] == "success"
    second = next(task for task in loop.admin.tasks("collect", run_id) if task["task_id"] == "topic.annotate")
    gap = datetime.fromisoformat(second["start_date"]) - datetime.fromisoformat(first["end_date"])
    assert (second["try_number"], timedelta(seconds=20) <= gap < timedelta(seconds=35)) == (2, True)
    assert len([call for call in loop.calls("annotate") if call["window"] == "2026-10-23"]) == 2


def test_a_backfill_that_wakes_nobody_collects_with_its_reason_and_announces_nothing(loop, backfilled):
    days = Window.parse("2026-09-01"), Window.parse("2026-09-02")
    wanted = {"sources": ["steam"], "reason": "steam had an outage", "no_downstream": True}
    runs = loop.admin.wait_for_backfill(loop.admin.backfill("collect", *days, conf=wanted), seconds=120)
    assert [(run["partition_key"], run["state"]) for run in runs] == [(day.key, "success") for day in days]
    calls = [call for call in loop.calls("collect") if call["window"] in ("2026-09-01", "2026-09-02")]
    assert {(call["source"], call["reason"]) for call in calls} == {("steam", "steam had an outage")}
    assert loop.states("collect", runs[0]["dag_run_id"])["topic.announce"] == "skipped"
    time.sleep(5)  # an event would have started monitor by then
    assert not [event for event in loop.admin.events("posts") if event["partition_key"].startswith("2026-09")]
    assert not [run for run in loop.admin.runs("monitor") if (run["partition_key"] or "").startswith("2026-09")]


def test_a_source_that_is_out_of_reach_keeps_no_other_waiting_and_its_window_is_announced_when_it_is_back(loop, backfilled):
    (loop.script / "collect.refused").write_text("steam")
    run_id = loop.admin.trigger("collect", partition_key="2026-07-01")
    assert loop.admin.wait_for_run("collect", run_id, seconds=120)["state"] == "failed"
    states = loop.states("collect", run_id)
    assert (states["topic.collect_steam"], states["topic.validate"], states["topic.announce"]) == ("failed", "success", "upstream_failed")
    assert [call["spare-missing"] for call in loop.calls("validate") if call["window"] == "2026-07-01"] == [True]
    assert "2026-07-01" not in {event["partition_key"] for event in loop.admin.events("posts")}
    (loop.script / "collect.refused").unlink()
    again = {"dag_run_id": run_id, "dry_run": False, "only_failed": False, "include_downstream": True, "task_ids": [["topic.collect_steam", 0]]}
    loop.admin._send("POST", "/api/v2/dags/collect/clearTaskInstances", again)
    loop.wait(lambda: loop.states("collect", run_id)["topic.announce"] == "success")
    assert "2026-07-01" in {event["partition_key"] for event in loop.admin.events("posts")}
    assert len([call for call in loop.calls("validate") if call["window"] == "2026-07-01"]) == 2


def _august(loop):
    return [run for run in loop.admin.runs("collect") if run["partition_key"] in ("2026-08-20", "2026-08-21")]


def test_a_backfill_from_the_command_line_is_airflows(loop, backfilled):
    words = ["backfill", "run", "--source", "steam", "--from", "2026-08-20", "--to", "2026-08-21", "--no-downstream", "--yes"]
    mine = {"GROUNDSWELL_AIRFLOW_USER": "bob", "GROUNDSWELL_AIRFLOW_PASSWORD": "second", "GROUNDSWELL_AIRFLOW_URL": loop.settings.airflow_url}
    environment = {**os.environ, "GROUNDSWELL_HOME": str(loop.settings.root), "GROUNDSWELL_PARAMS": str(loop.settings.params), **mine}
    command = [sys.executable, "-m", "groundswell.cli", *words]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "to collect: 2 windows (2026-08-20..2026-08-21)" in done.stderr
    (made,) = json.loads(done.stdout)["backfills"]
    assert (made["from"], made["to"]) == ("2026-08-20", "2026-08-21")
    runs = loop.wait(lambda: len(_august(loop)) == 2 and _august(loop))
    assert [loop.admin.wait_for_run("collect", run["dag_run_id"], seconds=120)["state"] for run in runs] == ["success"] * 2
    calls = [call for call in loop.calls("collect") if call["window"].startswith("2026-08-2")]
    assert {(call["source"], call["reason"], call.get("budget")) for call in calls} == {("steam", "backfill 2026-08-20..2026-08-21", None)}
    assert {loop.states("collect", run["dag_run_id"])["topic.announce"] for run in runs} == {"skipped"}


def test_the_menu_has_the_lakes_coverage_for_who_is_logged_in(loop, backfilled):
    plugins = loop.admin._send("GET", "/api/v2/plugins")["plugins"]
    (view,) = next(plugin for plugin in plugins if plugin["name"] == "groundswell")["external_views"]
    url = loop.settings.airflow_url + view["href"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url)
    lake = Lake(loop.settings.lake)
    lake.write(lake.partition("raw", "steam", "games", FIRST), pa.Table.from_pylist([], schema=POST), {"status": "complete"})
    assert "2026-10-19: collected, 0 raw posts" in loop.page(url)


def test_what_changed_in_an_earlier_day_is_told_as_that_day_and_nothing_else_is(loop, backfilled):
    (loop.script / "validate.json").write_text(json.dumps({"changed": ["steam/games/2026-10-10"], "revised": ["steam/games/2026-10-10"]}))
    run_id = loop.admin.trigger("recollect", partition_key="2026-10-11")
    assert loop.admin.wait_for_run("recollect", run_id, seconds=120)["state"] == "success"
    (loop.script / "validate.json").unlink()
    asked = [(call["window"], call["source"], call["reason"]) for call in loop.calls("collect") if call.get("reason", "").startswith("recollect")]
    assert sorted(asked) == [
        (day, source, reason)
        for day, reason in (("2026-10-08", "recollect D-3"), ("2026-10-10", "recollect D-1"))
        for source in ("hackernews", "steam")
    ]
    loop.wait(lambda: [run for run in loop.admin.runs("monitor") if run["partition_key"] == "2026-10-10"])
    quiet = loop.admin.trigger("recollect", partition_key="2026-08-11")
    assert loop.admin.wait_for_run("recollect", quiet, seconds=120)["state"] == "success"
    states = loop.states("recollect", quiet)
    assert {states[f"back_{days}.{task}"] for days in (1, 3) for task in ("announce", "impact")} == {"skipped"}
    assert sorted(call["window"] for call in loop.calls("impact") if call["window"].startswith("2026-10")) == ["2026-10-08", "2026-10-10"]
    told = {event["partition_key"] for event in loop.admin.events("posts")}
    assert "2026-10-10" in told and not any(key.startswith("2026-08") or key == "2026-10-11" for key in told)


def test_a_comparison_runs_for_real_and_its_links_lead_to_page_and_run(loop):
    settings = loop.settings
    tiny_dataset(settings.dataset("games"), train=300, validation=60)
    (settings.root / "mlflow").mkdir(exist_ok=True)
    loop.start("mlflow")
    loop.wait(lambda: loop.is_up(f"{settings.mlflow_uri}/health"), 180)
    for stage in ("compare", "report"):
        (loop.script / f"{stage}.real").touch()
    run_id = loop.admin.trigger("compare", conf={"rows": "lexicon, counted", "budget": 5})
    assert loop.admin.wait_for_run("compare", run_id, seconds=180)["state"] == "success", loop.admin.log("compare", run_id, "compare")[-30:]
    assert loop.calls("compare") == [{"stage": "compare", "topic": "games", "rows": "lexicon, counted", "budget": "5"}]
    report = json.loads(settings.report("compare", "games").read_text())
    assert {row["name"]: row["status"] for row in report["rows"]} == {"lexicon": "done", "counted": "done"}
    links = loop.admin.links("compare", run_id, "compare")
    assert links == {
        "Comparison": f"{settings.airflow_url}/groundswell/reports/compare/games.html",
        "MLflow run": f"{settings.mlflow_uri}/#/runs/{report['run_id']}",
    }
    assert all(name in loop.page(links["Comparison"]) for name in ("lexicon", "counted"))
    assert runs.read_run(settings, report["run_id"]).status == "FINISHED"
    followed = loop.wait(lambda: loop.written_since(run_id))
    page = loop.page(loop.admin.links("report", followed, "topic.report", map_index=0)["Report"])
    assert "counted" in page and "No model of this topic is registered." in page
    wrong = loop.admin.trigger("compare", conf={"rows": "lexicom"})
    assert loop.admin.wait_for_run("compare", wrong, seconds=60)["state"] == "failed"
    [task] = loop.admin.tasks("compare", wrong)
    assert task["try_number"] == 1, "asked again it would be as wrong"
    assert any("compare has no row 'lexicom'; did you mean 'lexicon'?" in line for line in loop.admin.log("compare", wrong, "compare"))


def test_watch_reads_a_feed_for_real_into_the_window_that_is_open(loop):
    loop.start("simulator")
    loop.wait(lambda: loop.is_up(f"http://127.0.0.1:{loop.settings.simulator_port}/healthz"))
    (loop.script / "collect.real").touch()
    for _ in range(2):
        run_id = loop.admin.trigger("watch")
        state = loop.admin.wait_for_run("watch", run_id, seconds=120)["state"]
        assert state == "success", loop.admin.log("watch", run_id, "topic.collect_rss", map_index=0)[-30:]
    (loop.script / "collect.real").unlink()
    assert [call for call in loop.calls("collect") if "watch" in call] == [{"stage": "collect", "topic": "games", "source": "rss", "watch": True}] * 2
    lake = Lake(loop.settings.lake)
    footers = {one.window: lake.metadata(one) for one in lake.partitions("raw", source="rss", topic="games")}
    present = max(footers)
    assert (footers[present]["status"], 0 < footers[present]["seen_share"] <= 1) == ("open", True)
    assert present.key not in {call["window"] for call in loop.calls("validate")}, "collect validates it when it is over"


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_nothing_listens_but_on_loopback(loop):
    heads = {json.loads(path.read_text())["pid"] for path in stack.folders(loop.settings)[0].glob("airflow-*.json")}
    listening = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN and each.pid and os.getsid(each.pid) in heads]
    assert {each.laddr.ip for each in listening} == {"127.0.0.1"}
