"""The real serving process in its own environment, a real MLflow server, and what happens between them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time

import httpx2
import numpy as np
import pytest

from groundswell.predictor import Predictor
from groundswell.settings import Settings
from serving.messages import LABELS
from tests.serving.servers import NAME, PROJECT, SERVING_PYTHON, free_port, start_mlflow, start_serving
from tests.tiny import tiny_rows

pytestmark = pytest.mark.slow

TEXTS, _ = tiny_rows(16, seed=7)


def register(settings: Settings, export) -> str:
    """A model version as train registers it, by train's own code: a pyfunc with the export in it; returns its number."""
    from groundswell import registry, tracking
    from groundswell.packaging import log_model

    with tracking.run(settings, "games", "test", {}) as run_id:
        source = log_model(settings, run_id, export, metrics={})
    return registry.register(settings, "games", source=source, run_id=run_id, tags={}).version


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory):
    assert SERVING_PYTHON.exists(), "serving's environment is not there: make install"
    server = start_mlflow(tmp_path_factory.mktemp("mlflow"))
    yield server.wait()
    server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def client(mlflow_server, exports, tmp_path_factory):
    """A registry client, with versions 1 and 2 good and version 3 broken after it was logged."""
    import mlflow

    from groundswell import tracking

    settings = Settings(project=tmp_path_factory.mktemp("pipeline"), mlflow_uri=mlflow_server.url)
    assert [register(settings, exports[number]) for number in ("1", "2", "2")] == ["1", "2", "3"]
    client = tracking.client(settings)
    model_id = client.get_model_version(NAME, "3").source.removeprefix("models:/")
    (stored,) = mlflow_server.log.parent.glob(f"artifacts/**/{model_id}/artifacts/artifacts/export/model.int8.onnx")
    stored.write_bytes(stored.read_bytes()[:1000])
    yield client
    mlflow.set_tracking_uri(None)


def ask(url: str, texts=TEXTS) -> dict:
    answer = httpx2.post(f"{url}/v1/predict", json={"texts": texts}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def numbers(body: dict) -> np.ndarray:
    return np.array([[each["probabilities"][label] for label in LABELS] for each in body["predictions"]], dtype=np.float32)


def seconds_until(is_so, limit: float = 60) -> float:
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < limit, "did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - started


def state(url: str) -> tuple[int, dict]:
    answer = httpx2.get(f"{url}/readyz", timeout=10)
    return answer.status_code, answer.json()


class Hammer:
    """Clients that ask without a pause; every answer is checked against the offline predictor of the version it names."""

    def __init__(self, url: str, offline: dict[str, np.ndarray], count: int = 4):
        self.url, self.offline, self.is_over = url, offline, threading.Event()
        self.versions: list[str] = []
        self.faults: list[str] = []
        self.threads = [threading.Thread(target=self._run) for _ in range(count)]

    def _run(self) -> None:
        with httpx2.Client(timeout=10) as client:
            while not self.is_over.is_set():
                try:
                    answer = client.post(f"{self.url}/v1/predict", json={"texts": TEXTS})
                    body = answer.json()
                    is_right = answer.status_code == 200 and np.array_equal(numbers(body), self.offline[body["version"]])
                    self.versions.append(body.get("version", ""))
                except httpx2.TransportError as error:
                    is_right, answer = False, repr(error)
                if not is_right:
                    self.faults.append(str(getattr(answer, "text", answer))[:300])

    def __enter__(self) -> Hammer:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def test_a_life_of_a_serving_process(client, mlflow_server, exports, tmp_path):
    """One story, because every start costs seconds: no champion, first, swap under load, broken, registry gone, restart."""
    offline = {number: Predictor.load(folder).predict(TEXTS) for number, folder in exports.items()}
    serving = start_serving(tmp_path, mlflow_server.url, serving_poll_seconds="0.3", serving_retry_seconds="3600", serving_shadow_share="0").wait()
    try:
        seconds_until(lambda: "alias champion" in state(serving.url)[1].get("detail", ""))
        client.set_registered_model_alias(NAME, "champion", "1")
        seconds_until(lambda: state(serving.url)[0] == 200)
        assert np.array_equal(numbers(ask(serving.url)), offline["1"])

        with Hammer(serving.url, offline) as hammer:
            for number in ("2", "1", "2"):
                client.set_registered_model_alias(NAME, "champion", number)
                seconds_until(lambda number=number: state(serving.url)[1]["version"] == number)
                time.sleep(0.2)
            client.set_registered_model_alias(NAME, "champion", "3")
            seconds_until(lambda: "version 3 is refused" in (state(serving.url)[1]["trouble"] or ""))
            assert state(serving.url)[1]["version"] == "2"
            os.killpg(mlflow_server.process.pid, signal.SIGSTOP)  # a registry that hangs holds up nobody
            time.sleep(0.5)
            os.killpg(mlflow_server.process.pid, signal.SIGCONT)
        assert not hammer.faults, hammer.faults[:3]
        assert len(hammer.versions) > 100
        assert set(hammer.versions) == {"1", "2"}
        assert serving.log.read_text().count("version 3 is refused") == 1
    finally:
        status = serving.stop()
    assert status == 0, serving.log.read_text()[-2000:]
    for text in TEXTS:
        assert text not in serving.log.read_text()

    nowhere = "http://127.0.0.1:9"  # the same folder, and a registry that is gone
    again = start_serving(tmp_path, nowhere, serving_poll_seconds="0.3").wait()
    try:
        seconds_until(lambda: state(again.url)[0] == 200)
        assert np.array_equal(numbers(ask(again.url)), offline["2"])
        seconds_until(lambda: "can't be had from the MLflow registry" in (state(again.url)[1]["trouble"] or ""))
        assert ask(again.url)["version"] == "2"
    finally:
        assert again.stop() == 0


def test_a_webhook_makes_it_faster_than_the_poll_could(client, mlflow_server, tmp_path):
    client.set_registered_model_alias(NAME, "champion", "1")
    port = free_port()
    hook = {"serving_webhook_secret": "told-to-nobody-else", "serving_webhook_url": f"http://127.0.0.1:{port}/hooks/mlflow"}
    serving = start_serving(tmp_path, mlflow_server.url, port, serving_poll_seconds="3600", **hook).wait()
    try:
        seconds_until(lambda: state(serving.url)[0] == 200)
        time.sleep(1.5)  # MLflow may hold the list of webhooks from before this one: its cache lives for a second here
        client.set_registered_model_alias(NAME, "champion", "2")
        assert seconds_until(lambda: state(serving.url)[1]["version"] == "2") < 10
        assert 'hooks_total{outcome="heard"} 1.0' in httpx2.get(f"{serving.url}/metrics").text
    finally:
        assert serving.stop() == 0


def test_a_stop_waits_for_requests_under_way(client, mlflow_server, tmp_path):
    """A request whose body is half sent when SIGTERM comes gets its answer; nobody new is let in."""
    client.set_registered_model_alias(NAME, "champion", "1")
    serving = start_serving(tmp_path, mlflow_server.url).wait()
    seconds_until(lambda: state(serving.url)[0] == 200)
    body = json.dumps({"texts": TEXTS}).encode()
    head = f"POST /v1/predict HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", serving.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100"), "it is being read"
        connection.sendall(body[:10])
        serving.process.send_signal(signal.SIGTERM)
        seconds_until(lambda: is_closed(serving.port))
        connection.sendall(body[10:])
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["version"] == "1"
    assert serving.stop() == 0


def is_closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_admit_loads_and_queries_a_version_as_serving_does(client, mlflow_server, tmp_path, exports):
    environment = {"GROUNDSWELL_HOME": str(tmp_path), "GROUNDSWELL_TOPIC": "games", "GROUNDSWELL_MLFLOW_URI": mlflow_server.url, "PATH": ""}

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([SERVING_PYTHON, "-m", "serving.admit", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True)

    good = run("--version", "1")
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["version"] == "1"
    assert (tmp_path / "serving" / "games" / "1" / "export" / "model.int8.onnx").is_file()
    broken = run("--version", "3")
    assert broken.returncode == 1
    assert "damaged or changed" in broken.stderr
    assert run("--version", "99").returncode == 1
    assert run("--folder", str(exports["2"])).returncode == 0
    assert run().returncode == 2
