"""A stage as a task: runs ``groundswell <stage> …`` in a subprocess, exactly as a person would.

Reads the stage's report from the last line of its standard output; writes it as the task's XCom (small) and into the events of
its outlet assets; sends its standard error to the task's log, line by line. Exit 2 (wrong use) and 77 (not allowed) fail the task
for good, 75 (not now) is retried when the stage said, any other failure may be retried. A report that says ``nothing_to_do``
skips the task, and nobody is told. However the task ends, no process of the stage outlives it.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from groundswell_context import earlier_of, partition_of, topics_of
from groundswell_links import LINKS
from groundswell_retry import AsTold, NotNow

PROJECT = Path(os.environ.get("GROUNDSWELL_PROJECT") or Path(__file__).resolve().parent.parent)
_INTERPRETER = "GROUNDSWELL_STAGE_INTERPRETER"
"""Setting: the command that runs Python for stages, when it is not Airflow's own (another environment, a container)."""
_LARGEST_XCOM_BYTES = 16_000
_LEFT_OUT = "left out here for its size: see the stage's report under var/reports"
_GRACE_SECONDS = 5
_LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR, "CRITICAL": logging.CRITICAL}
_WRONG_USE, _NOT_NOW, _NOT_ALLOWED = 2, 75, 77
_LIBC = ctypes.CDLL(None)


class StageOperator(BaseOperator):
    """Run ``stage`` on ``topic``.

    ``options`` are its further options by name (``{"source": "steam"}`` → ``--source steam``; one that renders empty is left out, True is a flag).
    ``windowed``: it gets the run's window as ``--window``; with ``days_back`` the windows of the day so many days earlier. ``sources``:
    topic → its sources; the task skips itself where its source is none of its topic's (one that has no source: where none of its topic's is
    wanted), or where the run's events or its ``topics`` / ``sources`` parameters leave it out.
    """

    template_fields = ("topic", "options")
    operator_extra_links = LINKS
    ui_color = "#dbe9f4"

    def __init__(
        self,
        *,
        stage: str,
        topic: str = "",
        options: dict | None = None,
        windowed: bool = False,
        unit: str = "day",
        days_back: int = 0,
        sources=None,
        **kwargs,
    ):
        super().__init__(**{"retry_policy": AsTold(), **kwargs})
        self.stage = stage
        self.topic = topic
        self.options = options or {}
        self.windowed = windowed
        self.unit = unit
        self.days_back = days_back
        self.sources = sources
        self.report: dict = {}
        self._process: subprocess.Popen | None = None

    def execute(self, context):
        self._skip_unless_wanted(context)
        command = self.command(context)
        self.report = {"stage": self.stage, "topic": self.topic, "window": self._window(context) if self.windowed else ""}
        self.log.info("Running: %s", shlex.join(command))
        code, output, errors = self._run(command)
        if code:
            raise _failure(self.stage, code, errors, output)
        self.report = _report_in(self.stage, output)
        if why := self.report.get("nothing_to_do"):
            raise AirflowSkipException(why)
        for asset in self.outlets:
            event = context["outlet_events"][asset]
            event.extra = event_of(self.report)
            if self.windowed:
                event.add_partitions(self._window(context))
        tried = {"try_number": context["ti"].try_number} if "ti" in context else {}
        return {**brief(self.report), **tried}

    def command(self, context) -> list[str]:
        """The command line of this task."""
        interpreter = shlex.split(os.environ.get(_INTERPRETER, "")) or [sys.executable]
        options = {"topic": self.topic, **self.options}
        if self.windowed:
            options["window"] = self._window(context)
        words = [_words(name, value) for name, value in options.items() if value not in (None, "", "None")]
        return [*interpreter, "-m", "groundswell.cli", self.stage, *itertools.chain(*words)]

    def _window(self, context) -> str:
        return earlier_of(context, self.unit, self.days_back) if self.days_back else partition_of(context, self.unit)

    def on_kill(self) -> None:
        """End the stage with everything that it started: asked first, made after a grace."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        timer = threading.Timer(_GRACE_SECONDS, _signal_group, (process.pid, signal.SIGKILL))
        timer.daemon = True
        timer.start()

    def _skip_unless_wanted(self, context) -> None:
        source = self.options.get("source")
        if source and self.sources and source not in self.sources.get(self.topic, []):
            raise AirflowSkipException(f"{self.topic} has no source {source} in params.yaml")
        chosen = context["params"].get("sources")
        if self.sources and not source and not [each for each in self.sources.get(self.topic, []) if not chosen or each in chosen]:
            raise AirflowSkipException(f"{self.topic} has none of this run's sources")
        of_events = topics_of(context.get("triggering_asset_events"))
        if of_events and self.topic not in of_events:
            raise AirflowSkipException(f"the events that started this run are of {', '.join(of_events)}, not {self.topic}")
        for name, value in (("topics", self.topic), ("sources", source)):
            chosen = context["params"].get(name)
            if value and chosen and value not in chosen:
                raise AirflowSkipException(f"this run's {name} are {', '.join(chosen)}, not {value}")

    def _run(self, command: list[str]) -> tuple[int, str, list[str]]:
        """Run to the end: exit status, the last line of standard output, the last lines of standard error."""
        last_output, last_errors = deque(maxlen=1), deque(maxlen=20)
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
            preexec_fn=_die_with_parent,
        )
        process = self._process
        reader = threading.Thread(target=_keep_last, args=(process.stdout, last_output), daemon=True)
        reader.start()
        try:
            for line in process.stderr:
                self._pass_on(line.rstrip(), last_errors)
            code = process.wait()
        finally:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        reader.join(_GRACE_SECONDS)
        return code, last_output[0] if last_output else "", list(last_errors)

    def _pass_on(self, line: str, kept: deque) -> None:
        if line.strip():
            kept.append(line)
            word, _, rest = line.partition(" ")
            self.log.log(_LEVELS.get(word, logging.INFO), "%s", rest if word in _LEVELS else line)


def _words(name: str, value) -> list[str]:
    return [f"--{name}"] if value is True else [f"--{name}", str(value)]


def brief(report: dict) -> dict:
    """``report`` small enough for an XCom: the largest values give way first, each leaves a word on where to find it."""
    kept = dict(report)
    for name in sorted(report, key=lambda name: -len(json.dumps(report[name]))):
        if len(json.dumps(kept)) <= _LARGEST_XCOM_BYTES:
            break
        kept[name] = _LEFT_OUT
    return kept


def event_of(report: dict) -> dict:
    """What an asset event says of the report that it stands for: its plain values (topic, window, counts), and of each valid
    partition its rows and hashes."""
    plain = {name: value for name, value in report.items() if isinstance(value, str | int | float) and value != _LEFT_OUT}
    partitions = report.get("partitions")
    partitions = partitions if isinstance(partitions, dict) else {}  # an XCom leaves out what is too large
    valid = {key: layers["valid"] for key, layers in partitions.items() if isinstance(layers, dict) and "valid" in layers}
    return {**plain, "partitions": valid} if valid else plain


def _report_in(stage: str, line: str) -> dict:
    try:
        report = json.loads(line)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        raise AirflowException(f"{stage} ended well but its last line of output is no report: expected one JSON object, found {line[:100]!r}")
    return report


def _failure(stage: str, code: int, errors: list[str], output: str) -> AirflowException:
    said = next((line for line in reversed(errors) if line.startswith("groundswell: ")), errors[-1] if errors else "it said nothing")
    if code == _WRONG_USE:
        return AirflowFailException(f"{stage} was called wrongly, trying again can't help: {said}")
    if code == _NOT_ALLOWED:
        return AirflowFailException(f"{stage} is not allowed to, trying again can't help: {said}")
    if code == _NOT_NOW:
        return NotNow(f"{stage} can't yet: {said}", _told_wait(stage, output))
    if code < 0:
        return AirflowException(f"{stage} was ended by {signal.Signals(-code).name}")
    return AirflowException(f"{stage} failed with exit status {code}: {said}")


def _told_wait(stage: str, line: str) -> float:
    """Seconds, from the last line of a stage that ended with "not now"."""
    try:
        return float(json.loads(line)["retry_after_seconds"])
    except (ValueError, LookupError, TypeError):
        raise AirflowException(f"{stage} says not now but not when: expected a last line with retry_after_seconds, found {line[:100]!r}") from None


def _keep_last(stream, kept: deque) -> None:
    for line in stream:
        if line.strip():
            kept.append(line)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _die_with_parent() -> None:
    """In the child, before it becomes the stage: if this task is killed outright, the kernel ends the stage too."""
    pr_set_pdeathsig = 1
    _LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)
