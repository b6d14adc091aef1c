"""A copy of the project in a folder of its own, on ports of its own, with the commands that a person types there. For tests and benchmarks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from groundswell import stack
from groundswell.airflow_api import Airflow
from groundswell.params import load_params
from groundswell.settings import Settings

PROJECT = Path(__file__).parent.parent.parent


class Project:
    """A copy of the project's files in a folder of its own, with ports of its own, and the commands that a person types there."""

    def __init__(self, folder: Path):
        self.folder = folder
        copy_project(folder)
        ports = free_ports(4)
        self.environment = {
            "GROUNDSWELL_PROJECT": str(folder),
            "GROUNDSWELL_AIRFLOW_PORT": str(ports[0]),
            "GROUNDSWELL_MLFLOW_PORT": str(ports[1]),
            "GROUNDSWELL_SERVING_PORT": str(ports[2]),
            "GROUNDSWELL_SIMULATOR_PORT": str(ports[3]),
            "GROUNDSWELL_SERVING_PYTHON": str(PROJECT / ".venv-serving" / "bin" / "python"),
        }
        plain = Settings(
            project=folder,
            airflow_port=ports[0],
            mlflow_port=ports[1],
            serving_port=ports[2],
            simulator_port=ports[3],
        )
        self.settings = stack.settings_of_the_stack(plain)
        self.params = load_params(self.settings)

    def command(self, *words: str, seconds: float = 900, **environment: str) -> subprocess.CompletedProcess:
        """`groundswell …` as a person would type it here."""
        return subprocess.run(
            [sys.executable, "-m", "groundswell.cli", *words],
            cwd=self.folder,
            env={**os.environ, **self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def tool(self, *words: str) -> subprocess.CompletedProcess:
        """`airflow …` or `dvc …` as a person would type it in `make shell` here."""
        return subprocess.run(
            [sys.executable, "-m", *words], cwd=self.folder, env=self.stack_environment(), capture_output=True, text=True, check=False
        )

    def airflow(self) -> Airflow:
        return Airflow(self.settings.airflow_url, *stack.admin_password(self.settings))

    def stack_environment(self) -> dict[str, str]:
        """The environment in which the stack's own processes run: for `airflow …` and `dvc …` on the command line."""
        return {**os.environ, **self.environment, **stack.environment(self.settings, self.params.topic)}


def copy_project(folder: Path) -> None:
    """The files that git knows or would know, in a new repository at ``folder``."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=PROJECT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, folder / name)
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-qm", "A copy of the project"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
