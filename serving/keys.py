"""Who asks: from the key in a request's headers to a client with a name and a token bucket.

Reads the keys file, again within a second of a change, so a revoked key ends without a restart. Refuses with `Unauthenticated` a request without a
key, with two, or with one that is not in the file; with `RateLimited` a client that asks for more texts than its key allows. A file that can't be
read leaves the keys that were known before; one that is gone leaves none. Buckets are a process's own: with two workers a key has its rate twice.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from groundswell.errors import KeysError
from groundswell.keys import PREFIX, Key, read

_SHAPE = re.compile(rb"%b_([0-9a-f]{8})_[A-Za-z0-9_-]{43}" % PREFIX.encode())
_LOOK_EVERY_SECONDS = 1
_NOBODYS = bytes(32)

_asking: ContextVar[Client | None] = ContextVar("asking", default=None)
"""Who asks in this task: set by `Keys.authenticate`, so that no protocol can forget to hand it on."""

logger = logging.getLogger(__name__)


class Unauthenticated(Exception):
    """No key, or none that is known; the message says which, never what was sent."""


class RateLimited(Exception):
    """The client's bucket holds too little; it may come again after ``retry_after_seconds``."""

    def __init__(self, client: str, retry_after_seconds: float):
        super().__init__(client, retry_after_seconds)
        self.client, self.retry_after_seconds = client, retry_after_seconds


class Client:
    """Whose request it is, by name, and how many texts it may still ask about. Used from one event loop only."""

    def __init__(self, key: Key | None, clock: Callable[[], float]):
        self.key = key
        self.name = key.name if key else "anonymous"
        self._clock, self._left, self._at = clock, float(key.burst_texts if key else 0), clock()

    def charge(self, texts: int) -> None:
        """Take ``texts`` from the bucket, which fills at the key's rate up to its burst; `RateLimited`, and nothing taken, when it holds fewer.

        What costs more than a full bucket empties it: it could never be paid for otherwise.
        """
        if self.key is None:
            return
        now = self._clock()
        self._left = min(self.key.burst_texts, self._left + (now - self._at) * self.key.texts_per_second)
        self._at = now
        cost = min(texts, self.key.burst_texts)
        if cost > self._left:
            raise RateLimited(self.name, (cost - self._left) / self.key.texts_per_second)
        self._left -= cost


class Keys:
    """The clients of the keys in the file at ``path``; with None as ``path`` nobody needs a key. ``clock`` counts seconds, never back."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic):
        self._path, self._clock = path, clock
        self._anonymous = Client(None, clock)
        self._clients: dict[bytes, tuple[bytes, Client]] = {}  # id → sha256, client
        self._look_at, self._seen = float("-inf"), object()

    @property
    def are_required(self) -> bool:
        return self._path is not None

    def start(self) -> None:
        """Read the file, and say so where nobody can be let in."""
        if self._path is None:
            logger.warning("no keys are asked for (GROUNDSWELL_SERVING_AUTH=off): whoever reaches this port gets answers")
            return
        self._look()
        if not self._clients:
            logger.warning("%s holds no key, so every request is refused: make one with groundswell keys create NAME", self._path.name)

    def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Client:
        """The client whose key is in ``headers`` (an ASGI scope's); from here on `client` gives it to this task."""
        found = self._anonymous if self._path is None else self._client_of(_presented(headers))
        _asking.set(found)
        return found

    def client(self) -> Client:
        """Who asks in this task; `Unauthenticated` where keys are required and nobody has shown one."""
        found = self._anonymous if self._path is None else _asking.get()
        if found is None:
            raise Unauthenticated("this address answers nobody: it does not ask for a key")
        return found

    def _client_of(self, presented: bytes) -> Client:
        self._look()
        shape = _SHAPE.fullmatch(presented)
        expected, client = self._clients.get(shape[1], (_NOBODYS, None)) if shape else (_NOBODYS, None)
        # By id, which is no secret; the secret itself is compared in constant time, and as long for an unknown id.
        if not hmac.compare_digest(hashlib.sha256(presented).digest(), expected) or client is None:
            raise Unauthenticated("the key is not known here, or not any more")
        return client

    def _look(self) -> None:
        """Read the file if a second has passed and it is another than the one that was read."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_SECONDS
        seen = _identity(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            keys = read(self._path)
        except KeysError as error:
            logger.error("%s; the %d keys known before stay", str(error).replace(str(self._path), self._path.name), len(self._clients))
            return
        before = {client.key: client for _, client in self._clients.values()}  # a bucket is not filled by a change of another key
        self._clients = {key.id.encode(): (bytes.fromhex(key.sha256), before.get(key) or Client(key, self._clock)) for key in keys}
        logger.info("%d keys: %s", len(keys), ", ".join(key.name for key in keys) or "none")


class _Required(SecurityBase):
    """A FastAPI dependency that is also a security scheme of the OpenAPI document."""

    def __init__(self, keys: Keys):
        self.model = HTTPBearer(description="A key that `groundswell keys create NAME` printed; as `X-API-Key: KEY` it is taken as well.")
        self.scheme_name = "key"
        self._keys = keys

    async def __call__(self, request: Request) -> Client:
        return self._keys.authenticate(request.scope["headers"])


def required(keys: Keys) -> list:
    """The ``dependencies`` of a router, or of a route, that answers only clients with a key; none where keys are off."""
    return [Depends(_Required(keys))] if keys.are_required else []


def forget_client() -> None:
    """A new request begins: a task may have been started in the context of another client's."""
    _asking.set(None)


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    found = set()
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                found.add(token.strip())
        elif name == b"x-api-key":
            found.add(value.strip())
    if len(found) != 1:
        raise Unauthenticated(
            "expected a key in the header Authorization: Bearer KEY (or X-API-Key: KEY), found none; groundswell keys create NAME makes one"
            if not found
            else "expected one key, found different ones in the headers"
        )
    return found.pop()


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced or written to; None when there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size
