"""Real processes for tests: an MLflow server with a registry, and serving in its own environment."""

from __future__ import annotations

import contextlib
import os
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

    def wait(self, seconds: float = 60) -> Server:
        """Until it answers; fails with its log when it does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx2.get(self.url + self._health, timeout=2).status_code == 200:
                    return self
            except httpx2.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"{self.url} did not come up (exit status {self.process.poll()}):\n{self.log.read_text()[-3000:]}")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Its exit status; whatever it started is killed after it."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def start_mlflow(folder: Path, port: int | None = None) -> Server:
    port = port or free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts"]
    environment = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https,http",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",  # a minute by default: a webhook made after the first alias would be heard of too late
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "RkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkY=",
    }
    return Server(command, environment, folder / "mlflow.log", port, "/health")


def start_serving(folder: Path, mlflow_url: str, port: int | None = None, **settings: str) -> Server:
    port = port or free_port()
    environment = {
        "GROUNDSWELL_HOME": str(folder / "var"),
        "GROUNDSWELL_TOPIC": "games",
        "GROUNDSWELL_MLFLOW_URI": mlflow_url,
        "GROUNDSWELL_SERVING_PORT": str(port),
        "GROUNDSWELL_SERVING_THREADS": "2",
        "OMP_NUM_THREADS": "1",
    }
    environment |= {f"GROUNDSWELL_{name.upper()}": value for name, value in settings.items()}
    return Server([str(SERVING_PYTHON), "-m", "serving.main"], environment, folder / "serving.log", port, "/healthz")
