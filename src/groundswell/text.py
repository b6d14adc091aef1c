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

_ROUNDS = 6
"""One round undoes one layer of escaping; text with more layers than this was built to waste time, and loses its `_ESCAPES`."""

_LITERAL_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SURROGATE_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")  # not the joiners U+200C/D: emoji and Persian are spelt with them
_TAG = re.compile(r"</?(?:p|br|a|i|b|em|strong|code|pre|u|span|h[1-6]|ul|ol|li|blockquote)\b[^<>]{0,500}>", re.IGNORECASE)
_BRACKET_TAG = re.compile(r"\[/?(?:b|i|u|s|h[1-3]|strike|spoiler|list|olist|\*|quote|url|code|table|tr|th|td)(?:=[^\[\]]{0,500})?\]", re.IGNORECASE)
_URL = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w@])@\w+(?:@[\w-]+(?:\.[\w-]+)+)*(?:\.[\w-]+\.[\w.-]*\w)?")  # @name, @name@host.example, @name.host.example
_SPACE = re.compile(r"\s+")
_ESCAPES = str.maketrans(dict.fromkeys("&\\<[@:/.", " "))

_STOOD_FOR = re.compile(r"@user|\bhttp\b")


def normalise(text: str | None) -> str:
    """``text`` as a model reads it: entities and literal escapes decoded, NFC, tags out, mentions → ``@user``, links → ``http``.

    At most `MAX_CHARACTERS` long, one line, and a fixed point: normalising it again changes nothing. Never raises on a string:
    NUL and other control characters and lone surrogates become spaces. ``None`` gives ``""``.
    """
    if not text:
        return ""
    for _ in range(_ROUNDS):
        before, text = text, _round(text)
        if text == before:
            return text
    return _round(_round(text.translate(_ESCAPES)))


def without_invisible(text: str) -> str:
    """``text`` without the characters that take no space and join nothing."""
    return _INVISIBLE.sub("", text)


def _round(text: str) -> str:
    """One round; a pattern is tried only where a character of it is there: most texts have none of most."""
    text = text[:MAX_CHARACTERS]
    if "\\u" in text:
        text = _LITERAL_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    text = html.unescape(text)
    if not text.isascii():
        text = _SURROGATE_PAIR.sub(lambda match: match[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
        text = without_invisible(_SURROGATE.sub(" ", text))
    text = _CONTROL.sub(" ", text)
    text = _TAG.sub(" ", text) if "<" in text else text
    text = _BRACKET_TAG.sub(" ", text) if "[" in text else text
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    text = _URL.sub("http", text) if "://" in text or "www." in text.lower() else text
    text = _MENTION.sub("@user", text) if "@" in text else text
    return _SPACE.sub(" ", text).strip()[:MAX_CHARACTERS].rstrip()


class _Words(dict):
    """`str.translate`'s table that keeps letters, their marks and numbers, joins what a joiner joins, and parts words elsewhere."""

    def __missing__(self, code: int) -> str | None:
        kind = unicodedata.category(chr(code))
        is_word = kind[0] in "LN" or kind in ("Mn", "Mc") and not 0xFE00 <= code <= 0xFE0F  # variation selectors belong to emoji
        self[code] = chr(code) if is_word else None if kind == "Cf" else " "
        return self[code]


_WORDS = _Words()


def skeleton(text: str) -> str:
    """What is left of a normalised text for telling whether two say the same: case-folded words, no punctuation, emoji, mentions or links.

    A text without any word, such as one of emoji only, is its own skeleton.
    """
    words = _STOOD_FOR.sub(" ", text.casefold()).translate(_WORDS).split()
    return " ".join(words) or text


def fingerprint(text: str) -> int:
    """A 64-bit number for the skeleton of a normalised text: equal for texts that say the same, letter for letter."""
    return int.from_bytes(hashlib.blake2b(skeleton(text).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
