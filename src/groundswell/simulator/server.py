"""The simulated platforms as a server on loopback, and what to set so that the connectors ask it instead of the live platforms."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from groundswell.errors import StackError, UsageError
from groundswell.simulator.content import PLATFORMS
from groundswell.simulator.settings import SimulatorSettings

ANY_WORD = "simulated"


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
    """``export NAME=VALUE`` for everything that the connectors must be told to ask the simulator at ``url``, and nobody else."""
    return [f"export GROUNDSWELL_{name.upper()}={value}" for name, value in settings_for(url).items()]


def settings_for(url: str) -> dict[str, str]:
    """The platforms' `Settings`, each named after its platform: the addresses are those of the simulator at ``url``, names and secrets any word.

    The simulated platforms take any; so the real ones stay away from whoever means to simulate.
    """
    from groundswell.settings import Settings

    theirs = {name: field for name, field in Settings.model_fields.items() if name.partition("_")[0] in PLATFORMS}
    urls = {name: f"{url}/{name.partition('_')[0]}{urlsplit(field.default).path}" for name, field in theirs.items() if name.endswith("_url")}
    words = {name: ANY_WORD for name, field in theirs.items() if field.annotation in (str, SecretStr) and name not in urls}
    return {**urls, "annotator_url": f"{url}/annotations", **words}


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
