"""The serving benchmark's own parts: its load generator against a small real server, its arithmetic, its catalogue of peers."""

from __future__ import annotations

import json
import re
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks import serving
from benchmarks.load import DIALECTS, Answer, Plan, arrivals, body_of, checked, grouped, percentiles, plan_text, run, summary
from benchmarks.peers.catalogue import HERE, PEERS

pytestmark = pytest.mark.slow

TEXTS = [f"text {number}" for number in range(50)]
LABELS = ["negative" if number % 2 else "positive" for number in range(50)]


@contextmanager
def server(answer: Callable[[int, list[str]], list[bytes] | None]) -> Iterator[int]:
    """A server on a port of its own: ``answer`` (number of the request, its texts) gives the pieces to send, or None to hang up."""
    numbers = iter(range(1_000_000))

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self):
            while self.rfile.readline():
                length = 0
                while (line := self.rfile.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                pieces = answer(next(numbers), json.loads(self.rfile.read(length))["texts"])
                if pieces is None:
                    return
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
                if b"onnection: close" in pieces[0]:
                    return

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request, client_address):
            """A client that leaves in the middle, as a load generator does when its time is up."""

    with Threads(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join()


def said(labels: list[str], *, head: bytes = b"") -> list[bytes]:
    body = json.dumps({"predictions": [{"label": label} for label in labels]}).encode()
    return [b"HTTP/1.1 200 OK\r\n" + head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body]


def right(_number: int, texts: list[str]) -> list[bytes]:
    return said([LABELS[TEXTS.index(text)] for text in texts])


@pytest.fixture
def plan(tmp_path):
    """A plan with the texts and labels above; what is given replaces its fields."""
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS))
    (tmp_path / "expected.json").write_text(json.dumps(LABELS))

    def make(port: int, **fields) -> Plan:
        files = {"texts": str(tmp_path / "texts.json"), "expected": str(tmp_path / "expected.json")}
        return Plan(port, "groundswell", **files, **({"seconds": 0.3, "warm_up_seconds": 0} | fields))

    return make


def test_a_closed_loop_counts_every_text_and_reads_every_answer(plan):
    with server(right) as port:
        found = run(plan(port, connections=4, batch=3, first=7))
    assert found["requests"] > 0 and found["failed"] == found["malformed"] == 0 and found["statuses"].keys() == {"200"}
    assert found["texts"] == found["right"] >= 3 * found["requests"]  # the last ones came after the window: checked, and not counted
    assert found["texts_per_second"] == pytest.approx(3 * found["requests"] / found["seconds"])
    assert 0 < found["latency"]["p50"] <= found["latency"]["p99"] <= found["latency"]["max"] < 1
    assert found["own_microseconds_per_request"] > 0


def test_wrong_labels_and_malformed_answers_are_found(plan):
    def answer(number: int, texts: list[str]) -> list[bytes]:
        if number % 4 == 1:
            return said(["neutral"] * len(texts))
        if number % 4 == 2:
            return said(["neutral"] * (len(texts) + 1))
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"] if number % 4 == 3 else right(number, texts)

    with server(answer) as port:
        found = run(plan(port, connections=1))
    whole, part = divmod(found["texts"] + found["malformed"], 4)  # one text a request
    assert found["malformed"] == 2 * whole + max(0, part - 2)
    assert found["right"] == whole + (part > 0) and found["texts"] == 2 * whole + min(part, 2)


def test_answers_in_pieces_in_chunks_and_before_a_close(plan):
    def answer(number: int, texts: list[str]) -> list[bytes]:
        (whole,) = right(number, texts)
        if number % 3 == 0:
            return [whole[:10], whole[10:60], whole[60:]]
        if number % 3 == 1:
            return said([LABELS[TEXTS.index(text)] for text in texts], head=b"Connection: close\r\n")
        body = body_of(whole)
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:], b""))
        return [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks]

    with server(answer) as port:
        found = run(plan(port, connections=3))
    assert found["requests"] > 10 and found["failed"] == found["malformed"] == 0 and found["right"] == found["texts"]


def test_a_connection_that_breaks_is_a_failure_and_the_load_goes_on(plan):
    with server(lambda number, texts: None if number % 5 == 0 else right(number, texts)) as port:
        found = run(plan(port, connections=2))
    assert found["failed"] == found["statuses"]["0"] > 0 and found["statuses"]["200"] > found["failed"]


def test_in_an_open_loop_a_stall_is_paid_by_all_that_were_due_in_it(plan):
    """One answer takes 0.4 s on the one connection: the requests due meanwhile wait, and their latencies say so."""

    def answer(number: int, texts: list[str]) -> list[bytes]:
        if number == 10:
            time.sleep(0.4)
        return right(number, texts)

    with server(answer) as port:
        found = run(plan(port, connections=1, rate=200, seconds=1))
    due = arrivals(200, 1, 1)
    assert len(due) == 200 and found["failed"] == 0
    late = ((due >= due[10]) & (due < due[10] + 0.2)).sum()  # due in the first half of the stall: each has 0.2 s to wait at least
    assert late > 20
    share = late / found["requests"]
    assert found["latency"]["max"] > 0.38 and share > 0.05 and found["latency"]["p95"] > 0.2


def test_in_an_open_loop_connections_are_opened_as_they_are_needed(plan):
    busy, most, lock = 0, 0, threading.Lock()

    def answer(number: int, texts: list[str]) -> list[bytes]:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.1)
        with lock:
            busy -= 1
        return right(number, texts)

    with server(answer) as port:
        found = run(plan(port, connections=40, rate=100, seconds=0.5))
    assert found["failed"] == 0 and 1 < most <= 40


def test_refusals_are_counted_apart_and_retry_after_is_looked_for(plan):
    def answer(number: int, texts: list[str]) -> list[bytes]:
        if number % 2:
            return right(number, texts)
        retry = b"retry-after: 1\r\n" if number % 4 else b""
        return [b"HTTP/1.1 429 Too Many Requests\r\n" + retry + b"Content-Length: 2\r\n\r\n{}"]

    with server(answer) as port:
        found = run(plan(port, connections=1))
    refused = found["refused"]
    assert refused["count"] == found["statuses"]["429"] and found["failed"] == 0
    assert refused["with_retry_after"] == pytest.approx(refused["count"] / 2, abs=1) and refused["p99"] > 0
    # the last one may have come after the window: it is checked, and not counted
    assert found["right"] == found["texts"] and found["texts"] - found["statuses"]["200"] in (0, 1)


def test_a_closed_loop_leaves_nothing_under_way(plan):
    """A server that is slower than the loop is long: the next measurement does not pay for what this one left."""
    answered = []

    def answer(number: int, texts: list[str]) -> list[bytes]:
        time.sleep(0.3)
        answered.append(number)
        return right(number, texts)

    with server(answer) as port:
        found = run(plan(port, connections=80))
        assert len(answered) == found["texts"] >= 80
    assert found["failed"] == 0 and found["requests"] <= found["texts"]


def test_what_is_never_answered_is_lost(plan, monkeypatch):
    monkeypatch.setattr("benchmarks.load.GRACE_SECONDS", 0.2)
    left = threading.Event()
    with server(lambda number, texts: right(number, texts) if number else [b"" if left.wait(5) else b""]) as port:
        found = run(plan(port, connections=2, rate=50, seconds=0.4))
        left.set()
    assert found["statuses"]["0"] == found["failed"] == 1


def test_a_plan_is_read_as_it_is_written(plan):
    made = plan(1234, rate=5.0)
    assert Plan(**json.loads(plan_text(made))) == made


def test_the_window_of_a_closed_loop_is_by_when_answers_came():
    answers = [Answer(0, due, due + 1, 200, b"") for due in (0.0, 1.0, 2.0, 3.0)]
    found = summary(answers, 1.5, 3.5, is_open=False, batch=2)
    assert found["requests"] == 2 and found["texts_per_second"] == 2.0


def test_the_window_of_an_open_loop_is_by_when_requests_were_due():
    answers = [Answer(0, 0.5, 1.5, 200, b""), Answer(0, 1.5, 9.0, 200, b""), Answer(0, 1.6, float("inf"), 0, b"")]
    found = summary(answers, 1.0, 2.0, is_open=True, batch=1)
    assert found["requests"] == 2 and found["failed"] == 1 and found["latency"]["max"] == 7.5
    assert found["texts_per_second"] == 1.0  # goodput is what came out in the window


def test_percentiles():
    answers = [Answer(0, 0.0, float(number), 200, b"") for number in range(101)]
    assert percentiles(answers) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None, "max": None}


def test_arrivals_are_poisson_and_the_same_for_a_seed():
    due = arrivals(500, 20, seed=3)
    gaps = np.diff(due)
    assert len(due) == 10_000 and (gaps > 0).all()
    assert gaps.mean() == pytest.approx(1 / 500, rel=0.05) and gaps.std() == pytest.approx(1 / 500, rel=0.1)
    assert (due == arrivals(500, 20, seed=3)).all() and not (due == arrivals(500, 20, seed=4)).all()


def test_groups_start_where_they_are_told_and_go_around_the_end():
    assert grouped(5, 2, 3) == [[3, 4], [0, 1]]


ANSWERS = {
    "groundswell": {"predictions": [{"label": "positive"}, {"label": "neutral"}]},
    "labels": [{"label": "positive"}, {"label": "neutral"}],
    "open inference": {"outputs": [{"name": "label", "data": ["positive", "neutral"]}, {"name": "probabilities", "data": [1, 0, 0, 1]}]},
    "mlflow table": {"predictions": [{"label": "positive", "positive": 0.9}, {"label": "neutral"}]},
    "mlflow list": {"predictions": [{"label": "positive", "score": 0.9}, {"label": "neutral", "score": 0.8}]},
    "infinity": {"data": [[{"label": "neutral", "score": 0.1}, {"label": "positive", "score": 0.9}], [{"label": "neutral", "score": 1.0}]]},
}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_finds_its_labels(name):
    body = json.dumps(ANSWERS[name]).encode()
    answer = Answer(0, 0.0, 1.0, 200, f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    assert checked([answer], [[0, 1]], ["positive", "neutral"], DIALECTS[name]) == {"texts": 2, "right": 2, "malformed": 0}
    assert all(text in json.dumps(DIALECTS[name].body(["one text", "another"])) for text in ("one text", "another"))


def test_every_peer_is_pinned_has_a_dialect_and_a_floor():
    for peer in PEERS:
        pins = [line for line in (HERE / f"{peer.environment}.txt").read_text().splitlines() if line]
        assert all(re.fullmatch(r"[a-z0-9._-]+==[\w.]+( ;.*)?", line) for line in pins), peer.environment
        assert any(line.startswith(f"{peer.package}==") for line in pins)
        assert peer.dialect in DIALECTS and peer.setups
    assert {peer.name for peer in PEERS} == set(serving.FLOORS)


def test_a_peer_that_is_not_there_has_a_line_and_no_ratio():
    there = serving.Standing("bare", "fastapi 1", "2 processes", 600.0, 700.0, 0.003, 0.98, 0, {"64 × 1": 1.5, "8 × 16": 1.2})
    gone = serving.Standing("bentoml", trouble="no | wheel")
    names = [measure.measure for measure in serving.measures_of_peers([there, gone])]
    assert names == ["ours ÷ bare, 64 × 1", "ours ÷ bare, 8 × 16"]
    lines = serving.markdown(serving.Standing("Groundswell", "this", "as it is", 900.0, 950.0, 0.002, 1.0), [there, gone]).splitlines()
    assert len(lines) == 5 and all(line.count("|") == 9 for line in lines)
    assert "not measured: no / wheel" in lines[-1] and "1.50 / 1.20" in lines[3]


def test_a_ratio_is_the_median_of_pairs_measured_next_to_each_other():
    assert serving.ratio_of_pairs([(100, 200), (50, 100), (10, 100)]) == 2.0  # the machine slowed down: the ratios did not


def test_measures_of_speed():
    found = {"raw": [1000.0], "sixteen": [900.0], "single": [800.0], "peak": [2e12]}
    found |= {"lone": [0.003], "raw lone": [0.002], "raw lone paused": [0.0025]}
    values = {measure.measure: measure.value for measure in serving.measures_of_speed(found, 6e8)}
    assert values["16 texts a request, 8 connections ÷ raw"] == 0.9 and values["one text a request, 64 connections ÷ raw"] == 0.8
    assert values["lone p50 ÷ in-process batch of one"] == pytest.approx(1.5)
    assert values["raw: useful arithmetic ÷ int8 peak"] == pytest.approx(30) and values["8 × 16: useful arithmetic ÷ int8 peak"] == pytest.approx(27)


@pytest.mark.slow
def test_operations_are_counted_from_the_network_and_padding_is_no_token(tmp_path):
    from benchmarks.peers.model import mean_tokens, operations
    from tests.tiny import tiny_export

    folder = tiny_export(tmp_path / "export", steps=0)
    width, hidden = 32, 64
    assert operations(folder / "model.onnx") == (2 * (4 * width * width + 2 * width * hidden), 2 * (width * width + width * 3))
    assert mean_tokens(["great", "great game it is"], folder) == (3 + 6) / 2
