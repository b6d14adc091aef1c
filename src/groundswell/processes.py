"""Local processes: started in a session of their own, found again by a file, stopped with all their children.

A process that `start` began outlives the program that began it; `stop` ends its whole session, so that nothing is left behind
whatever its children did. Reads and writes ``<run>/<name>.json``; logs go to ``<log>/<name>.log``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from groundswell.errors import StackError
from groundswell.files import write_json

_GENTLE_SECONDS = 6
_FIRM_SECONDS = 5


@dataclass(frozen=True)
class Service:
    """One local server: how it is started and how one knows that it is well."""

    name: str
    command: list[str]
    ports: dict[str, int]
    """Setting that moves it (``GROUNDSWELL_…``) → port."""
    health_url: str
    environment: dict[str, str] = field(default_factory=dict)
    page: str = ""


def start(service: Service, *, folder: Path, run: Path, log: Path) -> None:
    """Start ``service`` unless it runs already; it gets a session of its own, so a terminal's Ctrl-C does not reach it."""
    if alive(service.name, run):
        return
    stop(service.name, run)  # what a leader that died on its own left behind
    for where in (run, log):
        where.mkdir(parents=True, exist_ok=True)
    with open(log / f"{service.name}.log", "ab") as output:
        process = subprocess.Popen(
            service.command,
            cwd=folder,
            env={**os.environ, **service.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        record = {"pid": process.pid, "started": psutil.Process(process.pid).create_time(), "ports": service.ports, "page": service.page}
        write_json(record, run / f"{service.name}.json")
    except BaseException:  # an interrupt just here would leave a process that nobody knows of
        process.kill()
        raise


def alive(name: str, run: Path) -> psutil.Process | None:
    """The process that was started as ``name``, when it still runs; a number given to another process meanwhile is not it."""
    record = record_of(name, run)
    try:
        process = psutil.Process(record["pid"]) if record else None
        return process if process and _is_of(record, process) and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def record_of(name: str, run: Path) -> dict | None:
    """What was written down when ``name`` was started: pid, time, ports, page."""
    try:
        return json.loads((run / f"{name}.json").read_text())
    except (FileNotFoundError, ValueError):
        return None


def names(run: Path) -> list[str]:
    """Every name that was started and not stopped since."""
    return sorted(path.stem for path in run.glob("*.json"))


def members(name: str, run: Path) -> list[psutil.Process]:
    """All processes in the session of ``name``, and their descendants."""
    record = record_of(name, run)
    if record is None or _is_anothers(record):
        return []
    found = {process.pid: process for process in psutil.process_iter() if _session_of(process.pid) == record["pid"] and _is_of(record, process)}
    for process in list(found.values()):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.update((child.pid, child) for child in process.children(recursive=True))
    return list(found.values())


def stop(name: str, run: Path) -> None:
    """End ``name`` and every process of its session: SIGTERM to the leader, which may tidy up, then to whoever is left, then SIGKILL."""
    everyone = members(name, run)
    leader = alive(name, run)
    if leader:
        with contextlib.suppress(psutil.NoSuchProcess):
            leader.terminate()
        psutil.wait_procs([leader], timeout=_GENTLE_SECONDS)
    _end(members(name, run) + [process for process in everyone if process.is_running()])
    (run / f"{name}.json").unlink(missing_ok=True)


def _end(processes: Iterable[psutil.Process]) -> None:
    left = list(processes)
    for send in (psutil.Process.terminate, psutil.Process.kill):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                send(process)
        _, left = psutil.wait_procs(left, timeout=_FIRM_SECONDS)


def memory_bytes(run: Path) -> tuple[int, int]:
    """Memory of all started processes together: resident (pages that processes share count for each) and proportional (count once)."""
    resident = proportional = 0
    for name in names(run):
        for process in members(name, run):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                memory = process.memory_full_info()
                resident, proportional = resident + memory.rss, proportional + memory.pss
    return resident, proportional


def require_free(services: Iterable[Service], run: Path) -> None:
    """Raise `StackError` for the first port that somebody else holds, naming the setting that moves it."""
    for service in services:
        if alive(service.name, run):
            _require_same_ports(service, run)
            continue
        for setting, port in service.ports.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    raise StackError(f"port {port} for {service.name} is taken{_holder(port)}: free it, or set {setting} to another port") from None


def wait_until(is_ready, *, seconds: float, what: str, alive_check=lambda: True, every: float = 0.5) -> float:
    """Poll ``is_ready()`` until it is true; returns the seconds that took. `StackError` after ``seconds``, or at once when the process died."""
    started = time.monotonic()
    while not is_ready():
        if not alive_check():
            raise StackError(f"{what} ended while starting: see its log")
        if time.monotonic() - started > seconds:
            raise StackError(f"{what} did not come up within {seconds:.0f} s: see its log")
        time.sleep(every)
    return time.monotonic() - started


def _require_same_ports(service: Service, run: Path) -> None:
    for setting, port in (record_of(service.name, run) or {}).get("ports", {}).items():
        if service.ports.get(setting) != port:
            raise StackError(f"{service.name} runs on port {port} already, not on {service.ports.get(setting)}: set {setting}={port}, or: make down")


def _is_of(record: dict, process: psutil.Process) -> bool:
    """Whether ``process`` can belong to what was started then: the leader is as old as its record, nobody is older."""
    try:
        age = process.create_time() - record["started"]
    except psutil.NoSuchProcess:
        return False
    return abs(age) < 1 if process.pid == record["pid"] else age > -1


def _is_anothers(record: dict) -> bool:
    """The number was given to another process since, or the machine was started anew: that session is not ours to end."""
    if psutil.boot_time() > record["started"] + 1:
        return True
    return psutil.pid_exists(record["pid"]) and not _is_of(record, psutil.Process(record["pid"]))


def _holder(port: int) -> str:
    for connection in psutil.net_connections(kind="tcp"):
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN and connection.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
