"""The serving process: ``python -m serving.main`` from the project's folder, with ``GROUNDSWELL_TOPIC`` in the environment.

Answers itself, or, with ``GROUNDSWELL_SERVING_WORKERS`` of more than one, keeps so many workers that do. Ends with 0 after SIGTERM or
SIGINT, when the requests under way have their answers; 1 when its port is taken; 2 when a setting can't be used.
"""

from __future__ import annotations

import logging
import os
import socket
import sys

from groundswell.errors import GroundswellError, StackError
from serving.config import ServingSettings, load_serving_settings
from serving.registry import without_credentials

logger = logging.getLogger("serving")


def main() -> None:
    """Serve until told to stop."""
    log_to_stderr()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a request has one thread: a second pool of them would fight for the cores
    try:
        sys.exit(serve(load_serving_settings()))
    except GroundswellError as error:
        print(f"serving: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def serve(settings: ServingSettings) -> int:
    """Bind, say where, and serve until SIGTERM or SIGINT; the exit status."""
    listening = bind(settings.serving_host, settings.serving_port)
    host, port = listening.getsockname()[:2]
    workers = f"{settings.serving_workers} workers of {settings.threads} threads" if settings.serving_workers > 1 else f"{settings.threads} threads"
    logger.info("%s on http://%s:%d, %s, registry %s", settings.model_name, host, port, workers, without_credentials(settings.mlflow_uri))
    if settings.serving_workers > 1:
        from serving.supervisor import supervise

        return supervise(settings, listening)
    from serving.worker import answer

    answer(settings, listening)
    return 0


def log_to_stderr() -> None:
    logging.basicConfig(level=os.environ.get("GROUNDSWELL_LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


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


if __name__ == "__main__":
    main()
