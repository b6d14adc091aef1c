"""Ids that hold an author's id and must go back to their platform whole: wrapped with a key, not thrown away.

A Bluesky post is named by its author and a number, and only by that whole name can the platform be asked whether the post is still
there. So the author's part is encrypted (AES-SIV, RFC 5297: the same id under the same key is the same word, as with a pseudonym) with
a key made of the pseudonyms' key, which is outside the lake. Refuses nothing: what it can't open is None.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_MARK = "~"
_WRAPPED = re.compile(r"~[\w-]{22,}")  # a tag of 16 bytes is 22 letters


def holds_wrapped(value: str) -> bool:
    """Whether a wrapped id is part of ``value``."""
    return _WRAPPED.search(value) is not None


def wrap(native: str, key: bytes, source: str) -> str:
    """``native`` as a word of letters, digits, ``-`` and ``_`` after a ``~`` that only ``key`` opens."""
    return _MARK + urlsafe_b64encode(_cipher(key).encrypt(native.encode("utf-8", "surrogatepass"), [source.encode()])).decode().rstrip("=")


def unwrap(word: str, keys: Iterable[bytes], source: str) -> str | None:
    """What was wrapped with one of ``keys`` for ``source``; None for anything else."""
    letters = word.removeprefix(_MARK)
    if letters == word:
        return None
    try:
        sealed = urlsafe_b64decode(letters + "=" * (-len(letters) % 4))
    except ValueError:
        return None
    for key in keys:
        try:
            return _cipher(key).decrypt(sealed, [source.encode()]).decode("utf-8", "surrogatepass")
        except InvalidTag:
            continue
    return None


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESSIV:
    return AESSIV(hmac.new(key, b"groundswell wrapped ids", hashlib.sha512).digest())
