"""Pseudonyms: what leaves `collect` in the place of an author's id.

A pseudonym is HMAC-SHA256 over the source's name and the id, with the installation's key: the same author is the same stranger
in every window, and without the key nobody can try ids out. The author's own id is also taken out of everything else that
is written of the post: the raw record, links, tags, mentions.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache

_SURROGATE = re.compile("[\ud800-\udfff]")
_UNMISTAKABLE = re.compile(r"(?=.*[\d_.:@-]).{5,}|.{16,}", re.DOTALL)
"""An id that is no everyday word: it is taken out of running text wherever it stands, a word like ``games`` only as a mention."""


class Pseudonyms:
    """The pseudonyms of one source's authors. ``paths`` say where in a record ids stand: ``("author", "steamid")``."""

    def __init__(self, key: bytes, source: str, paths: Iterable[tuple[str, ...]] = ()):
        self._key = key
        self._source = source
        self.paths = list(paths)
        self.of = lru_cache(maxsize=100_000)(self._of)

    def _of(self, author: str | None) -> str | None:
        """32 hex digits for a native id; None for None."""
        if author is None:
            return None
        message = f"{self._source}\0{author}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:32]

    def hider(self, author: str | None) -> Hider:
        """What takes ``author`` out of a post."""
        return Hider(author, self)


class Hider:
    """Takes one author's id out of strings and records, and makes them fit to be stored (no lone surrogates)."""

    def __init__(self, author: str | None, pseudonyms: Pseudonyms):
        self._pseudonyms = pseudonyms
        self._author = author
        self._name = pseudonyms.of(author)
        if author:
            token = rf"(?<![^\W_]){re.escape(author)}(?![^\W_])"
            self._token = re.compile(token, re.IGNORECASE)
            self._mention = re.compile(token if _UNMISTAKABLE.fullmatch(author) else rf"(?<=[@/=~]){re.escape(author)}(?![^\W_])", re.IGNORECASE)

    def text(self, value: str | None) -> str | None:
        """``value`` without the id: everywhere in a single word (a tag, a link, an id), as a mention in running text."""
        if value is None:
            return None
        if self._author:
            pattern = self._token if " " not in value and ("/" in value or "_" in value) else self._mention
            value = pattern.sub(self._name, value)
        return _SURROGATE.sub("\ufffd", value)

    def record(self, record: dict) -> str:
        """``record`` as JSON with sorted keys; what stands at the source's author paths becomes that id's pseudonym."""
        return json.dumps(self._walk(record, self._pseudonyms.paths), ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)

    def _walk(self, value, paths: list[tuple[str, ...]]):
        if isinstance(value, dict):
            return {self.text(str(key)): self._walk(child, [path[1:] for path in paths if path and path[0] == key]) for key, child in value.items()}
        if isinstance(value, list):
            return [self._walk(child, paths) for child in value]
        if () in paths and value not in (None, ""):
            return self._pseudonyms.of(_as_word(value))
        return self.text(value) if isinstance(value, str) else self._number(value)

    def _number(self, value):
        """A number that is the author's id (some platforms' ids are numbers) is hidden as well; NaN, which JSON lacks, is null."""
        if isinstance(value, float) and not math.isfinite(value):
            return None
        is_id = (
            self._author is not None
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and len(self._author) >= 5
            and _as_word(value) == self._author
        )
        return self._name if is_id else value


def _as_word(value) -> str:
    """A record's id as its source names the author: ``12345.0`` is the author ``12345``."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()
