"""Prediction ids: tokens that say themselves which prediction they are of, so that nothing is stored until somebody says it was wrong.

56 url-safe characters of 42 bytes: format, label, time, model version, start of the model's digest, ordinal, a keyed hash of the text, and
a keyed hash (BLAKE2b, RFC 7693) of all that. Nobody without the secret can make one, or learn the text from it. Refuses with
`UnknownPrediction` what was not made here, or with a secret that is no longer known.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from serving.loading import LoadedModel
from serving.messages import LABELS
from serving.secret import Secret

_LAYOUT = struct.Struct(">BBII4s6s8s")  # 28 bytes; with the 14 of the hash a multiple of 3: base64 without padding has one way to write it
_FORMAT = 1
_HASH_BYTES = 14


class UnknownPrediction(Exception):
    """No prediction of this service has that id."""


@dataclass(frozen=True)
class PredictionId:
    """What an id says: which label ``version`` of the model gave when, and the keyed hash of the text it gave it to."""

    label: str
    version: str
    digest: str
    """The first 8 hex digits of the model's digest: a version number of another registry is told apart."""
    made_at: datetime
    text_hash: bytes
    text_key: bytes

    def is_of(self, text: str) -> bool:
        """Whether the prediction was of exactly this text, as it was sent."""
        return hmac.compare_digest(_keyed(self.text_key, 8, text).digest(), self.text_hash)


class PredictionIds:
    """Makes and reads the ids of one topic. ``previous``: a secret that was in use before, whose ids are still read."""

    def __init__(self, topic: str, present: Secret, previous: Secret | None = None):
        self._keys = [(each.key(f"id {topic}"), each.key(f"id's text {topic}")) for each in (present, previous) if each]
        whole, text = self._keys[0]
        self._whole, self._text = hashlib.blake2b(key=whole, digest_size=_HASH_BYTES), hashlib.blake2b(key=text, digest_size=8)

    def make(self, model: LoadedModel, texts: Sequence[str], probabilities: np.ndarray) -> list[str]:
        """An id for each of ``texts``, as they were sent, and its row of ``probabilities``: about 3 µs each."""
        now, first = int(time.time()), int.from_bytes(os.urandom(6))
        version, digest = _number(model.version.version), bytes.fromhex(model.digest[:8])
        made = []
        for place, label in enumerate(probabilities.argmax(axis=1).tolist()):
            text, whole = self._text.copy(), self._whole.copy()
            text.update(texts[place].encode("utf-8", "surrogatepass"))
            ordinal = (first + place & 0xFFFFFFFFFFFF).to_bytes(6)
            body = _LAYOUT.pack(_FORMAT, label, now, version, digest, ordinal, text.digest())
            whole.update(body)
            made.append(base64.urlsafe_b64encode(body + whole.digest()).decode())
        return made

    def read(self, token: str) -> PredictionId:
        """What ``token`` says; `UnknownPrediction` when it was not made here."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise UnknownPrediction from None
        body, found = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        for whole, text in self._keys:
            if hmac.compare_digest(_keyed(whole, _HASH_BYTES, body).digest(), found):
                _, label, made_at, version, digest, _, text_hash = _LAYOUT.unpack(body)
                return PredictionId(LABELS[label], str(version), digest.hex(), datetime.fromtimestamp(made_at, UTC), text_hash, text)
        raise UnknownPrediction

    def hashes(self, text: str) -> list[bytes]:
        """What ids say of ``text``, by the present and the previous secret: to find what was kept of it."""
        return [_keyed(key, 8, text).digest() for _, key in self._keys]


def _keyed(key: bytes, size: int, content: bytes | str):
    return hashlib.blake2b(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"), key=key, digest_size=size)


def _number(version: str) -> int:
    """A registry's versions are numbers; a model from a folder has none."""
    return int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
