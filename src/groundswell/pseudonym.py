"""Pseudonyms: what leaves `collect` in the place of an author's id.

A pseudonym is HMAC-SHA256 over the source's name and the id, with the installation's key: the same author is the same stranger
in every window, and without the key nobody can try ids out. The author's own id is also taken out of everything else that
is written of the post: the raw record, links, tags, mentions.

Keys change by addition: windows that were collected keep the pseudonyms of their key (its `key_id` is in their footer), for HMAC
goes one way and no native id was kept to make new ones of. Keep an old key as long as there are rows or tombstones made with it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache

from groundswell.wrapped import wrap

_SURROGATE = re.compile("[\ud800-\udfff]")
_UNMISTAKABLE = re.compile(r"(?=.*[\d_.:@-]).{5,}|.{16,}", re.DOTALL)
"""An id that is no everyday word: it is taken out of running text wherever it stands, a word like ``games`` only as a mention."""

_ALIKE = re.compile("[\u0130\u0131\u017f\u212a]")
"""What is beyond ASCII and yet, without regard to case, an ASCII letter: dotted and dotless i, long s, the Kelvin sign."""


def key_id(key: bytes) -> str:
    """Which key, without giving it away: 8 hex digits for footers and tombstones."""
    return hashlib.sha256(b"groundswell pseudonym key\0" + key).hexdigest()[:8]


def is_unmistakable(native: str) -> bool:
    """Whether an id is no everyday word, so that wherever it stands it means its owner."""
    return _UNMISTAKABLE.fullmatch(native) is not None


class Pseudonyms:
    """The pseudonyms of one source's authors. ``paths`` say where in a record ids stand: ``("author", "steamid")``.

    ``within``: what of such a place is an id, where it is not all of it, as in the address of a post.
    """

    def __init__(self, key: bytes, source: str, paths: Iterable[tuple[str, ...]] = (), within: re.Pattern[str] | None = None):
        self.key_id = key_id(key)
        self._key = key
        self._source = source
        self.paths = list(paths)
        self.within = within
        self.of = lru_cache(maxsize=100_000)(self._of)

    def _of(self, author: str | None) -> str | None:
        """32 hex digits for a native id; None for None."""
        if author is None:
            return None
        message = f"{self._source}\0{author}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:32]

    def wrap(self, author: str) -> str:
        """A word for a native id that whoever has the key can open: only for ids that must be shown to the platform again."""
        return wrap(author, self._key, self._source)

    def hider(self, author: str | None, *aliases: str) -> Hider:
        """What takes ``author`` out of a post, under all of their names."""
        return Hider(author, self, aliases)


class Hider:
    """Takes one author's id and ``aliases`` out of strings and records, and makes them fit to be stored (no lone surrogates)."""

    def __init__(self, author: str | None, pseudonyms: Pseudonyms, aliases: tuple[str, ...] = ()):
        self._pseudonyms = pseudonyms
        self._name = pseudonyms.of(author)
        self._ids = {name for name in (author, *aliases) if name} if author else set()
        # The longest first: a handle may begin with another name of the same author.
        self._names = sorted(self._ids, key=lambda name: (-len(name), name))

    def text(self, value: str | None) -> str | None:
        """``value`` without the ids: everywhere in a single word (a tag, a link, an id), as a mention in running text."""
        if value is None:
            return None
        for name in self._names:
            if _may_hold(value, name):  # most values hold no name, and a pattern costs ten times what a look does
                is_word = " " not in value and ("/" in value or "_" in value)
                value = re.sub(_token(name) if is_word else _mention(name), self._name, value, flags=re.IGNORECASE)
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
            return self._hidden(_as_word(value))
        return self.text(value) if isinstance(value, str) else self._number(value)

    def _hidden(self, word: str) -> str:
        within = self._pseudonyms.within
        if within and within.search(word):
            return _SURROGATE.sub("\ufffd", within.sub(lambda author: self._pseudonym(author[0]), word))
        return self._pseudonym(word)

    def _pseudonym(self, word: str) -> str:
        return self._name if word in self._ids else self._pseudonyms.of(word)

    def _number(self, value):
        """A number that is the author's id (some platforms' ids are numbers) is hidden as well; NaN, which JSON lacks, is null."""
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        word = _as_word(value)
        return self._name if word in self._ids and len(word) >= 5 else value


def _may_hold(value: str, name: str) -> bool:
    """False only where no pattern of ``name`` can match ``value``; letters that ``lower`` keeps apart and ``re.IGNORECASE`` does not count as may."""
    return not name.isascii() or name.lower() in value.lower() or _ALIKE.search(value) is not None


def _token(name: str) -> str:
    return rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"


def _mention(name: str) -> str:
    """A name that can be a word of everyday counts only where something says that it is a name."""
    return _token(name) if _UNMISTAKABLE.fullmatch(name) else rf"(?<=[@/=~]){re.escape(name)}(?![^\W_])"


def _as_word(value) -> str:
    """A record's id as its source names the author: ``12345.0`` is the author ``12345``."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()
