"""Requests that nobody would write: made from the OpenAPI document, and of broken bytes. No answer of 5xx, none that is not described."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2
import hypothesis
import pytest
import schemathesis
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from groundswell import keys
from tests.serving.servers import start_alone

pytestmark = pytest.mark.slow

EXAMPLES = 30
"""Of each operation, valid and invalid ones; about half a minute in all."""
SEEDED = hypothesis.settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck))


@pytest.fixture(scope="module")
def serving(exports, tmp_path_factory):
    """A real process that asks for keys; ``key`` is one without a limit that a test would reach."""
    folder = tmp_path_factory.mktemp("fuzz")
    _, key = keys.create(folder / "var" / "serving" / "keys.json", "fuzz", texts_per_second=1_000_000, burst_texts=1_000_000)
    server = start_alone(folder, exports["1"], serving_auth="keys", serving_max_waiting_texts="100000", serving_read_seconds="2").wait(path="/readyz")
    server.key = key
    yield server
    assert server.process.poll() is None, "it did not live through this"
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_answers_are_as_the_document_says(serving, mode):
    """Every operation, asked as the document allows and as it does not, by whatever schemathesis checks."""
    faults, asked = {}, 0
    for found in schemathesis.openapi.from_url(f"{serving.url}/openapi.json").get_all_operations():
        operation = found.ok()

        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            nonlocal asked
            asked += 1
            # A schema says no more of CSV, or of bytes, than that they are some: not every line of characters is a table.
            excluded = [] if case.media_type in (None, "application/json") else [positive_data_acceptance]
            case.call_and_validate(headers={"Authorization": f"Bearer {serving.key}"}, timeout=60, excluded_checks=excluded)

        try:
            ask()
        except hypothesis.errors.Unsatisfiable:  # nothing in this request could be wrong
            pass
        except FailureGroup as error:
            faults[operation.label] = error
    assert not faults, "\n\n".join(f"{label}: {''.join(traceback.format_exception_only(error))[:3000]}" for label, error in faults.items())
    assert asked > 100


VALID = b'{"texts": ["great love", "awful crash"]}'
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %b\r\n"
SIGNS = [b"\r\n", b"\n", b"\r", b"\x00", b"\xff\xfe", b"\t", b" ", b":", b"0", b"-1", b"9" * 20, b"0x10", b"%00", b"%ff%fe", b"/../..", b"//", b"?"]
LINES = [b"HTTP/1.1", b"HTTP/9.9", b"HTTP/0.9", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT a:80 HTTP/1.1\r\n", b"GET http://[::1 HTTP/1.1\r\n"]
HOSTS = [b"Host: localhost\r\n", b"Host: evil.example\r\n", b"Host: localhost/x?\r\n", b"Host: \xc3\xa9\r\n", b"Host: \r\n"]
LENGTHS = [b"Content-Length: 5\r\n", b"Content-Length: +5\r\n", b"Content-Length: \r\n", b"Inference-Header-Content-Length: 7\r\n"]
CODINGS = [b"chunked", b"chunked, identity", b"gzip", b"chunked\r\nTransfer-Encoding: chunked"]
UPGRADES = [b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", b"Connection: close\r\n"]
OTHERS = [b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n", b"Content-Type: multipart/form-data; boundary=x\r\n", b"X: " + b"a" * 9000]
CHUNKS = [b"5\r\nhello\r\n", b"0\r\n\r\n", b"F" * 16 + b"\r\n", b"-5\r\n", b"5;x=y\r\nhello\r\n", b"0\r\nTrailer: x\r\n\r\n"]
VALUES = [b'{"texts": [', b"\\ud83d", b"[" * 5000, b"1e999", b"NaN", b"9" * 5000, b'"\\u0000"', b"\xef\xbb\xbf"]
ODD = SIGNS + LINES + HOSTS + LENGTHS + [b"Transfer-Encoding: %b\r\n" % coding for coding in CODINGS] + UPGRADES + OTHERS + CHUNKS + VALUES
"""What a mutation puts in: what parsers of HTTP, of chunks, of addresses and of JSON are known to stumble over."""


def whole(chance: random.Random, key: bytes) -> bytes:
    """A request that is as it should be, at one of the addresses, its body announced or chunked."""
    if chance.random() < 0.3:
        path = chance.choice([b"/", b"/healthz", b"/readyz", b"/metrics", b"/v1/model", b"/openapi.json", b"/v2", b"/ping", b"/nowhere"])
        return b"%b %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (chance.choice([b"GET", b"HEAD", b"OPTIONS", b"DELETE"]), path)
    head = (HEAD % key).replace(b"/v1/predict", chance.choice([b"/v1/predict", b"/invocations", b"/hooks/mlflow", b"/v1/explain", b"/v1/feedback"]))
    if chance.random() < 0.5:
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(VALID), VALID)
    cut = chance.randrange(1, len(VALID))
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (VALID[:cut], VALID[cut:], b""))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces


def broken(chance: random.Random, key: bytes) -> bytes:
    """One to four requests in a row, with up to six things put in, taken out, said twice or cut off."""
    content = bytearray(b"".join(whole(chance, key) for _ in range(chance.choice([1, 1, 1, 2, 4]))))
    for _ in range(chance.randrange(7)):
        place, length = chance.randrange(len(content) + 1), chance.choice([1, 2, 8, 40])
        match chance.randrange(5):
            case 0 | 1:
                content[place:place] = chance.choice(ODD)
            case 2:
                del content[place : place + length]
            case 3:
                content[place:place] = content[place : place + length] * chance.choice([1, 3])
            case 4:
                content[place : place + length] = chance.randbytes(length)
    return bytes(content[: chance.randrange(1, len(content) + 1)] if chance.random() < 0.2 and content else content)


def told(port: int, content: bytes, manner: float) -> bytes:
    """What comes back for ``content`` until the other side closes or is silent for a second; by ``manner`` sent in two pieces, or hung up on."""
    received = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as connection:  # reset: what was said before counts
        for piece in (content[: len(content) // 2], content[len(content) // 2 :]) if manner < 0.3 else (content,):
            connection.sendall(piece)
        if manner > 0.9:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1)
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_broken_bytes_are_never_an_error_of_ours(serving):
    chance = random.Random(20261019)
    sent = [broken(chance, serving.key.encode()) for _ in range(2000)]
    manners = [chance.random() for _ in sent]
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(told, [serving.port] * len(sent), sent, manners))
    statuses = Counter()
    for content, answer in zip(sent, answers, strict=True):
        found = [int(status) for status in re.findall(rb"(?:^|[\r\n}])HTTP/1\.1 (\d{3}) ", answer)]
        assert all(status < 500 for status in found), (content, answer)
        assert answer == b"" or found, (content, answer)
        statuses.update(found)
    for status in (200, 400, 401, 404, 405, 422):
        assert statuses[status] > 5, f"these were not broken in many ways: {statuses}"
    good = {"headers": {"Authorization": f"Bearer {serving.key}"}, "json": json.loads(VALID), "timeout": 60}
    assert httpx2.post(f"{serving.url}/v1/predict", **good).status_code == 200
