"""The one door to HTTP: JSON in, JSON out, retried until it is whole or hopeless.

Reads what a platform says about when to come back, in every encoding that platforms use. Writes nothing. Refuses to wait longer
than it was told it may: the task that called it runs again later instead. No other module imports the HTTP client, and no
other waits on a platform's word.
"""

from __future__ import annotations

import json
import logging
import math
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from groundswell.errors import AccessRefused, GroundswellError, QuotaSpent, RateLimited, SourceError
from groundswell.waits import http_date, server_wait

log = logging.getLogger(__name__)

_LOGIN = re.compile(r"(?<=//)[^/?#]*@")
_PLAIN = re.compile(r"[A-Z][^<>{}\[\]\"]*")


@dataclass(frozen=True)
class Answer:
    """What came back whole: status, headers (names in lower case), and the body, as bytes or as the JSON that it is."""

    status: int
    headers: dict[str, str]
    value: object


@dataclass(frozen=True)
class _Expected:
    """What an answer may be, as `Http.ask` describes it."""

    is_json: bool = True
    accepted: tuple[int, ...] = (200, 201)
    apart_seconds: float = 0
    quota: Callable[[object], str | None] | None = None
    read: Callable[[bytes, Mapping[str, str]], object] | None = None


class Http:
    """A client that counts its ``requests`` and ``retries``, and may be shared by threads. ``key`` goes along as a bearer token.

    One client lives as long as one run, so it also keeps what a run's readings share: ``usd``, what they paid so far, and
    ``tokens``, what they were given to show to a platform, by source.
    ``transport``, ``sleep`` and ``clock`` are the seams of the tests.
    """

    def __init__(
        self,
        *,
        attempts: int = 5,
        longest_wait_seconds: float = 60,
        timeout_seconds: float = 30,
        key: str = "",
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ):
        self.requests = 0
        self.retries = 0
        self.usd = 0.0
        self.tokens: dict[str, str] = {}
        self.server_time: float | None = None
        """What the last answer said that the time is, in epoch seconds; None: nothing was said."""
        self._attempts = attempts
        self._longest_wait = longest_wait_seconds
        self._timeout = timeout_seconds
        self._key = key
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        self._client: httpx2.Client | None = None
        self._opening = threading.Lock()
        self._last_request = -math.inf
        self._rest = (-math.inf, 0.0, "")

    def __enter__(self) -> Http:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if isinstance(error, GroundswellError):
            error.usd = self.usd
        self.close()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def get(self, url: str, params: dict) -> dict:
        """The JSON object at ``url``; `SourceError` after all attempts, or at once where trying again can't help."""
        return _object(url, self._retrying(url, lambda client: client.get(url, params=params)))

    def post(self, url: str, body: dict) -> dict:
        """The JSON object that ``url`` answers to ``body``; errors as of `get`. Only for calls that may be made twice."""
        return _object(url, self._retrying(url, lambda client: client.post(url, json=body)))

    def ask(
        self,
        url: str,
        params: Mapping | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: Mapping | None = None,
        is_json: bool = True,
        accepted: tuple[int, ...] = (200, 201),
        apart_seconds: float = 0,
        quota: Callable[[object], str | None] | None = None,
        read: Callable[[bytes, Mapping[str, str]], object] | None = None,
    ) -> Answer:
        """Whatever JSON (or, not ``is_json``, whatever bytes) ``url`` answers, with its status and headers; a POST with ``form`` or ``body``.

        ``read`` makes the answer's value of its bytes and headers, in the place of JSON; its `ValueError` says why they are not whole, or
        not what they should be, and they are asked for again.
        ``apart_seconds``: how long after this client's last request the platform allows the next one. ``quota`` reads the JSON
        of a 429 and says which quota is used up, where it is one that waiting does not bring back: `QuotaSpent`, at once.
        Errors as of `get`; `AccessRefused` for 401 and 403, so that whoever has a token that can run out may get another one.
        """
        method = "GET" if form is None and body is None else "POST"

        def call(client: httpx2.Client) -> httpx2.Response:
            follows = method == "GET"  # feeds move; what is posted goes where it was meant to go
            return client.request(method, url, params=params, headers=headers, data=form, json=body, follow_redirects=follows)

        return self._retrying(url, call, _Expected(is_json, accepted, apart_seconds, quota, read))

    def rest(self, seconds: float, url: str) -> None:
        """``url`` said that nothing more is allowed for ``seconds``: the next request, should there be one, waits or is `RateLimited`."""
        self._rest = (self._clock() + seconds, seconds, without_login(url))

    def _retrying(self, address: str, call: Callable[[httpx2.Client], httpx2.Response], expected: _Expected = _Expected()) -> Answer:  # noqa: B008 - frozen
        url = without_login(address)
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=retry_if_exception_type(_TryAgain),
            sleep=self._sleep,
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            return retrying(self._once, url, call, expected)
        except _TryAgain as error:
            raise SourceError(f"{url}: {error}, {self._attempts} times: try again later") from error

    def _once(self, url: str, call: Callable[[httpx2.Client], httpx2.Response], expected: _Expected) -> Answer:
        self._keep_apart(expected.apart_seconds)
        self.requests += 1
        try:
            response = call(self._open())
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise _TryAgain(f"{type(error).__name__} ({error})") from error
        except (httpx2.InvalidURL, httpx2.TooManyRedirects) as error:
            raise SourceError(f"{url}: can't be asked: {error}") from error
        spent = expected.quota(_json_or_none(response)) if expected.quota and response.status_code == 429 else None
        if spent:
            raise QuotaSpent(f"{url}: {spent}")
        self.server_time = http_date(response.headers.get("date", "")) or self.server_time
        if response.status_code == 429 or response.status_code >= 500:
            raise _TryAgain(f"answered {response.status_code}{_said(response)}", self._told(url, response))
        if response.status_code not in expected.accepted:
            said = _said(response) or ": check the address, the query and the access rights"
            told = f"{url}: expected status 200, found {response.status_code}{said}"
            raise AccessRefused(told, response.status_code) if response.status_code in (401, 403) else SourceError(told)
        headers = {name.lower(): value for name, value in response.headers.items()}
        if response.status_code == 304 or not (expected.is_json or expected.read):
            return Answer(response.status_code, headers, response.content)
        return Answer(response.status_code, headers, _read(response, expected.read, headers) if expected.read else _json(response))

    def _open(self) -> httpx2.Client:
        with self._opening:
            if self._client is None:
                headers = {"user-agent": "groundswell/0.1", "accept": "application/json"}
                headers |= {"authorization": f"Bearer {self._key}"} if self._key else {}
                # Plain http needs no certificates, and reading them takes longer than a window's requests.
                self._client = httpx2.Client(timeout=self._timeout, transport=self._transport, headers=headers)
            return self._client

    def _told(self, url: str, response: httpx2.Response) -> float | None:
        told = server_wait(dict(response.headers), self._clock(), is_limit=response.status_code == 429)
        if told is not None:
            self._require_short(told, url)
        return told

    def _require_short(self, seconds: float, url: str) -> None:
        if seconds > self._longest_wait:
            raise RateLimited(
                f"{url}: asks to wait {seconds:.0f} s, more than the {self._longest_wait:.0f} allowed (collect.longest_wait_seconds): try again then",
                seconds,
            )

    def _keep_apart(self, seconds: float) -> None:
        """Sleep until ``seconds`` after the last request and until a `rest` is over; never longer, even where the clock was set back."""
        (until, told, url), now = self._rest, self._clock()
        rest = min(told, until - now)
        self._require_short(rest, url)
        due = max(rest, min(seconds, self._last_request + seconds - now))
        if due > 0:
            self._sleep(due)
            self._rest = (-math.inf, 0.0, "")
        self._last_request = self._clock()

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception()
        if error.told:  # a wait that is over by now says nothing: limits begin anew between two seconds
            return error.told
        return min(self._longest_wait, 0.25 * 2 ** (state.attempt_number - 1)) * random.uniform(0.5, 1)  # noqa: S311

    def _count_retry(self, state: RetryCallState) -> None:
        self.retries += 1
        log.info("try %d: %s; waiting %.1f s", state.attempt_number, state.outcome.exception(), state.next_action.sleep)


def without_login(url: str) -> str:
    """``url`` as it may be said: without a name and a password before the host."""
    return _LOGIN.sub("", url)


class _TryAgain(Exception):
    """What may go better the next time; ``told`` is the server's own word on when, in seconds."""

    def __init__(self, what: str, told: float | None = None):
        super().__init__(what)
        self.told = told


def _said(response: httpx2.Response) -> str:
    """What a problem (RFC 9457) says of itself; a page of HTML says nothing."""
    if response.headers.get("content-type") != "application/problem+json":
        return ""
    try:
        return f": {str(response.json()['detail'])[:300]}"
    except (ValueError, LookupError, TypeError):
        return ""


def _json_or_none(response: httpx2.Response) -> object:
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _read(response: httpx2.Response, read: Callable[[bytes, Mapping[str, str]], object], headers: Mapping[str, str]) -> object:
    try:
        return read(response.content, headers)
    except ValueError as error:
        raise _TryAgain(f"answered with {error}") from error


def _json(response: httpx2.Response) -> object:
    try:
        return json.loads(response.content)
    except ValueError as error:
        where = f"byte {getattr(error, 'pos', '?')} of {len(response.content)}"
        raise _TryAgain(f"answered with JSON that breaks off or is none ({where}){sentence(response.content)}") from error


def sentence(content: bytes) -> str:
    """What a platform says in plain words where JSON was due, as a search does of a query that it can't take; never a piece of a record."""
    text = content[:201].decode("utf-8", "replace").strip()
    return f": {text!r}" if len(text) <= 200 and _PLAIN.fullmatch(text) else ""


def _object(url: str, answer: Answer) -> dict:
    if not isinstance(answer.value, dict):
        raise SourceError(f"{without_login(url)}: expected a JSON object, found a {type(answer.value).__name__}")
    return answer.value
