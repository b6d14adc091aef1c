"""Airflow's REST interface: start work, watch it, answer what it asks. For the demo, the status, benchmarks and tests.

Reads and writes a running Airflow 3.3 over HTTP, as one of its users; nothing else. Every failure is a `StackError` with Airflow's
own words. Nothing here knows what a DAG does.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from groundswell.errors import StackError
from groundswell.params import Params
from groundswell.window import Window

ENDED = ("success", "failed")
"""The states in which a run stays."""

_PAGE = 100
_SETTLE_SECONDS = 5
"""Airflow can lose an answer that comes at once after the question: wait this long from the question on."""
_TRIES, _PAUSE_SECONDS = 3, 1
"""Airflow on SQLite may block itself, and after 5 s say 500: its API's one process writes to its log of actions while another call of its own has
the database."""
_BACKFILL_LAG_SECONDS = 90
"""A backfill whose runs have all ended is closed by a sweep, up to 30 s later; until then a second one is refused."""


def pools(params: Params) -> dict[str, int]:
    """Pool → slots, as the DAGs need them: one a source, one for heavy work, one for DVC."""
    sources = {source for topic in params.topics.values() for source in topic.sources}
    return {**{f"source_{source}": 2 for source in sorted(sources)}, "heavy": 1, "seal": 1}


class Airflow:
    """A user's session with the Airflow at ``url``. Logs in at the first call, and again when its token has run out."""

    def __init__(self, url: str, user: str, password: str, *, timeout_seconds: float = 30):
        self.url = url.rstrip("/")
        self._login = {"username": user, "password": password}
        self._timeout = timeout_seconds
        self._token: str | None = None

    # What is there

    def health(self) -> dict[str, str]:
        """Component → its status; needs no login."""
        return {name: part["status"] for name, part in self._send("GET", "/api/v2/monitor/health").items() if part and part["status"]}

    def import_errors(self) -> dict[str, str]:
        """DAG file → why it can't be read."""
        return {error["filename"]: error["stack_trace"] for error in self._pages("/api/v2/importErrors", "import_errors")}

    def wait_for_dags(self, names: Iterable[str], seconds: float = 60) -> None:
        """Wait until Airflow has read the DAGs called ``names``."""

        def known():
            return set(names) <= {dag["dag_id"] for dag in self._pages("/api/v2/dags", "dags", exclude_stale="true")}

        self._wait(known, seconds, lambda: f"Airflow has not read the DAGs {', '.join(names)}; import errors: {self.import_errors() or 'none'}")

    def dag(self, name: str) -> dict:
        """What Airflow knows of a DAG, e.g. ``is_paused``."""
        return self._send("GET", f"/api/v2/dags/{name}")

    # Settings

    def ensure_pools(self, wanted: dict[str, int]) -> None:
        """Make the pools, or give them their slots."""
        there = {pool["name"]: pool["slots"] for pool in self._pages("/api/v2/pools", "pools")}
        for name, slots in wanted.items():
            if name not in there:
                self._send("POST", "/api/v2/pools", {"name": name, "slots": slots, "description": "made by groundswell"})
            elif there[name] != slots:
                self._send("PATCH", f"/api/v2/pools/{quote(name)}?update_mask=slots", {"pool": name, "slots": slots})

    def pause(self, dag: str, is_paused: bool = True) -> None:
        """A paused DAG starts nothing, not even a backfill's or an event's runs."""
        self._send("PATCH", f"/api/v2/dags/{dag}", {"is_paused": is_paused})

    def unpause(self, *dags: str) -> None:
        for dag in dags:
            self.pause(dag, False)

    # Start

    def trigger(self, dag: str, *, conf: dict | None = None, partition_key: str | None = None) -> str:
        """Start a run; returns its id. The id is ours, so that asking again after a failure of Airflow's starts no second one."""
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{secrets.token_hex(4)}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}, **({"partition_key": partition_key} if partition_key else {})}
        has_failed = False
        for left in reversed(range(_TRIES)):
            try:
                return self._send("POST", f"/api/v2/dags/{dag}/dagRuns", body)["dag_run_id"]
            except _ServerFailed:
                if not left:
                    raise
                has_failed = True
                time.sleep(_PAUSE_SECONDS)
            except _Conflict:
                if has_failed:  # it had been started after all
                    return run_id
                raise

    def emit(self, asset: str, *, partition_key: str | None = None, extra: dict | None = None) -> None:
        """An event of ``asset``, as from outside: starts whatever is scheduled on it."""
        found = [each["id"] for each in self._pages("/api/v2/assets", "assets", name_pattern=asset) if each["name"] == asset]
        if not found:
            raise StackError(f"no asset {asset!r} at {self.url}: no DAG names it")
        body = {"asset_id": found[0], "extra": extra or {}, **({"partition_key": partition_key} if partition_key else {})}
        self._send("POST", "/api/v2/assets/events", body)

    def backfill(self, dag: str, first: Window, last: Window, *, max_active_runs: int = 4, reprocess: str = "none", conf: dict | None = None) -> dict:
        """Start a backfill of the windows from ``first`` to ``last``, both included; returns Airflow's record of it.

        ``reprocess``: ``none`` leaves out windows with any run, ``failed`` and ``completed`` run those again. ``conf``: the parameters of
        every run. Waits for an earlier
        backfill of the DAG that has ended but is not closed yet.
        """
        body = {
            "dag_id": dag,
            "from_date": first.start.isoformat(),
            "to_date": last.start.isoformat(),
            "max_active_runs": max_active_runs,
            "reprocess_behavior": reprocess,
            "dag_run_conf": conf or {},
        }
        deadline = time.monotonic() + _BACKFILL_LAG_SECONDS
        while True:
            try:
                return self._send("POST", "/api/v2/backfills", body)
            except _Conflict:
                if time.monotonic() > deadline or self._has_open_runs(dag):
                    raise
                time.sleep(1)

    def backfill_runs(self, backfill: dict) -> list[dict]:
        """The runs that ``backfill`` (of `backfill`) made, in the order of their windows."""
        since = datetime.fromisoformat(backfill["created_at"]) - timedelta(seconds=1)
        made = [
            run
            for run in self.runs(backfill["dag_id"], run_type="backfill")
            if run["queued_at"] and datetime.fromisoformat(run["queued_at"]) >= since
        ]
        return sorted(made, key=lambda run: run["partition_key"] or run["run_after"])

    def wait_for_backfill(
        self, backfill: dict, *, seconds: float, say: Callable[[list[dict]], None] = lambda runs: None, every: float = 1
    ) -> list[dict]:
        """Wait until every run of ``backfill`` has ended; ``say`` gets the runs at each look. Returns them, failed ones included."""

        def ended():
            runs = self.backfill_runs(backfill)
            say(runs)
            return runs if runs and all(run["state"] in ENDED for run in runs) else None

        return self._wait(ended, seconds, lambda: f"the backfill of {backfill['dag_id']} has not ended", every)

    # Watch

    def run(self, dag: str, run_id: str) -> dict:
        return self._send("GET", f"/api/v2/dags/{dag}/dagRuns/{quote(run_id)}")

    def runs(self, dag: str, **filters: str) -> list[dict]:
        """The runs of ``dag``, the newest first; ``filters`` are Airflow's (``run_type``, ``state``)."""
        return list(self._pages(f"/api/v2/dags/{dag}/dagRuns", "dag_runs", order_by="-id", **filters))

    def tasks(self, dag: str, run_id: str) -> list[dict]:
        """The task instances of a run."""
        return list(self._pages(f"/api/v2/dags/{dag}/dagRuns/{quote(run_id)}/taskInstances", "task_instances"))

    def wait_for_run(self, dag: str, run_id: str, *, seconds: float, say: Callable[[dict], None] = lambda run: None, every: float = 1) -> dict:
        """Wait until a run has ended; ``say`` gets it at each look. Returns it, whatever its end."""

        def ended():
            run = self.run(dag, run_id)
            say(run)
            return run if run["state"] in ENDED else None

        return self._wait(ended, seconds, lambda: f"run {run_id} of {dag} has not ended: {self._unfinished(dag, run_id)}", every)

    def log(self, dag: str, run_id: str, task: str, *, map_index: int = -1, attempt: int = 1) -> list[str]:
        """The lines of a task's log."""
        path = f"{self._task(dag, run_id, task)}/logs/{attempt}?{urlencode({'map_index': map_index, 'full_content': 'true'})}"
        return [_text_of(line) for line in self._send("GET", path)["content"]]

    def links(self, dag: str, run_id: str, task: str, *, map_index: int = -1) -> dict[str, str]:
        """The links that the page of a task shows."""
        found = self._send("GET", f"{self._task(dag, run_id, task)}/links?map_index={map_index}")["extra_links"]
        return {name: url for name, url in found.items() if url}

    def events(self, asset: str, seconds: float = 60) -> list[dict]:
        """The events of ``asset``, the newest first.

        Airflow 3.3.2 can't tell them (status 500) while a run that one of them started is still queued: asked again until it can.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                return list(self._pages("/api/v2/assets/events", "asset_events", name_pattern=asset, order_by="-timestamp"))
            except _ServerFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    # Answer

    def questions(self, dag: str, run_id: str = "~") -> list[dict]:
        """What people are asked and have not answered: subject, body, options, whom, and the task instance that waits."""
        path = f"/api/v2/dags/{dag}/dagRuns/{quote(run_id)}/hitlDetails"
        return list(self._pages(path, "hitl_details", response_received="false", state="awaiting_input"))

    def answer(self, question: dict, option: str, *, now: Callable[[], float] = time.time) -> None:
        """Answer a question of `questions` with ``option`` (Approve, Reject) as this user."""
        asked = datetime.fromisoformat(question["created_at"]).timestamp()
        time.sleep(max(0.0, asked + _SETTLE_SECONDS - now()))
        task = question["task_instance"]
        path = f"{self._task(task['dag_id'], task['dag_run_id'], task['task_id'])}/{task['map_index']}/hitlDetails"
        self._send("PATCH", path, {"chosen_options": [option]})

    # How

    def _task(self, dag: str, run_id: str, task: str) -> str:
        return f"/api/v2/dags/{dag}/dagRuns/{quote(run_id)}/taskInstances/{quote(task)}"

    def _has_open_runs(self, dag: str) -> bool:
        return any(run["state"] not in ENDED for run in self.runs(dag, run_type="backfill"))

    def _unfinished(self, dag: str, run_id: str) -> str:
        return ", ".join(f"{task['task_id']} is {task['state'] or 'waiting'}" for task in self.tasks(dag, run_id) if task["state"] != "success")

    def _pages(self, path: str, key: str, **query: str) -> Iterator[dict]:
        offset = 0
        while True:
            part = self._send("GET", f"{path}?{urlencode({**query, 'limit': _PAGE, 'offset': offset})}")[key]
            yield from part
            offset += len(part)
            if len(part) < _PAGE:
                return

    def _wait(self, look: Callable[[], Any], seconds: float, trouble: Callable[[], str], every: float = 0.5) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > deadline:
                raise StackError(f"{trouble()} after {seconds:.0f} s: look at {self.url}")
            time.sleep(every)
        return found

    def _send(self, method: str, path: str, body: dict | None = None) -> dict:
        if self._token is None and path != "/api/v2/monitor/health":
            self._token = self._once("POST", "/auth/token", self._login)["access_token"]
        try:
            return self._once(method, path, body)
        except _TokenIsOld:
            self._token = None
            self._token = self._once("POST", "/auth/token", self._login)["access_token"]
            return self._once(method, path, body)

    def _once(self, method: str, path: str, body: dict | None) -> dict:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, data=data, headers=headers)  # noqa: S310 - the address is a setting
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise self._explained(method, path, error) from error
        except (OSError, ValueError) as error:
            raise StackError(f"Airflow at {self.url} does not answer ({error}): is it up? See: groundswell status") from error

    def _explained(self, method: str, path: str, error: urllib.error.HTTPError) -> StackError:
        said = error.read().decode("utf-8", "replace")
        with contextlib.suppress(ValueError, AttributeError):
            said = json.loads(said).get("detail", said)
        where = f"{method} {path.partition('?')[0]}"
        if error.code == 401 and path == "/auth/token":
            return StackError(
                f"Airflow at {self.url} does not let user {self._login['username']!r} in: check name and password (groundswell status shows them)"
            )
        kinds = {401: _TokenIsOld, 409: _Conflict, 500: _ServerFailed}
        return kinds.get(error.code, StackError)(f"Airflow refused {where} ({error.code}): {said}")


def _text_of(line: dict | str) -> str:
    """A line of a log, with the errors that Airflow keeps beside it."""
    if isinstance(line, str):
        return line
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []]
    return ": ".join([line["event"], *errors])


class _TokenIsOld(StackError):
    """The login has run out."""


class _Conflict(StackError):
    """What was asked for is there or under way already."""


class _ServerFailed(StackError):
    """Airflow itself went wrong over the call."""
