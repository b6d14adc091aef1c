"""Images built and run without a Docker engine, as compose would run them: read-only, without capabilities, secrets in files."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parent.parent
SCRIPTS = PROJECT.parent / "shared" / "containers"
BASE = "docker.io/library/python:3.11-slim-bookworm"
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def run(*command, check: bool = True, seconds: float = 1800) -> subprocess.CompletedProcess:
    done = subprocess.run(list(map(str, command)), cwd=PROJECT, capture_output=True, text=True, check=False, timeout=seconds)
    assert done.returncode == 0 or not check, (
        f"{' '.join(map(str, command[:4]))} … ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-3000:]}"
    )
    return done


def built(dockerfile: str, image: str, *options: str) -> str:
    """``image``, built from ``dockerfile``; the test is skipped, loudly, where that can't be done."""
    missing = [tool for tool in ("buildah", "podman", "runc") if shutil.which(tool) is None]
    if missing or not SCRIPTS.is_dir():
        pytest.skip(f"{dockerfile} was NOT built: {', '.join(missing) or SCRIPTS} missing here")
    if run("podman", "image", "exists", BASE, check=False).returncode:
        pytest.skip(f"{dockerfile} was NOT built: no {BASE} here; make it with ../shared/containers/base-image")
    run(SCRIPTS / "build", dockerfile, image, ".", *options)
    return image


def environment_of(service: str, **changed: str) -> dict[str, str]:
    """What compose gives to ``service``, with defaults filled in, and what is other here."""
    said = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in COMPOSE["services"][service].get("environment", {}).items()}
    return {**said, **changed}


class Container:
    """A running container's name, and what is asked of it."""

    def __init__(self, name: str):
        self.name = name

    def run(self, *command: str) -> subprocess.CompletedProcess:
        return run("podman", "exec", self.name, *command, check=False)

    def python(self, code: str) -> subprocess.CompletedProcess:
        return self.run("python", "-c", code)

    def is_well(self, service: str, port: int) -> bool:
        """What compose's health check of ``service`` says, asked at another ``port``."""
        test = [re.sub(r":\d+/", f":{port}/", word) for word in COMPOSE["services"][service]["healthcheck"]["test"][1:]]
        return self.run(*test).returncode == 0

    def log(self) -> str:
        done = run("podman", "logs", self.name, check=False)
        return done.stdout + done.stderr

    def stopped(self) -> int:
        """Its exit status after SIGTERM."""
        with subprocess.Popen(["podman", "wait", self.name], stdout=subprocess.PIPE, text=True) as waiting:
            run("podman", "stop", "-t", "30", self.name)
            return int(waiting.communicate(timeout=60)[0])


@contextmanager
def running(image: str, name: str, environment: dict[str, str], *command: str, secrets: Path | None = None, options: tuple[str, ...] = ()):
    """`Container` of ``image`` in the background, hardened; removed at the end. ``secrets``: the folder that is /run/secrets in it."""
    words = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
    words += ["--volume", f"{secrets}:/run/secrets:ro"] if secrets else []
    run("podman", "rm", "-f", name, check=False)
    run(SCRIPTS / "run", image, *HARDENED, *words, *options, "-d", "--name", name, "--", *command)
    try:
        yield Container(name)
    finally:
        run("podman", "rm", "-f", "-t", "5", name, check=False)


def ended(image: str, environment: dict[str, str], *command: str, secrets: Path, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    """What ``command`` said in a container of ``image``, hardened, that runs to its end."""
    words = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
    return run(SCRIPTS / "run", image, *HARDENED, *words, "--volume", f"{secrets}:/run/secrets:ro", *options, "--", *command)
