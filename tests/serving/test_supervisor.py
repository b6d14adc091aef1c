"""Two real workers behind one socket: killed, hung, drained, orphaned; and what they tell each other."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import signal
import socket
import threading
import time

import httpx2
import psutil
import pytest

from groundswell.files import write_json
from serving import supervisor
from serving.main import bind
from serving.metrics import Metrics, merged_page
from serving.siblings import Siblings
from tests.serving.servers import Server, start_serving
from tests.tiny import tiny_rows
from tests.waiting import eventually

TEXTS, _ = tiny_rows(4, seed=3)
NOWHERE = "http://127.0.0.1:9"


def lay_copy(folder, export) -> None:
    """The local copy of version 1 as a served one lies there: enough to serve without a registry."""
    version = {"version": "1", "run_id": "run-1", "source": "models:/m-1"}
    shutil.copytree(export, folder / "1" / "export")
    write_json(version, folder / "1" / "origin.json")
    write_json(version, folder / "current.json")


@pytest.fixture
def server(exports, tmp_path):
    """Two workers that serve a local copy."""
    lay_copy(tmp_path / "var" / "serving" / "games", exports["1"])
    serving = start_serving(tmp_path, NOWHERE, serving_workers="2", serving_threads="1", serving_hung_seconds="3", serving_drain_seconds="10")
    try:
        serving.wait(120)
        eventually(lambda: workers_with_a_model(serving) == {"0", "1"})
        time.sleep(1)  # from the model to the first connection taken
        yield serving
    finally:
        serving.stop()


def metrics(server: Server) -> str:
    return httpx2.get(f"{server.url}/metrics", timeout=20).text


def workers_with_a_model(server: Server) -> set[str]:
    return set(re.findall(r'serving_model\{[^}]*worker="(\d)"\} 1', metrics(server)))


def processes(server: Server) -> dict[int, int]:
    """Worker → its process, as the log says last."""
    return {int(number): int(process) for number, process in re.findall(r"worker (\d) is process (\d+)", server.log.read_text())}


def ask(client: httpx2.Client, server: Server) -> None:
    answer = client.post(f"{server.url}/v1/predict", json={"texts": TEXTS}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] == "1"


class Client:
    """One keep-alive connection that asks without a pause; what went wrong, and from which port."""

    def __init__(self, server: Server):
        self.server, self.answers, self.faults, self.is_over = server, 0, [], threading.Event()
        self.connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self.port = self.connection.getsockname()[1]
        body = json.dumps({"texts": TEXTS}).encode()
        head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.request, self.thread = head.encode() + body, threading.Thread(target=self._run)

    def ask(self) -> None:
        self.connection.sendall(self.request)
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < int(re.search(rb"(?i)content-length: (\d+)", answer)[1]):
            chunk = self.connection.recv(65536)
            if not chunk:
                raise ConnectionError("closed")
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        self.answers += 1

    def _run(self) -> None:
        try:
            while not self.is_over.is_set():
                self.ask()
        except (OSError, AssertionError) as error:
            self.faults.append(repr(error))
        finally:
            self.connection.close()


def ports_of(process: int) -> set[int]:
    """The clients' ports of a process's open connections."""
    return {each.raddr.port for each in psutil.Process(process).net_connections("tcp") if each.raddr}


@pytest.mark.slow
def test_a_killed_worker_takes_nobody_elses_requests_with_it_and_is_replaced(server):
    before = processes(server)
    clients = []
    for number in (1, 0):  # while one stands still the other takes what comes: left to themselves, either may take all
        os.kill(before[number], signal.SIGSTOP)
        newcomers = [Client(server) for _ in range(8)]
        for client in newcomers:
            client.ask()
        os.kill(before[number], signal.SIGCONT)
        clients += newcomers
    owned = {number: ports_of(process) & {client.port for client in clients} for number, process in before.items()}
    assert [len(owned[number]) for number in (0, 1)] == [8, 8]
    for client in clients:
        client.thread.start()
    time.sleep(0.5)
    os.kill(before[0], signal.SIGKILL)
    with httpx2.Client() as fresh:
        ask(fresh, server)
    eventually(lambda: processes(server)[0] != before[0] and ports_of_or_none(processes(server)[0]) is not None)
    eventually(lambda: {"0", "1"} == set(re.findall(r'worker="(\d)"', metrics(server))))
    for client in clients:
        client.is_over.set()
    for client in clients:
        client.thread.join(30)
    assert [client.faults for client in clients if client.port not in owned[0] and client.faults] == []
    assert all(client.answers > 1 for client in clients if client.port not in owned[0])
    assert processes(server)[1] == before[1]


def ports_of_or_none(process: int) -> set[int] | None:
    try:
        return ports_of(process)
    except psutil.Error:
        return None


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(server):
    before = processes(server)
    time.sleep(1.5)  # it has beaten once: from then on its silence counts
    os.kill(before[1], signal.SIGSTOP)
    eventually(lambda: processes(server)[1] != before[1], 60)
    assert f"worker 1 (process {before[1]}) hangs: killed" in server.log.read_text()
    eventually(lambda: {"0", "1"} == set(re.findall(r'worker="(\d)"', metrics(server))))


@pytest.mark.slow
def test_a_stop_waits_for_the_requests_of_all_workers(server):
    clients = [Client(server) for _ in range(8)]
    for client in clients:
        client.ask()
        client.connection.sendall(client.request[:-10])
    time.sleep(0.5)  # the heads are read
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: is_closed(server.port), 20)
    for client in clients:
        client.connection.sendall(client.request[-10:])
        assert client.connection.recv(100).startswith(b"HTTP/1.1 200")
    assert server.stop() == 0, server.log.read_text()[-2000:]


@pytest.mark.slow
def test_workers_do_not_outlive_their_supervisor(server):
    workers = [psutil.Process(process) for process in processes(server).values()]
    server.process.kill()
    server.process.wait(10)
    gone, alive = psutil.wait_procs(workers, timeout=40)
    assert not alive
    assert is_closed(server.port)


def is_closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def test_a_worker_that_dies_at_once_is_started_less_and_less_often(settings, monkeypatch, tmp_path, caplog):
    caplog.set_level(logging.INFO, "serving")
    monkeypatch.setattr(supervisor.sys, "executable", "/bin/false")
    with bind("127.0.0.1", 0) as listening:
        broken = supervisor.Supervisor(settings.model_copy(update={"serving_workers": 1}), listening, str(tmp_path))
        deadline = time.monotonic() + 60
        while sum("ended with status 1" in record.message for record in caplog.records) < 3 and time.monotonic() < deadline:
            broken.tick()
        broken.stop()
    pauses = re.findall(r"starts in ([\d.]+) s", caplog.text)
    assert pauses[:3] == ["0.5", "1.0", "2.0"]


def test_siblings_hear_each_other_and_wait_for_nobody_who_is_gone(tmp_path):
    async def story():
        one, other, gone = (Siblings(tmp_path, number, 3) for number in range(3))
        heard = []
        await one.listen({"metrics": lambda: b"one"})
        await other.listen({"metrics": lambda: b"other", "wake": lambda: heard.append("wake") or b""})
        await gone.listen({"metrics": lambda: b"gone"})
        assert await one.ask("metrics") == {1: b"other", 2: b"gone"}
        await gone.stop()
        assert await one.ask("wake") == {1: b""}
        assert heard == ["wake"]
        assert await other.ask("no such word") == {0: b""}
        await one.stop()
        await other.stop()

    asyncio.run(story())


def test_a_page_of_several_workers_says_whose_each_number_is():
    one, other = Metrics(), Metrics()
    one.swaps.inc(2)
    other.swaps.inc(3)
    one.requests.labels("/v1/predict", "200").inc()
    page = merged_page({"0": json.loads(json.dumps(one.families())), "1": json.loads(json.dumps(other.families()))}).decode()
    assert 'groundswell_serving_swaps_total{worker="0"} 2.0' in page
    assert 'groundswell_serving_swaps_total{worker="1"} 3.0' in page
    assert 'groundswell_serving_requests_total{route="/v1/predict",status="200",worker="0"} 1.0' in page
    assert page.count("# TYPE groundswell_serving_swaps_total counter") == 1
