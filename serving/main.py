"""The serving process: ``python -m serving.main`` from the project's folder, with ``GROUNDSWELL_TOPIC`` in the environment.

Ends with 0 after SIGTERM or SIGINT, when the requests under way have their answers; 1 when its port is taken; 2 when a setting can't
be used.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys

from groundswell.errors import GroundswellError, RegistryError, StackError
from serving.config import ServingSettings, load_serving_settings

logger = logging.getLogger("serving")


def main() -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=os.environ.get("GROUNDSWELL_LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a request has one thread: a second pool of them would fight for the cores
    try:
        serve(load_serving_settings())
    except GroundswellError as error:
        print(f"serving: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def serve(settings: ServingSettings) -> None:
    """Bind, say where, and serve until SIGTERM or SIGINT."""
    import uvicorn

    from serving.app import create_app
    from serving.registry import MlflowRegistry

    listening = bind(settings.serving_host, settings.serving_port)
    registry = MlflowRegistry(settings.mlflow_uri, settings.model_name)
    app = create_app(settings, registry)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=settings.serving_drain_seconds)
    # uvicorn raises the signal again when it is done, which would end a clean stop with a signal's status instead of 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _register_webhook(settings, registry)
    host, port = listening.getsockname()[:2]
    logger.info("%s on http://%s:%d, %d threads, registry %s", settings.model_name, host, port, settings.threads, registry.shown_uri)
    uvicorn.Server(config).run(sockets=[listening])


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; `StackError` naming the setting when the port is taken."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise StackError(f"can't listen on {host}:{port} ({error.strerror}): stop what uses it or set GROUNDSWELL_SERVING_PORT to another") from None
    return listening


def _register_webhook(settings: ServingSettings, registry) -> None:
    """Best effort: without it the poll finds the same, a little later."""
    secret = settings.serving_webhook_secret.get_secret_value()
    if not settings.serving_webhook_url or not secret:
        return
    try:
        registry.ensure_webhook(settings.serving_webhook_url, secret)
    except RegistryError as error:
        logger.warning("%s; polling every %s seconds all the same", error, settings.serving_poll_seconds)


if __name__ == "__main__":
    main()
