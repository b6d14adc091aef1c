"""http: what a platform says about when to come back is understood, and nothing is waited for that takes too long."""

import httpx2
import pytest

from groundswell.errors import QuotaSpent, RateLimited, SourceError
from groundswell.http import Http
from groundswell.waits import server_wait

NOW = 1_792_404_000.0  # 2026-10-19T10:00:00Z


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "12"}, 12),
        ({"Retry-After": "Mon, 19 Oct 2026 10:00:30 GMT"}, 30),
        ({"Date": "Mon, 19 Oct 2026 09:00:00 GMT", "Retry-After": "Mon, 19 Oct 2026 09:00:05 GMT"}, 5),
        ({"x-rate-limit-reset": "1792404020"}, 20),
        ({"RateLimit-Reset": "1792404003"}, 3),
        ({"X-Ratelimit-Reset": "42.5"}, 42.5),
        ({"X-RateLimit-Reset": "2026-10-19T10:00:07.500Z"}, 7.5),
        ({"X-RateLimit-Reset": "2026-10-19T12:00:07+02:00"}, 7),
        ({"Retry-After": "nonsense", "x-ratelimit-reset": "4"}, 4),
        ({"Retry-After": "-3"}, 0),
        ({"x-rate-limit-reset": "1792403000"}, 0),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": ""}, None),
    ],
)
def test_every_encoding_of_when_is_read(headers, seconds):
    assert server_wait(headers, NOW) == seconds


def http_that_answers(*answers, **options):
    left = iter(answers)
    waited = []
    return Http(transport=httpx2.MockTransport(lambda request: next(left)), sleep=waited.append, clock=lambda: NOW, **options), waited


def test_a_wait_that_is_too_long_is_refused_at_once():
    http, waited = http_that_answers(httpx2.Response(429, headers={"retry-after": "3600"}))
    with pytest.raises(SourceError, match="asks to wait 3600 s.*longest_wait_seconds"):
        http.get("http://platform.test", {})
    assert waited == []


@pytest.mark.parametrize("reset", ["600", "1792404600", "2026-10-19T10:10:00Z"])
def test_a_server_that_fails_does_not_mean_its_limits(reset):
    """Platforms say on every answer when their limits begin anew; a failure has nothing to do with those."""
    failed = httpx2.Response(502, headers={"x-ratelimit-remaining": "599", "x-ratelimit-reset": reset})
    http, waited = http_that_answers(
        failed, httpx2.Response(503, headers={"retry-after": "7", "x-ratelimit-reset": reset}), httpx2.Response(200, json={})
    )
    assert http.get("http://platform.test", {}) == {}
    assert waited[0] < 1 and waited[1] == 7


def test_a_wait_that_is_over_already_is_not_asked_about_again_at_once():
    http, waited = http_that_answers(*[httpx2.Response(429, headers={"x-rate-limit-reset": str(NOW)})] * 3, httpx2.Response(200, json={}))
    assert http.get("http://platform.test", {}) == {}
    assert 0 < waited[0] < waited[2]


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_body_that_is_not_packed_as_it_says_is_asked_for_again(encoding):
    """An error page, sent under the headers of the answer that it stands for."""

    def handler(request):
        bodies.append(request)
        is_first = len(bodies) == 1
        return httpx2.Response(200, content=b"<html>" if is_first else b"{}", headers={"content-encoding": encoding} if is_first else {})

    bodies = []
    http = Http(transport=httpx2.MockTransport(handler), sleep=lambda seconds: None)
    assert (http.get("http://platform.test", {}), http.retries) == ({}, 1)


def test_attempts_come_to_an_end():
    http, waited = http_that_answers(*[httpx2.Response(500)] * 3, attempts=3)
    with pytest.raises(SourceError, match="answered 500, 3 times"):
        http.get("http://platform.test", {})
    assert (http.requests, http.retries, len(waited)) == (3, 2, 2)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404])
def test_what_trying_again_cannot_mend_is_not_tried_again(status):
    http, _ = http_that_answers(httpx2.Response(status))
    with pytest.raises(SourceError, match=f"found {status}"):
        http.get("http://platform.test", {})
    assert http.requests == 1


def test_a_lost_connection_is_tried_again():
    calls = []

    def handler(request):
        calls.append(request)
        if len(calls) < 3:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(200, json={"ok": True})

    assert Http(transport=httpx2.MockTransport(handler), sleep=lambda seconds: None).get("http://platform.test", {}) == {"ok": True}


@pytest.mark.parametrize("body", ["[1]", "5", "null", '"word"'])
def test_json_that_is_no_object_is_said(body):
    http, _ = http_that_answers(httpx2.Response(200, text=body))
    with pytest.raises(SourceError, match="expected a JSON object"):
        http.get("http://platform.test", {})


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500])
def test_a_login_that_is_part_of_an_address_is_sent_and_not_said(status):
    sent = []

    def handler(request):
        sent.append(request.headers["authorization"])
        return httpx2.Response(status, text="[1]", headers={"retry-after": "600"} if status == 429 else {})

    http = Http(transport=httpx2.MockTransport(handler), sleep=lambda seconds: None, attempts=1)
    with pytest.raises(SourceError, match="^http://platform.test/a") as caught:
        http.get("http://reader:open@sesame@platform.test/a", {})
    assert sent[0].startswith("Basic ") and "sesame" not in str(caught.value)


def test_an_address_that_is_none_is_our_error():
    with pytest.raises(SourceError):
        Http(sleep=lambda seconds: None, attempts=1).get("nowhere", {})


def test_post_sends_json():
    seen = []

    def handler(request):
        seen.append(request.content)
        return httpx2.Response(200, json={})

    Http(transport=httpx2.MockTransport(handler)).post("http://platform.test", {"a": "ü"})
    assert seen == ['{"a":"ü"}'.encode()]


def test_a_key_goes_along_and_a_problem_is_told_in_its_own_words():
    seen = []

    def answer(request):
        seen.append(request.headers.get("authorization"))
        return httpx2.Response(422, json={"detail": "body.texts: 1 to 128 texts"}, headers={"content-type": "application/problem+json"})

    http = Http(key="a-key", transport=httpx2.MockTransport(answer))
    with pytest.raises(SourceError, match=r"found 422: body\.texts: 1 to 128 texts$"):
        http.post("http://serving.test", {})
    assert seen == ["Bearer a-key"]


def test_requests_are_kept_apart_as_a_platform_wants_it():
    http, waited = http_that_answers(*[httpx2.Response(200, json={})] * 3)
    for _ in range(2):
        http.ask("http://platform.test", apart_seconds=1.5)
    http.ask("http://platform.test")
    assert waited == [1.5]


def test_a_clock_that_is_set_back_makes_no_long_wait():
    times = iter([NOW, NOW, NOW - 9000, NOW - 9000])
    waited = []
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json={}))
    http = Http(transport=transport, sleep=waited.append, clock=lambda: next(times))
    for _ in range(2):
        http.ask("http://platform.test", apart_seconds=1)
    assert waited == [1]


def test_a_rest_is_kept_or_refused():
    http, waited = http_that_answers(*[httpx2.Response(200, json={})] * 4)
    for seconds in (3.5, 0, 600):
        http.ask("http://platform.test")
        http.rest(seconds, "http://platform.test")
    assert waited == [3.5], "a rest is of the next request: who asks nothing more need not wait"
    with pytest.raises(RateLimited, match="asks to wait 600 s") as caught:
        http.ask("http://platform.test")
    assert (waited, caught.value.seconds, http.requests) == ([3.5], 600, 3)


def test_a_quota_that_waiting_does_not_bring_back_is_not_waited_for():
    def quota(body):
        return "the month's quota is used up" if isinstance(body, dict) and body.get("type") == "capped" else None

    http, waited = http_that_answers(httpx2.Response(429, text="<html>"), httpx2.Response(429, json={"type": "capped"}))
    with pytest.raises(QuotaSpent, match="platform.test: the month's quota is used up"):
        http.ask("http://platform.test", quota=quota)
    assert (http.requests, http.retries, len(waited)) == (2, 1, 1)


def test_what_is_no_json_is_read_by_the_callers_own_reader():
    """And asked for again while that finds it broken off, as JSON is."""

    def read(content, headers):
        if not content.endswith(b"."):
            raise ValueError("a text without an end")
        return (content.decode(), headers["content-type"])

    plain = {"content-type": "text/plain"}
    http, waited = http_that_answers(httpx2.Response(200, content=b"to be c", headers=plain), httpx2.Response(200, content=b"whole.", headers=plain))
    assert http.ask("http://p.test/", read=read).value == ("whole.", "text/plain")
    assert (http.retries, len(waited)) == (1, 1)
    http, _ = http_that_answers(*[httpx2.Response(200, content=b"to be c")] * 2, attempts=2)
    with pytest.raises(SourceError, match="answered with a text without an end, 2 times"):
        http.ask("http://p.test/", read=read)


def test_nothing_changed_is_not_read():
    http, _ = http_that_answers(httpx2.Response(304))
    assert http.ask("http://p.test/", accepted=(200, 304), read=lambda content, headers: 1 / 0).value == b""


def test_what_a_platform_says_in_plain_words_is_repeated():
    http, _ = http_that_answers(*[httpx2.Response(200, text="The specified phrase is too short.\n")] * 2, attempts=2)
    with pytest.raises(SourceError, match="is none .*: 'The specified phrase is too short.'"):
        http.get("http://p.test/", {})


@pytest.mark.parametrize("body", ['{"text": "a secret', '[{"text": "a secret', "<p>a secret", "secret" * 99, '"a secret'])
def test_a_piece_of_a_record_is_not(body):
    http, _ = http_that_answers(*[httpx2.Response(200, text=body)] * 2, attempts=2)
    with pytest.raises(SourceError, match="JSON that breaks off") as caught:
        http.get("http://p.test/", {})
    assert "secret" not in str(caught.value)


def test_an_address_that_moved_is_followed_but_not_in_circles():
    moved = httpx2.Response(301, headers={"location": "http://p.test/new"})
    http, _ = http_that_answers(moved, httpx2.Response(200, json={"a": 1}))
    assert http.ask("http://p.test/").value == {"a": 1}
    http, _ = http_that_answers(*[moved] * 40)
    with pytest.raises(SourceError, match="can't be asked"):
        http.ask("http://p.test/")
