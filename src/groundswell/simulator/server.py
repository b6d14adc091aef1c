"""The simulated platforms as a server on loopback, and what to set so that the connectors ask it instead of the live platforms."""

from __future__ import annotations

import socket
from collections.abc import Callable

from pydantic import ValidationError

from groundswell.errors import StackError, UsageError
from groundswell.simulator.content import PLATFORMS
from groundswell.simulator.settings import SimulatorSettings


def world(**said: object) -> SimulatorSettings:
    """The settings of the environment, with what was ``said`` (not None) in their place; `UsageError` for what can't be."""
    try:
        return SimulatorSettings(**{name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"the simulator's {place}: {first['msg'].lower()}, found {first['input']!r}") from None


def serve(settings: SimulatorSettings, say: Callable[[str], None] = lambda line: None) -> None:
    """Serve until told to stop; port 0 takes any that is free. `StackError` when the port is taken. ``say`` is told what to set."""
    import uvicorn

    from groundswell.simulator.app import make_app

    listening = _loopback(settings.port)
    say("\n".join(addresses(f"http://127.0.0.1:{listening.getsockname()[1]}")))
    uvicorn.Server(uvicorn.Config(make_app(settings), log_level="warning", access_log=False)).run(sockets=[listening])


def addresses(url: str) -> list[str]:
    """``export NAME=ADDRESS`` for every platform of the simulator at ``url`` that has an address among the settings."""
    from groundswell.config import Settings

    names = {**{f"{platform}_url": platform for platform in PLATFORMS}, "annotator_url": "annotations"}
    return [f"export GROUNDSWELL_{name.upper()}={url}/{path}" for name, path in names.items() if name in Settings.model_fields]


def _loopback(port: int) -> socket.socket:
    """A socket on 127.0.0.1, bound before anything else starts: a taken port is said at once."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        told = f"port {port} on 127.0.0.1 is taken ({error.strerror}): stop what listens there, or choose another (--port"
        raise StackError(f"{told}, GROUNDSWELL_SIMULATOR_PORT)") from None
    return bound
