"""Scripted faults: what a platform may answer instead of an answer, on the request where a test or a demo wants it.

``PUT /faults/steam {"2": "429-iso", "5": "truncated"}`` plans by request number (counted from that call on);
a request header ``x-simulator-fault: 503`` asks for one at once. ``GET /faults`` says what was counted.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from groundswell.simulator import content

HEADER = "x-simulator-fault"
PLATFORMS = (*content.PLATFORMS, "annotations")
WAIT_SECONDS = 1

IN_PAGE = ("empty-page", "same-cursor", "repeated-page", "usage-capped", "expired-token")
"""Faults that a platform's own page makes: Steam's false end, its cursor that comes back, a page that is delivered twice, X's monthly
cap, a token that is no longer good. A platform without the habit answers as ever."""


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


KINDS = ("429-seconds", "429-date", "429-epoch", "429-delta", "429-iso", "429-silent", "500", "503", "html", "truncated", "slow", *IN_PAGE)


class Plan:
    """The planned faults and the requests counted so far, a platform each."""

    def __init__(self):
        self.planned: dict[str, dict[int, str]] = {platform: {} for platform in PLATFORMS}
        self.requests: dict[str, int] = dict.fromkeys(PLATFORMS, 0)

    def put(self, platform: str, faults: dict[int, str]) -> None:
        """Plan ``faults`` (request number from now on → kind) for ``platform``; its count starts anew."""
        self.planned[platform] = dict(faults)
        self.requests[platform] = 0

    def next(self, platform: str, asked: str | None) -> str | None:
        """Count a request and say which fault is its: the one it asks for itself, else the planned one."""
        self.requests[platform] += 1
        return asked or self.planned[platform].get(self.requests[platform])


class Faults(BaseHTTPMiddleware):
    """Puts the plan's faults into the answers of the platforms' paths; other paths are left alone."""

    def __init__(self, app, plan: Plan, slow_seconds: float):
        super().__init__(app)
        self._plan = plan
        self._slow_seconds = slow_seconds

    async def dispatch(self, request: Request, call_next) -> Response:
        platform = request.url.path.split("/")[1]
        if platform not in PLATFORMS:
            return await call_next(request)
        kind = self._plan.next(platform, request.headers.get(HEADER))
        if kind is not None and kind not in KINDS:
            return JSONResponse({"detail": f"unknown fault {kind!r}; known: {', '.join(KINDS)}"}, 400)
        request.state.fault = kind if kind in IN_PAGE else None
        if kind == "slow":
            await asyncio.sleep(self._slow_seconds)
        answered = _instead(kind)
        if answered is not None:
            return answered
        response = await call_next(request)
        return await _cut(response) if kind == "truncated" else response


def _instead(kind: str | None) -> Response | None:
    if kind is None:
        return None
    if kind.startswith("429"):
        return JSONResponse({"message": "Too Many Requests"}, 429, headers=_when(kind))
    if kind in ("500", "503"):
        return Response("<html><body><h1>Service Unavailable</h1></body></html>", int(kind), media_type="text/html")
    if kind == "html":
        return Response("<!doctype html><title>Just a moment</title>", 200, media_type="text/html")
    return None


async def _cut(response: Response) -> Response:
    body = b"".join([part async for part in response.body_iterator])
    return Response(body[: max(1, len(body) * 2 // 3)], response.status_code, media_type="application/json")
