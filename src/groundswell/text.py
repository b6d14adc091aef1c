"""What a model sees of a post: one normalisation, versioned, for training, scoring and serving alike.

Standard library only: serving imports it. Emoji and non-Latin scripts stay as they are. Change the rules, raise
``TEXT_VERSION``: a model says which version it was trained with, and the predictor refuses another.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata

TEXT_VERSION = 1

MAX_CHARACTERS = 10_000
"""Text past this is cut before anything else is done: no model here reads further, and no pattern may run away."""

_LITERAL_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TAG = re.compile(r"</?(?:p|br|a|i|b|em|strong|code|pre|u|h1|list|\*)\b[^<>]{0,500}>", re.IGNORECASE)
_URL = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w@])@\w{1,50}")
_SPACE = re.compile(r"\s+")


def normalise(text: str | None) -> str:
    """``text`` as a model reads it: entities and literal escapes decoded, NFC, tags out, mentions → ``@user``, links → ``http``.

    Never raises on a string: NUL and other control characters and lone surrogates become spaces. ``None`` gives ``""``.
    """
    if not text:
        return ""
    text = text[:MAX_CHARACTERS]
    text = _LITERAL_ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), text)
    text = html.unescape(text)
    text = _SURROGATE.sub(" ", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    text = _CONTROL.sub(" ", _TAG.sub(" ", text))
    text = unicodedata.normalize("NFC", text)
    text = _URL.sub("http", text)
    text = _MENTION.sub("@user", text)
    return _SPACE.sub(" ", text).strip()


def skeleton(text: str) -> str:
    """What is left of a normalised text for telling whether two say the same: case-folded words, no marks, mentions or links."""
    words = re.findall(r"\w+", text.casefold().replace("@user", " ").replace("http", " "))
    return " ".join(words) or text


def fingerprint(text: str) -> int:
    """A 64-bit number for the skeleton of a normalised text: equal for texts that say the same, letter for letter."""
    return int.from_bytes(hashlib.blake2b(skeleton(text).encode(), digest_size=8).digest(), "big")
