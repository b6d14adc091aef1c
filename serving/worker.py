"""The process that answers: an application on a listening socket, alone or as one of a supervisor's workers.

``python -m serving.worker`` is what `serving.supervisor` starts; people start `serving.main`. A worker takes no connection before it has a
model to answer with, or knows that there is none. Ends with 0 after SIGTERM, SIGINT or its supervisor's end, when the requests under
way have their answers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import uvicorn

from groundswell.errors import GroundswellError, RegistryError
from serving import connections
from serving.app import create_app
from serving.config import ServingSettings, load_serving_settings
from serving.main import log_to_stderr, logger
from serving.registry import MlflowRegistry
from serving.siblings import Siblings
from serving.supervisor import BEAT_SECONDS

_BACKLOG = 2048


class Server(uvicorn.Server):
    """uvicorn's server, with a beat for the supervisor while its event loop turns, and the whole backlog after start."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket | None):
        super().__init__(config)
        self._channel = channel

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _spare_the_collector()
        for listening in sockets or ():
            listening.listen(_BACKLOG)  # see `answer`
        if self._channel is not None:
            self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            with contextlib.suppress(OSError):  # full, when the supervisor is stopped; broken, when it is gone
                self._channel.send(b".", socket.MSG_DONTWAIT)
            await asyncio.sleep(BEAT_SECONDS)


def answer(settings: ServingSettings, listening: socket.socket, *, siblings: Siblings | None = None, channel: socket.socket | None = None) -> None:
    """Serve on ``listening`` until told to stop."""
    registry = MlflowRegistry(settings.mlflow_uri, settings.model_name)
    app = create_app(settings, registry, siblings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        **connections.options(settings),
        timeout_graceful_shutdown=settings.serving_drain_seconds,
        # One connection a turn of the event loop, so that the less busy of two workers takes the next: with more, whoever wakes first takes all.
        backlog=1 if siblings else _BACKLOG,
    )
    # uvicorn raises the signal again when it is done, which would end a clean stop with a signal's status instead of 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    if siblings is None or siblings.number == 0:
        _register_webhook(settings, registry)
    Server(config, channel).run(sockets=[listening])


def _spare_the_collector() -> None:
    """What is here now stays: looking through it for garbage took a tenth of the event loop's time, and at times a tenth of a second at once."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def _register_webhook(settings: ServingSettings, registry: MlflowRegistry) -> None:
    """Best effort: without it the poll finds the same, a little later."""
    secret = settings.serving_webhook_secret.get_secret_value()
    if not settings.serving_webhook_url or not secret:
        return
    try:
        registry.ensure_webhook(settings.serving_webhook_url, secret)
    except RegistryError as error:
        logger.warning("%s; polling every %s seconds all the same", error, settings.serving_poll_seconds)


def _follow(channel: socket.socket, drain_seconds: int) -> None:
    """End with the supervisor: it never writes, so this read returns when it is gone. A thread, because the event loop may hang."""
    with contextlib.suppress(OSError):
        channel.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(drain_seconds + 10)
    os._exit(1)


def main() -> None:
    """What the supervisor calls."""
    parser = argparse.ArgumentParser(prog="python -m serving.worker", description="One worker of serving.main: start that instead.")
    for name in ("--listening", "--channel", "--number"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--box", type=Path, required=True)
    given = parser.parse_args()
    log_to_stderr()
    try:
        settings = load_serving_settings()
    except GroundswellError as error:
        print(f"serving: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    channel = socket.socket(fileno=given.channel)
    threading.Thread(target=_follow, args=(channel, settings.serving_drain_seconds), name="supervisor", daemon=True).start()
    siblings = Siblings(given.box, given.number, settings.serving_workers)
    answer(settings, socket.socket(fileno=given.listening), siblings=siblings, channel=channel)


if __name__ == "__main__":
    main()
