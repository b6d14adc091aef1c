"""Around every request: whom it is for, its body bounded, its time and status counted.

Plain ASGI, because it is on the path of every answer. Refuses, as problems, a host that is not ours, and a body that is too large.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.canary import note_client
from serving.keys import forget_client
from serving.metrics import Metrics
from serving.problems import problem

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")


class Hosts:
    """The hosts that this server goes by (``*``: any, ``*.example.org``: any below)."""

    def __init__(self, allowed: Sequence[str]):
        self._allowed = frozenset(name.lower() for name in allowed)
        self._is_allowed = lru_cache(256)(self._judge)  # a handful of names, on the path of every request

    def are_named_in(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether an ASGI scope's ``headers`` name one of them, and no other."""
        named = [value for name, value in headers if name == b"host"]
        return len(named) == 1 and self._is_allowed(named[0])

    def _judge(self, value: bytes) -> bool:
        found = _HOST.fullmatch(value.decode("latin-1").lower())
        if found is None:
            return False
        host, allowed = found[1], self._allowed
        return "*" in allowed or host in allowed or any(f"*{host[place:]}" in allowed for place, sign in enumerate(host) if sign == ".")


class TrustedHost:
    """Refuses with 400 what names another host than ``hosts``, none, or two.

    A page of a stranger whose name suddenly means 127.0.0.1 (DNS rebinding) still sends its own name, and nothing that is told a host here
    may be told it by a client. Starlette's own answers with plain text, and with redirects.
    """

    def __init__(self, app: ASGIApp, *, hosts: Hosts):
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            forget_client()
            if not self.hosts.are_named_in(scope["headers"]):
                await self._refusal()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self):
        detail = "expected one Host that this server goes by: its operator names them in GROUNDSWELL_SERVING_ALLOWED_HOSTS"
        return problem("unknown-host", 400, "This server is not the host that was asked for", detail, headers={"Connection": "close"})


class BodyLimit:
    """Refuses with 413 a body of more than ``most_bytes``: at once where its length is announced, else when it gets there."""

    def __init__(self, app: ASGIApp, *, most_bytes: int):
        self.app, self.most_bytes = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced[:20]) > self.most_bytes:
            await problem("http-413", 413, "The request is too large", self._too_large(), headers={"Connection": "close"})(scope, receive, send)
            return
        await self.app(scope, self._bounded(receive), send)

    def _bounded(self, receive: Receive) -> Receive:
        total = 0

        async def bounded() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self.most_bytes:
                raise HTTPException(413, self._too_large(), {"Connection": "close"})
            return message

        return bounded

    def _too_large(self) -> str:
        return f"expected a body of at most {self.most_bytes} bytes: send fewer texts at once"


class Measured:
    """Counts answers by route and status, and times them. The route is the template, never the address that was asked for."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        note_client(scope)
        status, started = 500, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self.metrics.request(getattr(scope.get("route"), "path", "none"), status, time.perf_counter() - started)
