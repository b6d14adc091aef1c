"""Signed documents: what `judge` writes is what `promote` acts upon, or it is refused.

HMAC-SHA256 over the canonical JSON (keys sorted, no spaces, UTF-8, no NaN) of everything in the document, the id of the key among it; only
the signature's own value stands outside. Whoever can write the file and has not the key can neither make a document nor change one. The
key is the installation's (`Settings.verdict_key`). Reads and writes nothing; refuses (`JudgeRefused`) what is unsigned, altered, or
signed with another key.
"""

from __future__ import annotations

import hashlib
import hmac
import json

from groundswell.errors import JudgeRefused

ALGORITHM = "HMAC-SHA256"


def key_id(key: bytes) -> str:
    """8 hex digits that tell one key from another, and nothing of the key."""
    return hashlib.sha256(b"groundswell verdict key\0" + key).hexdigest()[:8]


def signed(document: dict, key: bytes) -> dict:
    """``document`` with its ``signature``: algorithm, key_id, value (64 hex digits)."""
    unsealed = {**document, "signature": {"algorithm": ALGORITHM, "key_id": key_id(key)}}
    return {**document, "signature": {**unsealed["signature"], "value": _value(unsealed, key)}}


def require_signed(document: dict, key: bytes, *, what: str, remedy: str) -> None:
    """`JudgeRefused` unless ``document`` is as it was `signed` with ``key``; ``what`` names it in the message."""
    found = document.get("signature")
    if not isinstance(found, dict) or not isinstance(found.get("value"), str):
        raise JudgeRefused(f"{what} is not signed: anybody could have written it; {remedy}")
    if found.get("algorithm") != ALGORITHM or found.get("key_id") != key_id(key):
        raise JudgeRefused(
            f"{what} is signed with key {found.get('key_id')} ({found.get('algorithm')}), this installation's is {key_id(key)} ({ALGORITHM}): "
            f"set GROUNDSWELL_VERDICT_KEY to what judge ran with, or {remedy}"
        )
    rest = {**document, "signature": {name: value for name, value in found.items() if name != "value"}}
    if not hmac.compare_digest(_value(rest, key).encode(), found["value"].encode("utf-8", "surrogatepass")):
        raise JudgeRefused(f"{what} is not what the judge wrote (its signature does not fit): {remedy}")


def canonical(document: dict) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")


def _value(document: dict, key: bytes) -> str:
    try:
        return hmac.new(key, canonical(document), hashlib.sha256).hexdigest()
    except ValueError as error:
        raise JudgeRefused(f"a verdict can't be signed: {error}; expected numbers and no NaN") from None
