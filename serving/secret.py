"""The secret that prediction ids and cache keys are made with: a setting, or made once and kept beside the model copies.

Reads, or writes with mode 0600, ``serving/<topic>/secret``. Where that can't be, a secret of this process only: what was made with it is
good until the process ends, and the log says so.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from pathlib import Path

from groundswell.files import beside
from serving.config import ServingSettings

logger = logging.getLogger(__name__)


class Secret:
    """Key material; every purpose gets a key of its own from it, so that what one reveals says nothing about another."""

    def __init__(self, material: bytes):
        self._material = hashlib.blake2b(material).digest()

    def key(self, purpose: str) -> bytes:
        """32 bytes, always the same ones for the same ``purpose``."""
        return hashlib.blake2b(purpose.encode(), key=self._material, digest_size=32).digest()


def present_and_previous(settings: ServingSettings) -> tuple[Secret, Secret | None]:
    """The secret to make things with, and the one before it, which what was made earlier may still be checked with."""
    present, previous = (each.get_secret_value().encode() for each in (settings.serving_secret, settings.serving_secret_before))
    return Secret(present or _kept(settings.folder / "secret")), Secret(previous) if previous else None


def _kept(path: Path) -> bytes:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        found = path.read_bytes()
    except OSError as error:
        logger.error("a secret can't be kept (%s): prediction ids made now are good until this process ends", error.strerror)
        return secrets.token_bytes(32)
    if len(found) < 32:
        logger.error("the secret that is kept is cut off: prediction ids made now are good until this process ends; remove %s", path.name)
        return secrets.token_bytes(32)
    return found


def _make(path: Path) -> None:
    """Written whole beside, then linked: of several workers that start at once, all read the first one's."""
    written = beside(path)
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        os.link(written, path)
    except FileExistsError:
        pass
    finally:
        written.unlink(missing_ok=True)
