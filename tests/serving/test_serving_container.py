"""The serving image, built and run as compose would: read-only, without privileges, and stopped by SIGTERM."""

from __future__ import annotations

import time

import httpx2
import pytest

from groundswell import keys
from groundswell.settings import Settings
from tests.containers import SCRIPTS, Container, built, environment_of, run, running
from tests.serving.servers import NAME, free_port, start_mlflow
from tests.serving.test_serving_process import register

LARGEST_BYTES = 450_000_000

pytestmark = [pytest.mark.slow, pytest.mark.container, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def image() -> str:
    return built("serving/Dockerfile", "groundswell-serving:test")


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


_LOOK = """
import importlib.util, shutil
paths = "/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin:/opt/serving/bin"
found = [tool for tool in ("sh", "bash", "apt", "dpkg", "perl", "pip", "pip3", "curl", "su", "mount") if shutil.which(tool, path=paths)]
found += [name for name in ("torch", "airflow", "pyarrow", "pandas", "pip", "multipart", "sqlalchemy") if importlib.util.find_spec(name)]
print(*found or ["nothing"])
"""


def test_the_image_is_small_and_has_nothing_to_install_or_look_around_with(image):
    assert int(run("podman", "image", "inspect", "--format", "{{.Size}}", image).stdout) <= LARGEST_BYTES
    listed = run(SCRIPTS / "run", image, "--", "python", "-c", _LOOK).stdout
    assert listed.split() == ["nothing"]


def test_the_image_serves_read_only_as_nobody_special_and_stops_with_nought(image, mlflow_server, tmp_path):
    port = free_port()
    secrets, known = tmp_path / "secrets", tmp_path / "keys" / "keys.json"
    secrets.mkdir()
    (secrets / "groundswell_serving_webhook_secret").write_text("told-to-nobody")
    _, key = keys.create(known, "test", texts_per_second=500, burst_texts=2000)
    for path in (known.parent, known):
        path.chmod(0o755)
    environment = environment_of(
        "serving-a",
        GROUNDSWELL_MLFLOW_URI=mlflow_server.url,
        GROUNDSWELL_SERVING_HOST="127.0.0.1",
        GROUNDSWELL_SERVING_PORT=str(port),
        GROUNDSWELL_SERVING_WEBHOOK_URL=f"http://127.0.0.1:{port}/hooks/mlflow",
    )
    mounted = ("--volume", f"{known.parent}:/keys:ro")
    with running(image, "groundswell-serving-test", environment, secrets=secrets, options=mounted) as container:
        url, texts = f"http://127.0.0.1:{port}", {"texts": ["great love fun", "awful broken crash"]}
        wait_ready(url, container)
        assert httpx2.post(f"{url}/v1/predict", json=texts).status_code == 401
        body = httpx2.post(f"{url}/v1/predict", json=texts, headers={"Authorization": f"Bearer {key}"}).json()
        assert [each["label"] for each in body["predictions"]] == ["positive", "negative"]
        assert body["version"] == "1"
        assert container.is_well("serving-a", port)
        assert container.python("import os; print(os.getuid(), os.getgid())").stdout.split() == ["10001", "10001"]
        assert "Read-only file system" in container.python("open('/app/x', 'w')").stderr
        secret = "from serving.config import ServingSettings as S; print(S().serving_webhook_secret.get_secret_value())"
        assert container.python(secret).stdout.strip() == "told-to-nobody"
        assert "told-to-nobody" not in container.log()
        assert container.stopped() == 0


def wait_ready(url: str, container: Container, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"not ready in {seconds} s:\n{container.log()[-3000:]}")
