"""The proxy's file in real HAProxy: before two real serving processes, one of which is killed, and before servers that hang up."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import threading
import time

import httpx2
import pytest

from groundswell.settings import Settings
from tests.serving.servers import NAME, PROJECT, Server, free_port, start_mlflow, start_serving
from tests.serving.test_serving_process import register
from tests.waiting import eventually

pytestmark = pytest.mark.slow
HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
TEXTS = {"texts": ["great love fun", "awful broken crash"]}


def start_proxy(folder, a: int, b: int) -> Server:
    if HAPROXY is None:
        pytest.skip("NOTHING WENT THROUGH THE PROXY: HAProxy is not installed (Debian: apt-get install haproxy)")
    port = free_port()
    environment = {"PROXY_BIND": f"127.0.0.1:{port}", "SERVING_A": f"127.0.0.1:{a}", "SERVING_B": f"127.0.0.1:{b}"}
    config = str(PROJECT / "deploy" / "proxy" / "haproxy.cfg")
    return Server([HAPROXY, "-W", "-db", "-f", config], environment, folder / "haproxy.log", port, "/proxyz")


class TestBeforeServing:
    @pytest.fixture(scope="class")
    def pair(self, tmp_path_factory, exports):
        """Two serving processes with a champion, and the proxy before them."""
        from groundswell import tracking

        folder = tmp_path_factory.mktemp("proxy")
        running = [start_mlflow(folder)]
        try:
            settings = Settings(project=folder, mlflow_uri=running[0].wait().url)
            tracking.client(settings).set_registered_model_alias(NAME, "champion", register(settings, exports["1"]))
            for name in ("a", "b"):
                (folder / name).mkdir()
                running.append(start_serving(folder / name, running[0].url))
            a, b = (server.wait() for server in running[1:])
            running.append(start_proxy(folder, a.port, b.port))
            proxy = running[-1].wait()
            for server in (a, b, proxy):
                eventually(lambda server=server: httpx2.get(f"{server.url}/readyz").status_code == 200)
            yield a, b, proxy
        finally:
            for server in reversed(running):
                server.stop(signal.SIGKILL)

    def test_it_answers_as_serving_does(self, pair):
        _, _, proxy = pair
        answer = httpx2.post(f"{proxy.url}/v1/predict", json=TEXTS)
        assert [each["label"] for each in answer.json()["predictions"]] == ["positive", "negative"]

    def test_a_body_that_is_too_large_is_a_problem(self, pair):
        _, _, proxy = pair
        answer = httpx2.post(f"{proxy.url}/v1/predict", content=b"x" * 262_145)
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        assert "262144" in answer.json()["detail"]

    def test_metrics_are_each_processs_own(self, pair):
        a, _, proxy = pair
        assert httpx2.get(f"{proxy.url}/metrics").status_code == 404
        assert httpx2.get(f"{a.url}/metrics").status_code == 200

    def test_a_killed_process_costs_no_answer(self, pair):
        """Last: afterwards one of the pair is gone."""
        a, _, proxy = pair
        statuses, is_over = [], threading.Event()

        def ask():
            with httpx2.Client(timeout=30) as client:
                while not is_over.is_set():
                    try:
                        statuses.append(client.post(f"{proxy.url}/v1/predict", json=TEXTS).status_code)
                    except httpx2.TransportError as error:
                        statuses.append(type(error).__name__)

        clients = [threading.Thread(target=ask) for _ in range(8)]
        for client in clients:
            client.start()
        try:
            eventually(lambda: len(statuses) > 100)
            a.process.send_signal(signal.SIGSTOP)  # what it gets from now on is under way when it is killed
            time.sleep(0.5)
            a.process.kill()
            before = len(statuses)
            eventually(lambda: len(statuses) > before + 200)
        finally:
            is_over.set()
            for client in clients:
                client.join()
        assert set(statuses) == {200}


class HangsUp:
    """A server that says it is ready and hangs up on everything else; remembers what it was asked."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.asked: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(65_536).decode("latin-1")
                if request.startswith("GET /readyz "):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                else:
                    self.asked.append(request)


class TestBeforeServersThatHangUp:
    @pytest.fixture
    def pair(self, tmp_path):
        servers = [HangsUp(), HangsUp()]
        proxy = start_proxy(tmp_path, *(server.port for server in servers))
        try:
            yield *servers, proxy.wait()
        finally:
            proxy.stop(signal.SIGKILL)
            for server in servers:
                server.listening.close()

    def test_a_prediction_is_asked_again_and_then_given_up_as_a_problem(self, pair):
        a, b, proxy = pair
        answer = httpx2.post(f"{proxy.url}/v1/predict", json=TEXTS, headers={"X-Request-ID": "mine-1"}, timeout=30)
        assert answer.status_code == 502
        assert answer.json()["type"] == "urn:groundswell:problem:http-502"
        assert min(len(a.asked), len(b.asked)) >= 1
        assert all("x-request-id: mine-1" in request.lower() for request in a.asked + b.asked)

    def test_feedback_is_never_said_twice(self, pair):
        a, b, proxy = pair
        answer = httpx2.post(f"{proxy.url}/v1/feedback", json={}, timeout=30)
        assert answer.status_code == 502
        assert len(a.asked + b.asked) == 1

    def test_a_request_without_an_id_gets_one(self, pair):
        a, b, proxy = pair
        httpx2.post(f"{proxy.url}/v1/feedback", json={}, timeout=30)
        assert re.search(r"\r\nx-request-id: [0-9a-f-]{36}\r\n", (a.asked + b.asked)[0], re.IGNORECASE)


def test_none_ready_is_a_problem_too(tmp_path):
    proxy = start_proxy(tmp_path, free_port(), free_port())
    try:
        answer = eventually(lambda: (found := httpx2.get(f"{proxy.wait().url}/v1/model")).status_code == 503 and found)
        assert answer.json()["title"] == "No serving process is ready"
        assert answer.headers["retry-after"] == "1"
    finally:
        proxy.stop(signal.SIGKILL)
