"""Trial: what models cost where they will work. Each is loaded by serving itself, in a process of its own, and asked over HTTP.

Reads exports; starts ``python -m serving.main`` on a port of loopback that is free, one process a model, with the export as its only copy
and no registry. Writes into a temporary folder only. The processes end with the trial, and with whoever runs it. Where serving can't be
started, `in_process` still compares the predictors' times, of which a verdict then says so. Refuses, with `StackError`, a serving that
does not come up for reasons of its own; that it came up and will not answer with a model is a result (`Refusal`).
"""

from __future__ import annotations

import ctypes
import http.client
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil

from groundswell.errors import ModelError, StackError
from groundswell.params import JudgeParams
from groundswell.predictor import Predictor
from groundswell.registry import CHALLENGER, CHAMPION
from groundswell.settings import Settings

ROUNDS = 3
_WARMING = 24
"""Answers that are not counted: serving takes a client for a lone one after 16 (`serving.pool`)."""
_READY_SECONDS = 120
_SETTLED_SECONDS = 30
_TERM_SECONDS = 10
_NO_REGISTRY = "http://127.0.0.1:9"
_LONGEST_TEXT = 2_000  # characters, of serving.messages
_LIBC = ctypes.CDLL(None)

log = logging.getLogger(__name__)


class Refusal(ModelError):
    """Serving is up and will not answer with this model; ``name`` is whose it is."""

    def __init__(self, name: str, message: str):
        super().__init__(message)
        self.name = name


def in_serving(exports: Mapping[str, Path], texts: Sequence[str], *, topic: str, settings: Settings) -> dict:
    """Name → what its model costs (`_costs`), and with a champion the ratios of challenger to champion.

    ``latency_ratio`` is the median, over texts and rounds, of two answers to one text, one after the other: what else the machine does then
    falls on both. ``memory_ratio`` is of the resident memory after all texts. `StackError`, `Refusal`.
    """
    with ExitStack() as held:
        box = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="groundswell-trial-")))
        servers = {name: held.enter_context(_serving(name, export, box / name, topic, settings)) for name, export in exports.items()}
        taken = _asked(servers, [text[:_LONGEST_TEXT] for text in texts])
        found: dict = {name: server.costs(taken[name]) for name, server in servers.items()}
    found |= {"texts": len(texts), "rounds": ROUNDS, "interpreter": "serving's" if _own_interpreter(settings) else "the pipeline's"}
    if CHAMPION in exports:
        found["latency_ratio"] = round(float(np.median(taken[CHALLENGER] / taken[CHAMPION])), 4)
        found["memory_ratio"] = round(found[CHALLENGER]["rss_bytes"] / found[CHAMPION]["rss_bytes"], 4)
    return found


def in_process(new: Path, old: Path, texts: Sequence[str]) -> float:
    """The ratio of the median times of two exports' predictors here: the same texts, one at a time, in turn, one thread each."""
    pair = Predictor.load(new), Predictor.load(old)
    taken: tuple[list[float], list[float]] = ([], [])
    for is_counted, asked in ((False, texts[:8]), (True, texts)):
        for text in asked:
            for model, times in zip(pair, taken, strict=True):
                begun = time.perf_counter()
                model.predict([text])
                if is_counted:
                    times.append(time.perf_counter() - begun)
    return round(float(np.median(taken[0]) / np.median(taken[1])), 4)


def chosen_texts(texts: Sequence[str], params: JudgeParams) -> list[str]:
    """``params.latency_texts`` of ``texts``, by ``params.seed``."""
    return [texts[place] for place in np.random.default_rng(params.seed).integers(0, len(texts), params.latency_texts)]


class _Server:
    """One serving process that answers with one export."""

    def __init__(self, name: str, process: subprocess.Popen, log_file: Path):
        self.name, self._process, self._log = name, process, log_file
        self._begun = time.monotonic()
        self._connection: http.client.HTTPConnection | None = None
        self.loaded_seconds, self.loaded_rss = 0.0, 0

    def wait(self) -> None:
        """Until it has answered a text; `StackError` when it ends or takes too long, `Refusal` when it says that it won't."""
        while (port := self._port()) is None:
            if self._process.poll() is not None:
                raise StackError(f"serving ended with exit status {self._process.returncode} before it listened: {self._last_words()}")
            if time.monotonic() - self._begun > _READY_SECONDS:
                raise StackError(f"serving did not listen within {_READY_SECONDS} s: {self._last_words()}")
            time.sleep(0.05)
        # It listens before it answers: the first request waits until the model is loaded, or known not to load.
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_READY_SECONDS)
        status, answer = self._request("GET", "/readyz")
        if status != 200:
            raise Refusal(self.name, self._complaint() or str(answer.get("detail", f"serving answers {status}")))
        self.loaded_seconds = time.monotonic() - self._begun
        # What it needs to ask a registry is loaded when it has asked for the first time: before, it would be small, and busy.
        while _NO_REGISTRY not in str(answer.get("trouble")) and time.monotonic() - self._begun < self.loaded_seconds + _SETTLED_SECONDS:
            time.sleep(0.1)
            _, answer = self._request("GET", "/readyz")
        self.loaded_rss = self._rss()
        self._connection.close()  # serving would, while the next model loads; it is opened again by the next request

    def seconds(self, text: str) -> float:
        """How long an answer to ``text`` takes, as a client sees it."""
        body = json.dumps({"texts": [text]})
        begun = time.perf_counter()
        status, answer = self._request("POST", "/v1/predict", body)
        taken = time.perf_counter() - begun
        if status != 200:
            raise Refusal(self.name, f"serving answered a text with status {status} ({answer.get('title', 'no reason given')})")
        return taken

    def costs(self, seconds: np.ndarray) -> dict:
        """Time and memory of the process, ``seconds`` being those of its answers."""
        return {
            "p50_ms": round(float(np.percentile(seconds, 50)) * 1000, 3),
            "p95_ms": round(float(np.percentile(seconds, 95)) * 1000, 3),
            "rss_bytes": self._rss(),
            "loaded_rss_bytes": self.loaded_rss,
            "loaded_seconds": round(self.loaded_seconds, 2),
        }

    def stop(self) -> None:
        if self._connection:
            self._connection.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_TERM_SECONDS)
        self._process.kill()
        self._process.wait()

    def _request(self, method: str, path: str, body: str | None = None) -> tuple[int, dict]:
        try:
            try:
                return self._exchange(method, path, body)
            except ConnectionError:  # it was idle for long, and serving closed it
                self._connection.close()
                return self._exchange(method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StackError(f"serving does not answer ({type(error).__name__}): {self._last_words()}") from None

    def _exchange(self, method: str, path: str, body: str | None) -> tuple[int, dict]:
        self._connection.request(method, path, body, {"content-type": "application/json"})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def _port(self) -> int | None:
        with suppress(psutil.Error):
            for connection in psutil.Process(self._process.pid).net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return connection.laddr.port
        return None

    def _rss(self) -> int:
        try:
            return psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            raise StackError(f"serving ended while it was asked: {self._last_words()}") from None

    def _lines(self) -> list[str]:
        return [line[:300] for line in self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()]

    def _last_words(self) -> str:
        return (self._lines() or ["it said nothing"])[-1]

    def _complaint(self) -> str | None:
        """The first error in its log: what is wrong with the model, before it looked for another."""
        return next((line.partition(": ")[2] for line in self._lines() if line.startswith("ERROR ")), None)


@contextmanager
def _serving(name: str, export: Path, home: Path, topic: str, settings: Settings) -> Iterator[_Server]:
    """A serving process with ``export`` as its copy; ended on the way out."""
    root = _lay_copy(export, home, topic)
    with open(home / "serving.log", "ab") as output:
        process = subprocess.Popen(
            [_own_interpreter(settings) or sys.executable, "-m", "serving.main"],
            cwd=root,
            env=_environment(home, topic),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with_parent,
        )
    server = _Server(name, process, home / "serving.log")
    try:
        server.wait()
        log.info("trial: serving answers as %s after %.1f s", name, server.loaded_seconds)
        yield server
    finally:
        server.stop()


def _lay_copy(export: Path, home: Path, topic: str) -> Path:
    """Lay ``export`` where a serving process with this home begins; the folder that its code is found from. `StackError`: it is not here."""
    spec = find_spec("serving")
    if spec is None or not spec.origin:
        raise StackError("the package serving is not here: run from the project's folder")
    from serving.copies import Copies
    from serving.registry import Version

    copies, version = Copies(home / "serving" / topic), Version("1", "trial", "trial")
    copies.fetch(version, lambda version, beside: Path(shutil.copytree(export, beside / "export", copy_function=_linked)))
    copies.remember(version)
    return Path(spec.origin).parent.parent


def _linked(source: str, place: str) -> None:
    """A second name of the same file, or a copy where the two are on different disks."""
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)


def _own_interpreter(settings: Settings) -> str | None:
    """The Python of serving's own environment; None where there is none, `StackError` where a setting names one that is not there."""
    if settings.serving_interpreter.exists():
        return str(settings.serving_interpreter)
    if settings.serving_python:
        raise StackError(f"GROUNDSWELL_SERVING_PYTHON names {settings.serving_python}, which is not there")
    return None


def _environment(home: Path, topic: str) -> dict[str, str]:
    """Serving with defaults, but: alone, on one core, without cache, keys or registry. Whatever settings we have are not its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GROUNDSWELL_", "MLFLOW_"))}
    ours = {
        "home": str(home),
        "topic": topic,
        "mlflow_uri": _NO_REGISTRY,
        "serving_host": "127.0.0.1",
        "serving_port": "0",
        "serving_poll_seconds": "86400",
        "serving_shadow_share": "0",
        "serving_workers": "1",
        "serving_threads": "1",
        "serving_auth": "off",
        "serving_cache": "off",
        "serving_allowed_hosts": "127.0.0.1",
        "serving_webhook_url": "",
    }
    others = {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    return {**clean, **{f"GROUNDSWELL_{key.upper()}": value for key, value in ours.items()}, **others}


def _asked(servers: Mapping[str, _Server], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Seconds of every answer, in the same order for all: a text goes to all one after the other, each first in turn."""
    taken: dict[str, list[float]] = {name: [] for name in servers}
    names = list(servers)
    for text in [texts[place % len(texts)] for place in range(_WARMING)]:
        for name in names:
            servers[name].seconds(text)
    for round_ in range(ROUNDS):
        for place, text in enumerate(texts):
            for name in names if (round_ + place) % 2 else reversed(names):
                taken[name].append(servers[name].seconds(text))
    return {name: np.array(seconds) for name, seconds in taken.items()}


def _die_with_parent() -> None:
    """In the child, before it becomes serving: a judge that is killed outright leaves nobody behind."""
    pr_set_pdeathsig = 1
    _LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)
