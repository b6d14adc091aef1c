"""Serving's API keys: made, listed, revoked, in one JSON file that every serving process reads anew when it changes.

Reads and writes ``GROUNDSWELL_SERVING_KEYS_FILE``: id, name, sha256 and rate of each key, never the key itself, which is shown once, to whoever
made it. Refuses a second key of a name, a name that is not there, and a file that is not as it should be. Standard library and pydantic only:
serving imports it.

A key is 32 bytes of the system's randomness, so one plain sha256 is right: nobody can try 2^256 of them, however fast each try is. A slow hash
(bcrypt, argon2) protects passwords, which people choose and others guess; here it would only give attackers a way to keep the processor busy.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from groundswell.errors import KeysError
from groundswell.files import write_json

PREFIX = "gsw"
MAX_TEXTS_PER_REQUEST = 128
"""`serving.messages.MAX_TEXTS`, held equal by a test: a bucket that holds fewer could never pay for one whole request."""


class Key(BaseModel):
    """What is kept of a key: enough to recognise it, nothing to make it from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    """Part of the key itself and no secret: which entry to compare with."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Whose it is: the only thing of a key that goes into logs, metrics and feedback."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    texts_per_second: float = Field(gt=0, le=1_000_000)
    burst_texts: int = Field(ge=MAX_TEXTS_PER_REQUEST, le=1_000_000)
    created_at: datetime


class _KeysFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: list[Key] = []


def create(path: Path, name: str, *, texts_per_second: float, burst_texts: int, now: datetime | None = None) -> tuple[Key, str]:
    """A new key called ``name``, and what its owner must send: the only moment at which that exists here."""
    identity, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    presented = f"{PREFIX}_{identity}_{secret}"
    values = {"id": identity, "name": name, "sha256": digest(presented), "texts_per_second": texts_per_second, "burst_texts": burst_texts}
    try:
        key = Key(**values, created_at=now or datetime.now(UTC).replace(microsecond=0))
    except ValidationError as error:
        raise KeysError("; ".join(f"{detail['loc'][0]}: {detail['msg']}, found {detail['input']!r}" for detail in error.errors())) from None
    with _alone(path):
        before = read(path)
        if any(each.name == name for each in before):
            raise KeysError(f"{path} has a key called {name!r} already: revoke it, or choose another name")
        _write(path, [*before, key])
    return key, presented


def revoke(path: Path, name: str) -> Key:
    """Take the key called ``name`` out of the file: serving refuses it within a second."""
    with _alone(path):
        before = read(path)
        found = next((key for key in before if key.name == name), None)
        if found is None:
            raise KeysError(f"{path} has no key called {name!r}: its keys are {', '.join(key.name for key in before) or 'none'}")
        _write(path, [key for key in before if key.name != name])
    return found


def read(path: Path) -> list[Key]:
    """The keys of ``path``, none when it is not there; `KeysError` naming what is wrong in it, and where."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeysError(f"{path} can't be read ({error.strerror}): expected the file that groundswell keys create writes") from None
    try:
        keys = _KeysFile.model_validate_json(content).keys
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors(include_input=False)[:5])
        raise KeysError(f"{path} is not as groundswell keys create writes it: {faults}") from None
    for what in ("id", "name"):
        values = [getattr(key, what) for key in keys]
        if repeated := next((value for value in values if values.count(value) > 1), None):
            raise KeysError(f"{path} has two keys with the {what} {repeated!r}: take one out")
    return keys


def digest(presented: str) -> str:
    """What is kept of a key that somebody presents: hex sha256."""
    return hashlib.sha256(presented.encode()).hexdigest()


def _write(path: Path, keys: list[Key]) -> None:
    write_json(_KeysFile(keys=keys).model_dump(mode="json"), path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two commands at once would each write the other's change away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
