"""Load for an HTTP server from one cheap process: closed loops (so many connections, always busy) and open loops (Poisson arrivals).

Reads a `Plan` as JSON from standard input, the texts and the labels they should get from the files it names; prints what it saw as JSON.
Raw sockets, requests made beforehand, answers kept as they came and read after the clock has stopped: 10–25 µs a request (80 where the
server has just emptied the caches), so that a server that shares the machine loses little to it. In an open loop a latency counts from the
moment at which the request was due, not from when a connection was free for it: a server that stalls is not spared the requests that it kept
from being sent.
"""

from __future__ import annotations

import gc
import json
import re
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

GRACE_SECONDS = 20
"""For answers that are due when a loop has ended: of an open one, what comes later counts as lost."""

FEWEST = 64
"""A closed loop goes on until so many requests have ended, for up to `LONGEST` times its seconds, or `LONG_SECONDS` where that is more."""
LONGEST = 3
LONG_SECONDS = 8

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CLOSE = re.compile(rb"(?i)\r\nconnection: *close")
_RETRY = re.compile(rb"(?i)\r\nretry-after: *\d+")


@dataclass(frozen=True)
class Dialect:
    """How a server is asked, and where its answer has the labels."""

    path: str
    body: Callable[[list[str]], dict]
    labels: Callable[[dict], list[str]]


def _likeliest(scores: list[dict]) -> str:
    return max(scores, key=lambda each: each["score"])["label"]


def _open_inference(texts: list[str]) -> dict:
    return {"inputs": [{"name": "text", "shape": [len(texts), 1], "datatype": "BYTES", "data": texts}]}


DIALECTS = {
    "groundswell": Dialect("/v1/predict", lambda texts: {"texts": texts}, lambda said: [each["label"] for each in said["predictions"]]),
    "labels": Dialect("/predict", lambda texts: {"texts": texts}, lambda said: [each["label"] for each in said]),
    "open inference": Dialect("/v2/models/sentiment/infer", _open_inference, lambda said: said["outputs"][0]["data"]),
    "mlflow table": Dialect(
        "/invocations",
        lambda texts: {"dataframe_split": {"columns": ["text"], "data": [[text] for text in texts]}},
        lambda said: [each["label"] for each in said["predictions"]],
    ),
    "mlflow list": Dialect("/invocations", lambda texts: {"inputs": texts}, lambda said: [each["label"] for each in said["predictions"]]),
    "infinity": Dialect(
        "/classify", lambda texts: {"model": "sentiment", "input": texts}, lambda said: [_likeliest(scores) for scores in said["data"]]
    ),
}


@dataclass(frozen=True)
class Plan:
    """One measurement. ``rate`` (requests a second) makes it an open loop that opens up to ``connections`` as it needs them; without it the
    loop is closed, and keeps all of them busy."""

    port: int
    dialect: str
    texts: str
    """JSON file: a list of texts."""
    expected: str
    """JSON file: the label that each of them should get."""
    connections: int = 1
    batch: int = 1
    first: int = 0
    """Place of the first text; after the last one it starts over."""
    seconds: float = 5
    warm_up_seconds: float = 1
    rate: float | None = None
    seed: int = 1


@dataclass(slots=True)
class Answer:
    """One request that ended: due, sent off and done in seconds of the clock; status 0 where the connection broke or nothing came."""

    number: int
    due: float
    done: float
    status: int
    raw: bytes


class Connection:
    """A keep-alive connection with at most one request under way."""

    __slots__ = ("address", "buffer", "due", "number", "socket")

    def __init__(self, port: int):
        self.address = ("127.0.0.1", port)
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.number, self.due = b"", -1, 0.0

    def send(self, request: bytes, number: int, due: float) -> None:
        """May raise `OSError`: then it was closed meanwhile."""
        self.number, self.due = number, due
        self.socket.sendall(request)

    def is_open(self) -> bool:
        """Whether the server has not closed it meanwhile; what any client's pool asks before it uses a connection again."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def received(self) -> bytes | None:
        """A whole answer, or None until there is one; `ConnectionError` when it was closed before."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError
        if self.buffer:
            data = self.buffer + data
        if _is_whole(data):
            self.buffer = b""
            return data
        self.buffer = data
        return None


def _is_whole(data: bytes) -> bool:
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = _LENGTH.search(data, 0, head + 2)
    return len(data) >= head + 4 + int(length[1]) if length else data.endswith(b"0\r\n\r\n")


class Load:
    """Connections to one server and the answers that came over them."""

    def __init__(self, port: int, requests: Sequence[bytes], connections: int):
        self.port, self.requests, self.most = port, requests, connections
        self.poll = select.epoll()
        self.by_number: dict[int, Connection] = {}
        self.answers: list[Answer] = []
        self.next = 0
        self.idle: list[Connection] = []

    def closed(self, seconds: float) -> float:
        """Keep every connection busy for ``seconds``, longer for few answers; when it ended.

        What is then under way is waited for and not counted: left alone, a server would still be computing it in the next measurement.
        """
        opened = [self._connect() for _ in range(self.most)]
        began = time.perf_counter()
        for connection in opened:
            self._send(connection, began)
        under_way, ended, most = len(opened), 0.0, max(LONGEST * seconds, LONG_SECONDS)
        while under_way and not (ended and time.perf_counter() > ended + GRACE_SECONDS):
            for number, _ in self.poll.poll(0.5):
                connection = self.by_number[number]
                if connection.number < 0:
                    self._forget(connection)  # it has had its last answer, and the server closes it
                    continue
                if not self._receive(connection):
                    continue
                if ended:
                    under_way -= 1
                else:
                    self._send(connection, time.perf_counter())
            elapsed = time.perf_counter() - began
            if not ended and elapsed >= seconds and (len(self.answers) >= FEWEST or elapsed >= most):
                ended = began + elapsed
        return ended

    def open(self, due: np.ndarray) -> None:
        """Send a request at each of the ``due`` seconds from now, on the connection used last of the idle ones, or else a new one."""
        due = (due + time.perf_counter()).tolist()
        waiting: deque[float] = deque()
        sent, last = 0, due[-1] + GRACE_SECONDS
        while len(self.answers) < len(due):
            now = time.perf_counter()
            if now > last:
                break
            while sent < len(due) and due[sent] <= now:
                waiting.append(due[sent])
                sent += 1
            while waiting and (self.idle or len(self.by_number) < self.most):
                self._send(self._available(), waiting.popleft())
            until = due[sent] - time.perf_counter() if sent < len(due) else 0.5
            # epoll's own timeout is in whole milliseconds; select's is in microseconds, and it can wait for an epoll
            if until > 0 and not select.select([self.poll], [], [], until)[0]:
                continue
            for number, _ in self.poll.poll(0):
                connection = self.by_number[number]
                if connection.number < 0:
                    self.idle.remove(connection)  # the server closed it while it was idle, as it may
                    self._forget(connection)
                elif self._receive(connection):
                    self.idle.append(connection)
        lost = [connection for connection in self.by_number.values() if connection.number >= 0]
        self.answers += [Answer(connection.number, connection.due, float("inf"), 0, b"") for connection in lost]
        self.answers += [Answer(-1, each, float("inf"), 0, b"") for each in waiting]

    def close(self) -> None:
        for connection in self.by_number.values():
            connection.socket.close()
        self.poll.close()

    def _send(self, connection: Connection, due: float) -> None:
        number = self.next % len(self.requests)
        self.next += 1
        try:
            connection.send(self.requests[number], number, due)
        except OSError:
            self._reconnect(connection)
            connection.send(self.requests[number], number, due)

    def _receive(self, connection: Connection) -> bool:
        """Whether the request on ``connection`` has ended, well or not."""
        try:
            data = connection.received()
        except OSError:
            self.answers.append(Answer(connection.number, connection.due, time.perf_counter(), 0, b""))
            self._reconnect(connection)
            return True
        if data is None:
            return False
        self.answers.append(Answer(connection.number, connection.due, time.perf_counter(), int(data[9:12]), data))
        connection.number = -1
        if _CLOSE.search(data, 0, data.find(b"\r\n\r\n") + 2):
            self._reconnect(connection)
        return True

    def _connect(self) -> Connection:
        connection = Connection(self.port)
        self._watch(connection)
        return connection

    def _watch(self, connection: Connection) -> None:
        self.by_number[connection.socket.fileno()] = connection
        self.poll.register(connection.socket, select.EPOLLIN)

    def _available(self) -> Connection:
        """The idle connection used last that is still open, or a new one."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_open():
                return connection
            self._forget(connection)
        return self._connect()

    def _forget(self, connection: Connection) -> None:
        del self.by_number[connection.socket.fileno()]
        connection.socket.close()

    def _reconnect(self, connection: Connection) -> None:
        self._forget(connection)
        connection.connect()
        self._watch(connection)


def run(plan: Plan) -> dict:
    """Make the load that ``plan`` wants and say what came of it: rates, latencies in seconds, statuses, right answers, own cost."""
    dialect = DIALECTS[plan.dialect]
    texts, expected = (json.loads(Path(name).read_text(encoding="utf-8")) for name in (plan.texts, plan.expected))
    groups = grouped(len(texts), plan.batch, plan.first)
    load = Load(plan.port, [request(dialect, [texts[place] for place in group]) for group in groups], plan.connections)
    gc.disable()
    began, cost = time.perf_counter(), time.process_time()
    if plan.rate is None:
        ended = load.closed(plan.warm_up_seconds + plan.seconds)
    else:
        due = arrivals(plan.rate, plan.warm_up_seconds + plan.seconds, plan.seed)
        load.open(due)
        ended = began + plan.warm_up_seconds + plan.seconds
    cost, elapsed = time.process_time() - cost, time.perf_counter() - began
    gc.enable()
    load.close()
    found = summary(load.answers, began + plan.warm_up_seconds, ended, is_open=plan.rate is not None, batch=plan.batch)
    found |= checked(load.answers, groups, expected, dialect)
    return found | {"own_core_share": cost / elapsed, "own_microseconds_per_request": 1e6 * cost / max(1, len(load.answers))}


def grouped(count: int, batch: int, first: int) -> list[list[int]]:
    """The places 0 … count-1 from ``first`` on, around the end, ``batch`` to a request; a remainder is left out."""
    order = [(first + place) % count for place in range(count)]
    return [order[start : start + batch] for start in range(0, count - batch + 1, batch)]


def request(dialect: Dialect, texts: list[str]) -> bytes:
    """The whole HTTP request."""
    body = json.dumps(dialect.body(texts), ensure_ascii=False).encode()
    head = f"POST {dialect.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def arrivals(rate: float, seconds: float, seed: int) -> np.ndarray:
    """Poisson arrivals: seconds from the start, ascending, ``rate`` a second on average; at least one."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, size=max(1, int(rate * seconds)))
    return np.cumsum(gaps)


def summary(answers: Sequence[Answer], start: float, end: float, *, is_open: bool, batch: int) -> dict:
    """Rates of the window ``start`` to ``end`` and latencies: of answers done in it (closed loop), of requests due in it (open)."""
    seconds = end - start
    done = [each for each in answers if start <= each.done < end]
    counted = [each for each in answers if start <= each.due < end] if is_open else done
    good = [each for each in counted if each.status == 200]
    refused = [each for each in counted if each.status == 429]
    middle = (start + end) / 2
    return {
        "seconds": seconds,
        "requests": len(counted),
        "texts_per_second": batch * sum(each.status == 200 for each in done) / seconds,
        "statuses": {str(status): count for status, count in sorted(Counter(each.status for each in counted).items())},
        "failed": sum(each.status not in (200, 429) for each in counted),
        "latency": percentiles(good),
        "latency_first_half": percentiles([each for each in good if each.due < middle]),
        "latency_second_half": percentiles([each for each in good if each.due >= middle]),
        "refused": {
            **percentiles(refused),
            "count": len(refused),
            "with_retry_after": sum(bool(_RETRY.search(each.raw, 0, each.raw.find(b"\r\n\r\n") + 2)) for each in refused),
        },
    }


def percentiles(answers: Sequence[Answer]) -> dict[str, float | None]:
    """p50, p95, p99 and the largest latency in seconds; None of nothing."""
    if not answers:
        return dict.fromkeys(("p50", "p95", "p99", "max"))
    found = np.quantile([each.done - each.due for each in answers], (0.5, 0.95, 0.99, 1.0))
    return dict(zip(("p50", "p95", "p99", "max"), found.tolist(), strict=True))


def checked(answers: Sequence[Answer], groups: Sequence[Sequence[int]], expected: Sequence[str], dialect: Dialect) -> dict:
    """Every answer of status 200 read: texts answered, labels as expected, answers that could not be read or had another number of texts."""
    texts = right = malformed = 0
    for answer in answers:
        if answer.status != 200:
            continue
        wanted = [expected[place] for place in groups[answer.number]]
        try:
            said = dialect.labels(json.loads(body_of(answer.raw)))
        except (ValueError, KeyError, TypeError, IndexError):
            said = []
        if len(said) != len(wanted):
            malformed += 1
            continue
        texts += len(wanted)
        right += sum(one == other for one, other in zip(said, wanted, strict=True))
    return {"texts": texts, "right": right, "malformed": malformed}


def body_of(raw: bytes) -> bytes:
    """The body of an answer, put together where it came in chunks."""
    head, _, body = raw.partition(b"\r\n\r\n")
    if _LENGTH.search(head + b"\r\n"):
        return body
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        parts.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return b"".join(parts)


def main() -> int:
    print(json.dumps(run(Plan(**json.load(sys.stdin)))))
    return 0


def plan_text(plan: Plan) -> str:
    """``plan`` as this program reads it."""
    return json.dumps(asdict(plan))


if __name__ == "__main__":
    sys.exit(main())
