"""The serving image, built and run as compose would: read-only, without privileges, and stopped by SIGTERM."""

from __future__ import annotations

import shutil
import subprocess
import time

import httpx2
import pytest

from groundswell.config import Settings
from tests.serving.servers import NAME, PROJECT, free_port, start_mlflow
from tests.serving.test_serving_process import register

SCRIPTS = PROJECT.parent / "shared" / "containers"
BASE = "docker.io/library/python:3.11-slim-bookworm"
IMAGE, CONTAINER = "groundswell-serving:test", "groundswell-serving-test"

pytestmark = [pytest.mark.slow, pytest.mark.container]


def run(*command, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], cwd=PROJECT, capture_output=True, text=True, check=check)


@pytest.fixture(scope="module")
def image() -> str:
    missing = [tool for tool in ("buildah", "podman", "runc") if shutil.which(tool) is None]
    if missing or not SCRIPTS.is_dir():
        pytest.skip(f"the serving image was NOT built: {', '.join(missing) or SCRIPTS} missing here")
    if run("podman", "image", "exists", BASE, check=False).returncode:
        pytest.skip(f"the serving image was NOT built: no {BASE} here; make it with ../shared/containers/base-image")
    built = run(SCRIPTS / "build", "serving/Dockerfile", IMAGE, ".", check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    return IMAGE


@pytest.fixture
def mlflow_server(tmp_path, exports, image):
    server = start_mlflow(tmp_path)
    try:
        settings = Settings(project=tmp_path, mlflow_uri=server.wait().url)
        version = register(settings, exports["1"])
        from groundswell import tracking

        tracking.client(settings).set_registered_model_alias(NAME, "champion", version)
        yield server
    finally:
        server.stop()


def test_the_image_serves_read_only_as_nobody_special_and_stops_with_nought(image, mlflow_server):
    port = free_port()
    settings = {"TOPIC": "games", "MLFLOW_URI": mlflow_server.url, "SERVING_HOST": "127.0.0.1", "SERVING_PORT": port}
    environment = [part for name, value in settings.items() for part in ("--env", f"GROUNDSWELL_{name}={value}")]
    hardened = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "-d", "--name", CONTAINER]
    run("podman", "rm", "-f", CONTAINER, check=False)
    run(SCRIPTS / "run", image, *hardened, *environment, "--")
    try:
        wait_ready(f"http://127.0.0.1:{port}")
        body = httpx2.post(f"http://127.0.0.1:{port}/v1/predict", json={"texts": ["great love fun", "awful broken crash"]}).json()
        assert [each["label"] for each in body["predictions"]] == ["positive", "negative"]
        assert body["version"] == "1"
        assert run("podman", "exec", CONTAINER, "id", "-u").stdout.strip() == "10001"
        assert run("podman", "exec", CONTAINER, "python", "-c", "open('/app/x', 'w')", check=False).returncode == 1
        here = "import importlib.util as u; print([name for name in ('torch', 'airflow', 'pyarrow', 'pip') if u.find_spec(name)])"
        assert run("podman", "exec", CONTAINER, "python", "-c", here).stdout.strip() == "[]"
        waiting = subprocess.Popen(["podman", "wait", CONTAINER], stdout=subprocess.PIPE, text=True)
        run("podman", "stop", "-t", "30", CONTAINER)
        assert waiting.communicate(timeout=40)[0].strip() == "0"
    finally:
        run("podman", "rm", "-f", CONTAINER, check=False)


def wait_ready(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"not ready in {seconds} s:\n{run('podman', 'logs', CONTAINER, check=False).stderr[-3000:]}")
