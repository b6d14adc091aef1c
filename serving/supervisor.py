"""Several worker processes behind one listening socket: started, replaced when they die or hang, drained together.

The supervisor binds, never accepts, and imports nothing heavy. Every worker inherits the one listening socket, so a connection that no
worker has taken yet outlives each of them; with a socket a worker (SO_REUSEPORT) those that wait for the dead one would die with it.
A channel a worker carries a beat from its event loop; without one for long enough the worker is killed and replaced. The channel's end
is how a worker learns that the supervisor is gone, whatever killed it: it then drains and ends by itself.

uvicorn has a supervisor of its own (``uvicorn.supervisors.Multiprocess``); it is not used: its beat comes from a thread, which
answers while the event loop hangs, it restarts without any pause a worker that dies at once, and its workers outlive its SIGKILL.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

from serving.config import ServingSettings

BEAT_SECONDS = 1
START_SECONDS = 120
"""How long a worker may take to its first beat: it verifies and loads a model before."""
_TICK_SECONDS = 0.1
_SETTLED_SECONDS = 10
"""A worker that lived so long is replaced at once when it dies; one that did not, after a pause that doubles."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30

logger = logging.getLogger("serving")


@dataclass
class Worker:
    """One place for a worker process: who fills it now, since when, and how many in a row died young."""

    number: int
    process: subprocess.Popen | None = None
    channel: socket.socket | None = None
    started: float = 0
    last_beat: float | None = None
    young_deaths: int = 0
    not_before: float = field(default=0)


def supervise(settings: ServingSettings, listening: socket.socket) -> int:
    """Keep ``settings.serving_workers`` workers on ``listening`` until SIGTERM or SIGINT; the exit status: 0 when all drained."""
    told = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: told.append(number))
    with tempfile.TemporaryDirectory(prefix="groundswell-") as box:
        supervisor = Supervisor(settings, listening, box)
        while not told:
            supervisor.tick()
        return supervisor.stop()


class Supervisor:
    """The workers and what is known of them; ``tick`` is called for ever, ``stop`` once. Clocks are monotonic: a jump of the wall's is no news."""

    def __init__(self, settings: ServingSettings, listening: socket.socket, box: str):
        self._settings, self._listening, self._box = settings, listening, box
        self._selector = selectors.DefaultSelector()
        self._workers = [Worker(number) for number in range(settings.serving_workers)]

    def tick(self) -> None:
        """Hear beats for a moment, replace who is gone, kill who hangs."""
        for key, _ in self._selector.select(_TICK_SECONDS):
            self._hear(key.data)
        now = time.monotonic()
        for worker in self._workers:
            if worker.process is None:
                if now >= worker.not_before:
                    self._start(worker, now)
            elif worker.process.poll() is not None:
                self._bury(worker, now)
            elif self._hangs(worker, now):
                logger.error("worker %d (process %d) hangs: killed", worker.number, worker.process.pid)
                worker.process.kill()

    def stop(self) -> int:
        """Let nobody new in, have every worker drain, and wait for it; 1 when one had to be killed or failed."""
        self._listening.close()
        running = [worker.process for worker in self._workers if worker.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline, statuses = time.monotonic() + self._settings.serving_drain_seconds + 10, []
        for process in running:
            try:
                statuses.append(process.wait(max(0, deadline - time.monotonic())))
            except subprocess.TimeoutExpired:
                process.kill()
                statuses.append(process.wait())
        return int(any(statuses))

    def _start(self, worker: Worker, now: float) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            handed = (self._listening.fileno(), theirs.fileno())
            command = [sys.executable, "-m", "serving.worker", "--listening", str(handed[0]), "--channel", str(handed[1])]
            command += ["--number", str(worker.number), "--box", self._box]
            worker.process = subprocess.Popen(command, pass_fds=handed, env=os.environ)
        ours.setblocking(False)
        worker.channel, worker.started, worker.last_beat = ours, now, None
        self._selector.register(ours, selectors.EVENT_READ, worker)
        logger.info("worker %d is process %d", worker.number, worker.process.pid)

    def _bury(self, worker: Worker, now: float) -> None:
        status, lived = worker.process.returncode, now - worker.started
        self._selector.unregister(worker.channel)
        worker.channel.close()
        worker.young_deaths = 0 if lived > _SETTLED_SECONDS else worker.young_deaths + 1
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (worker.young_deaths - 1), _LONGEST_PAUSE_SECONDS) if worker.young_deaths else 0
        worker.process, worker.channel, worker.not_before = None, None, now + pause
        logger.error("worker %d ended with status %d after %.0f s; the next one starts in %.1f s", worker.number, status, lived, pause)

    def _hear(self, worker: Worker) -> None:
        with contextlib.suppress(OSError):
            if worker.channel.recv(1024):
                worker.last_beat = time.monotonic()

    def _hangs(self, worker: Worker, now: float) -> bool:
        if worker.last_beat is None:
            return now - worker.started > START_SECONDS
        return now - worker.last_beat > self._settings.serving_hung_seconds
