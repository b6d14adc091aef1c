"""Scripted faults: what a platform may answer instead of an answer, on the request where a test or a demo wants it.

``PUT /faults/steam {"2": "429-iso", "5": "truncated"}`` plans by request number (counted from that call on);
a request header ``x-simulator-fault: 503`` asks for one at once. ``GET /faults`` says what was counted. With a chaos seed, requests that
nobody planned for go wrong too: by their numbers, so that a run can be repeated, and never two in a row, so that it gets through.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundswell.simulator import content
from groundswell.simulator.drift import DRIFTS, RECORDS, drifted

HEADER = "x-simulator-fault"
PLATFORMS = (*content.PLATFORMS, "annotations")
WAIT_SECONDS = 1
CHAOS_SHARE = 0.3
"""Of every second request."""

IN_PAGE = ("empty-page", "same-cursor", "repeated-page", "usage-capped", "expired-token")
"""Faults that a platform's own page makes, each as it does it: Steam's false end, its cursor that comes back, a page that is
delivered twice, X's used-up month, Bluesky's token that ran out. Where a platform does not have it, nothing happens."""
WAITS = ("429-seconds", "429-date", "429-epoch", "429-delta", "429-iso", "429-silent")
PASSING = (*WAITS, "500", "502", "503", "html", "truncated", "reset", "slow", "wrong-type")
"""Faults after which the same request is answered: what chaos is made of."""
REFUSALS = ("401-expired", "403-quota")
KINDS = (*PASSING, *REFUSALS, *DRIFTS, *IN_PAGE)


def _when(kind: str) -> dict[str, str]:
    moment = datetime.now(UTC) + timedelta(seconds=WAIT_SECONDS)
    return {
        "429-seconds": {"retry-after": str(WAIT_SECONDS)},
        "429-date": {"retry-after": format_datetime(moment, usegmt=True)},
        "429-epoch": {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(moment.timestamp()) + 1)},
        "429-delta": {"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": str(WAIT_SECONDS)},
        "429-iso": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": moment.isoformat().replace("+00:00", "Z")},
        "429-silent": {},
    }[kind]


def known(platform: str) -> tuple[str, ...]:
    """The faults that ``platform`` can have: who answers no JSON records can't have them drift."""
    return KINDS if platform in RECORDS else tuple(kind for kind in KINDS if kind not in DRIFTS)


class Plan:
    """The planned faults and the requests counted so far, a platform each; and the seed of the chaos, if there is to be one."""

    def __init__(self, chaos: int | None = None):
        self.planned: dict[str, dict[int, str]] = {platform: {} for platform in PLATFORMS}
        self.requests: dict[str, int] = dict.fromkeys(PLATFORMS, 0)
        self.chaos = chaos

    def put(self, platform: str, faults: dict[int, str]) -> None:
        """Plan ``faults`` (request number from now on → kind) for ``platform``; its count starts anew."""
        self.planned[platform] = dict(faults)
        self.requests[platform] = 0

    def next(self, platform: str, asked: str | None) -> str | None:
        """Count a request and say which fault is its: the one it asks for itself, else the planned one, else what chaos brings."""
        self.requests[platform] += 1
        number = self.requests[platform]
        return asked or self.planned[platform].get(number) or self._by_chaos(platform, number)

    def _by_chaos(self, platform: str, number: int) -> str | None:
        if self.chaos is None or number % 2:
            return None
        chance = random.Random(f"{self.chaos}/{platform}/{number}")
        return chance.choice(PASSING) if chance.random() < CHAOS_SHARE else None


class Faults:
    """ASGI middleware that puts the plan's faults into the answers of the platforms' paths; other paths are left alone."""

    def __init__(self, app: ASGIApp, plan: Plan, slow_seconds: float):
        self._app = app
        self._plan = plan
        self._slow_seconds = slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        platform = scope["path"].split("/")[1] if scope["type"] == "http" else ""
        if platform not in PLATFORMS:
            return await self._app(scope, receive, send)
        kind = self._plan.next(platform, Request(scope).headers.get(HEADER))
        if kind is not None and kind not in known(platform):
            told = f"unknown fault {kind!r}; {platform} knows: {', '.join(known(platform))}"
            return await JSONResponse({"detail": told}, 400)(scope, receive, send)
        scope.setdefault("state", {})["fault"] = kind if kind in IN_PAGE else None
        if kind == "slow":
            await asyncio.sleep(self._slow_seconds)
        instead = _instead(kind)
        if instead is not None:
            return await instead(scope, receive, send)
        if kind is None or kind in ("slow", *IN_PAGE):
            return await self._app(scope, receive, send)
        await _changed(kind, platform, *await self._answer(scope, receive), send)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """The start and the whole body of what the platform itself answers."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


def _instead(kind: str | None) -> Response | None:
    if kind in WAITS:
        return JSONResponse({"message": "Too Many Requests"}, 429, headers=_when(kind))
    if kind in ("500", "502", "503"):
        return Response("<html><body><h1>Service Unavailable</h1></body></html>", int(kind), media_type="text/html")
    if kind == "html":
        return Response("<!doctype html><title>Just a moment</title>", 200, media_type="text/html")
    if kind == "401-expired":
        return JSONResponse({"error": "ExpiredToken", "message": "Token has expired"}, 401)
    if kind == "403-quota":
        return JSONResponse({"error": {"code": 403, "errors": [{"reason": "quotaExceeded"}], "message": "The quota of the day is used up"}}, 403)
    return None


async def _changed(kind: str, platform: str, start: Message, body: bytes, send: Send) -> None:
    """Send the platform's answer with what ``kind`` does to it."""
    headers = [(name, value) for name, value in start["headers"] if name not in (b"content-length", b"content-type")]
    told = dict(start["headers"]).get(b"content-type", b"application/json")
    length = len(body)
    if kind == "truncated":
        body = body[: max(1, length * 2 // 3)]
        length = len(body)
    elif kind in DRIFTS and start["status"] == 200:
        body = drifted(kind, platform, body)
        length = len(body)
    headers += [(b"content-length", str(length).encode()), (b"content-type", b"text/plain; charset=utf-8" if kind == "wrong-type" else told)]
    await send({**start, "headers": headers})
    if kind == "reset":
        # less than was promised and no end: the server can only close the connection, as one that dies does
        await send({"type": "http.response.body", "body": body[: length // 2], "more_body": True})
        return
    await send({"type": "http.response.body", "body": body})
