"""Real processes for tests: an MLflow server with a registry, and serving in its own environment."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2

PROJECT = Path(__file__).parent.parent.parent
SERVING_PYTHON = PROJECT / ".venv-serving" / "bin" / "python"
NAME = "groundswell-sentiment-games"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Server:
    """A process in a session of its own, with its log in a file; `stop` ends the whole session."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, port: int, health: str):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("GROUNDSWELL_", "MLFLOW_"))}
        self.port, self.url, self.log, self._health = port, f"http://127.0.0.1:{port}", log, health
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, env=clean | environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def wait(self, seconds: float = 60, path: str = "") -> Server:
        """Until ``path`` answers, its health where none is given; stopped, and told on with its log, when it does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx2.get(self.url + (path or self._health), timeout=2).status_code == 200:
                    return self
            except httpx2.TransportError:
                pass
            time.sleep(0.1)
        status = self.process.poll()
        self.stop(signal.SIGKILL)
        raise AssertionError(f"{self.url} did not come up (exit status {status}):\n{self.log.read_text()[-3000:]}")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Its exit status; whatever it started is killed after it."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def start_mlflow(folder: Path, port: int | None = None, hosts: tuple[str, ...] = (), artifacts: str = "", **settings: str) -> Server:
    """``hosts``: what it may be called besides its own address; ``artifacts``: where it keeps them, else in ``folder``."""
    port = port or free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination",
        artifacts or str(folder / "artifacts"),
        "--serve-artifacts",
    ]
    environment = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join([f"127.0.0.1:{port}", *hosts]),
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https,http",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",  # a minute by default: a webhook made after the first alias would be heard of too late
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "RkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkY=",
    }
    return Server(command, environment | settings, folder / "mlflow.log", port, "/health")


def start_serving(folder: Path, mlflow_url: str, port: int | None = None, **settings: str) -> Server:
    port = port or free_port()
    environment = {
        "GROUNDSWELL_HOME": str(folder / "var"),
        "GROUNDSWELL_TOPIC": "games",
        "GROUNDSWELL_MLFLOW_URI": mlflow_url,
        "GROUNDSWELL_SERVING_PORT": str(port),
        "GROUNDSWELL_SERVING_THREADS": "2",
        "GROUNDSWELL_SERVING_AUTH": "off",
        "GROUNDSWELL_SERVING_CACHE": "off",  # a test that asks the same twice wants it computed twice
        "OMP_NUM_THREADS": "1",
    }
    environment |= {f"GROUNDSWELL_{name.upper()}": value for name, value in settings.items()}
    return Server([str(SERVING_PYTHON), "-m", "serving.main"], environment, folder / "serving.log", port, "/healthz")


def start_alone(folder: Path, export: Path, **settings: str) -> Server:
    """Serving with ``export`` as its local copy of version 1, and a registry that is gone: it answers at once, and for ever with that."""
    from serving.copies import Copies
    from serving.registry import Version

    copies = Copies(folder / "var" / "serving" / "games")
    version = Version("1", "run-1", "models:/m-1")
    copies.fetch(version, lambda version, beside: Path(shutil.copytree(export, beside / "artifacts" / "export")))
    copies.remember(version)
    return start_serving(folder, "http://127.0.0.1:9", **settings)
