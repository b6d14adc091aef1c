"""Clients that mean harm, or no good, against a real serving process over real sockets: everybody else goes on getting answers."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import threading
import time

import httpx2
import numpy as np
import psutil
import pytest

from groundswell.predictor import Predictor
from serving.messages import LABELS
from tests.serving.servers import start_alone
from tests.tiny import tiny_rows

pytestmark = pytest.mark.slow

READ_SECONDS = 2
PATIENCE_SECONDS = 30
"""How long a test waits for what should happen after READ_SECONDS: the machine may be busy."""
TEXTS, _ = tiny_rows(32, seed=11)
BODY = json.dumps({"texts": TEXTS}).encode()
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def serving(exports, tmp_path_factory):
    settings = {"serving_read_seconds": str(READ_SECONDS), "serving_max_connections": "300", "serving_cache": "off"}
    server = start_alone(tmp_path_factory.mktemp("hostile"), exports["1"], **settings).wait()
    yield server
    status = server.stop()
    log = server.log.read_text()
    assert status == 0, log[-2000:]
    assert "Traceback" not in log
    assert not any(text in log for text in TEXTS)


@pytest.fixture(scope="module")
def offline(exports):
    return Predictor.load(exports["1"]).predict(TEXTS)


@pytest.fixture(autouse=True)
def others(serving, offline):
    """Two well-behaved clients during every test: each of their answers must be the right one."""
    is_over, faults, count = threading.Event(), [], [0]

    def ask():
        with httpx2.Client(timeout=PATIENCE_SECONDS) as client:
            while not is_over.is_set():
                try:
                    answer = client.post(f"{serving.url}/v1/predict", content=BODY, headers=JSON)
                    count[0] += 1
                    if answer.status_code != 200 or not np.array_equal(numbers(answer.json()), offline):
                        faults.append(answer.text[:200])
                except httpx2.TransportError as error:
                    faults.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield count
    before = count[0]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count[0] < before + 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    is_over.set()
    for thread in threads:
        thread.join()
    assert not faults, faults[:3]
    assert count[0] >= before + 2, "the others got no answers any more"
    assert serving.process.poll() is None


def numbers(body: dict) -> np.ndarray:
    return np.array([[each["probabilities"][label] for label in LABELS] for each in body["predictions"]], dtype=np.float32)


def connect(serving) -> socket.socket:
    return socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_SECONDS)


def request(body: bytes = BODY, *, headers: str = "") -> bytes:
    head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def rest(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def problem_in(answer: bytes, status: int) -> dict:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status_of(head) == status, answer[:300]
    assert b"content-type: application/problem+json" in head.lower()
    return json.loads(body)


def dribble(connections: list[socket.socket], piece: bytes) -> list[bytes]:
    """Send ``piece`` on each, again and again, until each is closed from the other side; what each was told."""
    told, left, deadline = {}, list(connections), time.monotonic() + PATIENCE_SECONDS
    while left:
        assert time.monotonic() < deadline, f"{len(left)} of {len(connections)} are still open"
        for connection in left:
            try:
                connection.sendall(piece)
            except OSError:
                told.setdefault(connection, b"")
        readable, _, _ = select.select(left, [], [], 0.1)
        for connection in readable:
            told[connection] = rest(connection)
        left = [connection for connection in left if connection not in told]
    return [told[connection] for connection in connections]


def test_a_hundred_connections_that_say_nothing_are_closed(serving):
    idle = [connect(serving) for _ in range(100)]
    assert [rest(connection) for connection in idle] == [b""] * 100


def test_a_hundred_that_asked_once_and_stay_are_closed(serving):
    idle = [connect(serving) for _ in range(100)]
    for connection in idle:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for connection in idle:
        assert status_of(rest(connection)) == 200


@pytest.mark.parametrize(
    ("first", "piece"),
    [(b"", b"P"), (b"POST /v1/predict HTTP/1.1\r\n", b"X-Slow: 1\r\n"), (b"GET /healthz HTTP/1.1\r\nHost: local", b"h")],
    ids=["request line", "headers", "one header"],
)
def test_headers_that_dribble_are_told_so_and_closed(serving, first, piece):
    slow = [connect(serving) for _ in range(50)]
    for connection in slow:
        connection.sendall(first)
    for told in dribble(slow, piece):
        assert told == b"" or status_of(told) in (400, 408), told  # a word of a few hundred letters is no method
        if told:
            problem_in(told, status_of(told))


def test_empty_lines_for_ever_are_no_request(serving):
    dribble([connect(serving) for _ in range(20)], b"\r\n")


@pytest.mark.parametrize("headers", ["Content-Length: 5000\r\n", "Transfer-Encoding: chunked\r\n"], ids=["announced", "chunked"])
def test_bodies_that_dribble_are_told_so_and_closed(serving, headers):
    slow = [connect(serving) for _ in range(50)]
    for connection in slow:
        connection.sendall(f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n".encode())
    for told in dribble(slow, b"1\r\n \r\n"):
        if told:  # a byte that crosses the answer on its way resets the connection, answer and all
            assert "body within 2 seconds" in problem_in(told, 408)["detail"]


def test_headers_without_end_are_refused(serving):
    for start in (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"GET /"):
        connection = connect(serving)
        try:
            connection.sendall(start)
            for _ in range(500):
                connection.sendall(b"a" * 10_000)
        except OSError:
            pass
        else:
            raise AssertionError("5 MB of headers were taken")
        told = rest(connection)
        assert told == b"" or problem_in(told, 431)


def test_bodies_of_10_megabytes_are_refused_without_being_kept(serving):
    large = b'{"texts": ["' + b"a" * 10_000_000 + b'"]}'
    process = psutil.Process(serving.process.pid)
    before = process.memory_info().rss
    told = []

    def send(is_announced: bool) -> None:
        content = large if is_announced else (large[start : start + 65536] for start in range(0, len(large), 65536))
        with contextlib.suppress(httpx2.TransportError):  # closed while it was still sending
            told.append(httpx2.post(f"{serving.url}/v1/predict", content=content, headers=JSON, timeout=PATIENCE_SECONDS).status_code)

    threads = [threading.Thread(target=send, args=(number % 2 == 0,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(told) == {413}
    assert process.memory_info().rss - before < 100_000_000, "20 of 10 MB were held in memory"


def test_more_connections_than_there_may_be_lose_the_longest_idle_only(exports, tmp_path):
    few = start_alone(tmp_path, exports["1"], serving_max_connections="20", serving_read_seconds="60").wait()
    try:
        process = psutil.Process(few.process.pid)
        before = process.num_fds()
        idle = [connect(few) for _ in range(100)]
        for _ in range(5):
            assert httpx2.get(f"{few.url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
        assert process.num_fds() < before + 40
        assert rest(idle[0]) == b"", "the first was the longest idle"
        idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert status_of(rest(idle[-1])) == 200, "the last has its place"
    finally:
        assert few.stop() == 0


def test_who_does_not_read_answers_is_cut_off(serving):
    deaf = connect(serving)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.settimeout(0.5)
    deadline = time.monotonic() + PATIENCE_SECONDS
    asking = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        while time.monotonic() < deadline:
            try:
                deaf.send(asking)
            except TimeoutError:
                time.sleep(0.1)


def test_hanging_up_in_the_middle_harms_nobody(serving, others):
    """Requests that are whole, half sent, or half read, and then reset: the others' answers are checked all the while."""
    for number in range(150):
        connection = connect(serving)
        whole = request()
        connection.sendall(whole if number % 3 else whole[: len(whole) // 2])
        if number % 3 == 2:
            connection.recv(100)
        if number % 2:  # a reset, not a goodbye
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    waiting = "groundswell_serving_waiting_texts"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = [line for line in httpx2.get(f"{serving.url}/metrics", timeout=PATIENCE_SECONDS).text.splitlines() if line.startswith(waiting)]
        if float(lines[0].rsplit(" ", 1)[1]) <= 2 * len(TEXTS):  # the two others'
            break
        assert time.monotonic() < deadline, "what nobody waits for any more is still counted as waiting"


@pytest.mark.parametrize("text", ["\\ud83d", "\\udc00\\ud83d", "\\ud83d\\ude00 \\udfff", "a\\u0000b"])
def test_half_an_emoji_is_a_text(serving, text):
    content = f'{{"texts": ["{text}"]}}'.encode()
    answer = httpx2.post(f"{serving.url}/v1/predict", content=content, headers=JSON, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200, answer.text


def test_half_an_emoji_in_bytes_is_a_text_or_not_utf8(serving):
    """Which of the two is the JSON reader's business; an error of ours it is not."""
    content = b'{"texts": ["' + "\ud83d".encode("utf-8", "surrogatepass") + b'"]}'
    answer = httpx2.post(f"{serving.url}/v1/predict", content=content, headers=JSON, timeout=PATIENCE_SECONDS)
    assert answer.status_code in (200, 400)
