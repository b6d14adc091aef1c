"""The demo: the whole loop once, through Airflow, on the simulated platforms; and what it took.

Starts the embedded stack, lets Airflow backfill `collect` over the demo's windows and run `retrain`, answers the approval as the
demo's user, asks the served endpoint about a few posts, and stops what it started. What is there already is used again. Writes
``var/demo.json``. Refuses to go on when a window or a stage failed: Airflow's page says which.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from groundswell import processes, stack
from groundswell.airflow_api import ENDED, Airflow, pools
from groundswell.errors import ParamsError, StackError
from groundswell.files import write_json
from groundswell.http import Http
from groundswell.params import Params
from groundswell.settings import Settings
from groundswell.status import champion, windows
from groundswell.window import Window

WINDOWS = (Window.parse("2026-10-19"), Window.parse("2026-11-01"))
"""The demo's first and last window: fixed, so that everybody's demo has the same posts."""

POSTS = (
    "Finally a patch that fixes the matchmaking, best evening I had in weeks 🎮",
    "can't say I enjoyed a single hour of it, refund requested",
    "The servers go down for maintenance on Tuesday at nine",
    "Everyone told me to skip it. Glad I didn't listen!",
)
"""What the served endpoint is asked at the end; invented, and in no corpus."""

_COLLECT_SECONDS, _RETRAIN_SECONDS = 1200, 1800


class Timings:
    """Seconds by phase, and the largest memory (`processes.memory_bytes`) of all processes together, looked at every two seconds."""

    def __init__(self, run: Path):
        self.seconds: dict[str, float] = {}
        self.peak_bytes = (0, 0)
        self._run = run
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @contextmanager
    def phase(self, name: str):
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - started, 1)

    def stop(self) -> None:
        self._is_over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._is_over.wait(2):
            self.peak_bytes = tuple(map(max, self.peak_bytes, processes.memory_bytes(self._run)))


def demo(settings: Settings, params: Params, *, wanted: tuple[Window, Window] = WINDOWS, say=print) -> dict:
    """Run the loop once; returns what ``var/demo.json`` holds. Whatever happens, what was started is stopped on the way out."""
    if params.collect.window != "day":
        raise ParamsError(f"the demo collects days, params.yaml says collect.window: {params.collect.window}; set day, or use: make up")
    settings = stack.settings_of_the_stack(settings)
    before = stack.running(settings)
    if before:
        say(f"{', '.join(before)}: running already, left running")
    timings = Timings(stack.folders(settings)[0])
    try:
        with timings.phase("start"):
            write_corpus(settings, params, wanted)
            stack.up(settings, params, say=say)
            airflow = make_ready(settings, params)
        with timings.phase("collect"):
            collect_windows(airflow, settings, params, wanted, say)
        with timings.phase("retrain"):
            retrain(airflow, settings, params.topic, wanted, say)
        with timings.phase("monitor"):
            monitor(airflow, settings, params.topic, wanted[1], say)
        with timings.phase("answer"):
            answered = ask(settings)
        with timings.phase("stop"):
            stack.down(settings, spare=before)
    finally:
        stack.down(settings, spare=before)
        timings.stop()
    report = summary(settings, params.topic, timings, answered)
    write_json(report, settings.root / "demo.json")
    return report


def write_corpus(settings: Settings, params: Params, wanted: tuple[Window, Window]) -> None:
    """The seed corpus of the demo's topic, from the simulator, unless it is there; a corpus of the user's own is never made up."""
    name, topic = params.topic_named(None)
    if topic.replay is None:
        return
    path = (settings.project / topic.replay.path).resolve()
    if not path.exists() and path.is_relative_to(settings.root / "simulator"):
        span = f"{wanted[0]}..{wanted[1]}"
        command = [sys.executable, "-m", "groundswell.simulator", "corpus", "--topic", name, "--window", span, "--out", str(path)]
        done = subprocess.run(command, cwd=settings.project, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise StackError(f"the seed corpus of {name} could not be made: {done.stderr.strip().splitlines()[-1:]}")


def make_ready(settings: Settings, params: Params) -> Airflow:
    """The embedded Airflow, its pools made and the DAGs that people start unpaused."""
    airflow = Airflow(settings.airflow_url, *stack.admin_password(settings))
    airflow.wait_for_dags(["collect", "compare", "monitor", "report", "retrain", "score"])
    airflow.ensure_pools(pools(params))
    airflow.unpause("collect", "retrain", "compare")
    return airflow


def collect_windows(airflow: Airflow, settings: Settings, params: Params, wanted: tuple[Window, Window], say) -> None:
    """Backfill `collect` over the windows that are not in the lake for every source."""
    progress = Changes(say)

    def show(runs: list[dict]) -> None:
        ended = sum(run["state"] == "success" for run in runs)
        rows = sum(sum(by_source.values()) for by_source in windows(settings, params.topic).values())
        progress(f"collect: {ended} of {len(runs)} windows, {rows} valid posts in the lake")

    if open_runs := [run for run in airflow.runs("collect", run_type="backfill") if run["state"] not in ENDED]:
        say("collect: a backfill that was cut short goes on")
        oldest = min(run["queued_at"] for run in open_runs)
        airflow.wait_for_backfill({"dag_id": "collect", "created_at": oldest}, seconds=_COLLECT_SECONDS, say=show)
    missing = _missing(settings, params, wanted)
    if not missing:
        say(f"collect: {wanted[0]} … {wanted[1]} are in the lake already")
        return
    backfill = airflow.backfill("collect", missing[0], missing[-1], max_active_runs=4, reprocess="completed")
    runs = airflow.wait_for_backfill(backfill, seconds=_COLLECT_SECONDS, say=show)
    if failed := [run["partition_key"] for run in runs if run["state"] != "success"]:
        raise StackError(
            f"collect failed for {', '.join(failed)}: the stack's logs are in {stack.folders(settings)[1]}, the tasks' in var/airflow/logs"
        )


def retrain(airflow: Airflow, settings: Settings, topic: str, wanted: tuple[Window, Window], say) -> None:
    """Run `retrain` and answer its approval, unless the topic has a champion already."""
    if champion(settings, topic):
        say(f"retrain: {topic} has a champion already; for another run: make up, then trigger retrain in Airflow's page")
        return
    open_runs = [run["dag_run_id"] for run in airflow.runs("retrain") if run["state"] not in ENDED]
    run_id = open_runs[0] if open_runs else airflow.trigger("retrain", conf={"topic": topic, "window": f"{wanted[0]}..{wanted[1]}"})
    progress = Changes(say)

    def show(run: dict) -> None:
        for task in airflow.tasks("retrain", run_id):
            if task["state"] in ("running", "success", "failed", "awaiting_input"):
                progress(f"retrain: {task['task_id']} {task['state'].replace('_', ' ')}", key=task["task_id"])
        for question in airflow.questions("retrain", run_id):
            say(f"retrain: {question['subject']} The demo says yes by itself.")
            airflow.answer(question, "Approve")

    run = airflow.wait_for_run("retrain", run_id, seconds=_RETRAIN_SECONDS, say=show)
    if run["state"] != "success":
        failed = [task["task_id"] for task in airflow.tasks("retrain", run_id) if task["state"] == "failed"]
        raise StackError(f"retrain failed at {', '.join(failed)}: its log is below var/airflow/logs")
    if not champion(settings, topic):
        verdict = json.loads(settings.report("judge", topic).read_text())
        raise StackError(f"retrain ended with the verdict {verdict['verdict']}: {'; '.join(verdict['reasons'])}")


def monitor(airflow: Airflow, settings: Settings, topic: str, window: Window, say) -> None:
    """Run `monitor` for one window, so that there is a drift report to look at."""
    if settings.report("monitor", topic, window.key).exists():
        return
    airflow.unpause("monitor")
    run_id = airflow.trigger("monitor", partition_key=window.key)
    run = airflow.wait_for_run("monitor", run_id, seconds=300)
    if run["state"] != "success":
        raise StackError(f"monitor failed for {window}: its log is below var/airflow/logs")
    report = json.loads(settings.report("monitor", topic, window.key).read_text())
    say(f"monitor: {window}: {'drift' if report.get('is_drift') else 'no drift'}")


def ask(settings: Settings) -> dict:
    """The served endpoint's answer to `POSTS`: labels, probabilities, and the version that gave them."""
    with Http(attempts=5, key=settings.serving_key.get_secret_value()) as http:
        return http.post(f"{settings.serving_url}/v1/predict", {"texts": list(POSTS)})


def summary(settings: Settings, topic: str, timings: Timings, answered: dict) -> dict:
    """What ``var/demo.json`` says."""
    by_window = windows(settings, topic)
    verdict = json.loads(settings.report("judge", topic).read_text())
    answers = [{"text": text, **prediction} for text, prediction in zip(POSTS, answered["predictions"], strict=True)]
    return {
        "seconds": {**timings.seconds, "total": round(sum(timings.seconds.values()), 1)},
        "peak_rss_bytes": timings.peak_bytes[0],
        "peak_pss_bytes": timings.peak_bytes[1],
        "days": len(by_window),
        "rows": sum(sum(rows.values()) for rows in by_window.values()),
        "verdict": verdict["verdict"],
        "reasons": verdict["reasons"],
        "model_version": answered["version"],
        "answers": answers,
    }


def show(report: dict, settings: Settings) -> None:
    """Print the demo's result for a person: answers, times, and where to look."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("post", "sentiment", "probability", title=f"answers of version {report['model_version']}")
    for answer in report["answers"]:
        table.add_row(answer["text"], answer["label"], f"{max(answer['probabilities'].values()):.2f}")
    console.print(table)
    console.print(f"verdict {report['verdict']}: " + "; ".join(report["reasons"]), soft_wrap=True)
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in report["seconds"].items())
    console.print(f"{report['days']} days, {report['rows']} posts; {seconds}; at most {report['peak_pss_bytes'] / 1e9:.1f} GB", soft_wrap=True)
    settings = stack.settings_of_the_stack(settings)
    places = Table("to see", "where (after make up)", title="where to look")
    for what, where in {
        "DAGs, backfill, links": settings.airflow_url,
        "runs, pictures, registry": settings.mlflow_uri,
        "endpoint, form": settings.serving_url,
        "validation pages": f"{settings.home}/reports/validate/",
        "drift reports": f"{settings.home}/reports/monitor/",
        "this run's numbers": f"{settings.home}/demo.json",
    }.items():
        places.add_row(what, where)
    console.print(places)


class Changes:
    """Says a line when it is not the one said last under its key."""

    def __init__(self, say):
        self._say = say
        self._last: dict[str, str] = {}

    def __call__(self, line: str, key: str = "") -> None:
        if self._last.get(key) != line:
            self._last[key] = line
            self._say(line)


def _missing(settings: Settings, params: Params, wanted: tuple[Window, Window]) -> list[Window]:
    there = windows(settings, params.topic)
    sources = set(params.topics[params.topic].sources)
    window, missing = wanted[0], []
    while window <= wanted[1]:
        if set(there.get(window.key, ())) != sources:
            missing.append(window)
        window = window.next()
    return missing
