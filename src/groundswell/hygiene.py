"""Hygiene: what posts must lose between raw and valid, in their text and in everything else that is stored of them.

Reads a table of posts and gives another one, with counts by kind; stores nothing, and never says what it found. Names of people
only where the optional model is switched on (`names`). Keys stay as they are: a post's id and its author's pseudonym.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import pyarrow as pa

from groundswell.identifiers import is_card
from groundswell.params import HygieneParams
from groundswell.pii import USER, Scrubber

COLUMNS = ("text", "url", "parent_id", "native_label")
"""Columns that are strings of a platform's or an author's; hashtags and raw beside them are lists and JSON of such strings."""

_NAMING = re.compile(
    r"(?:user_?|screen_?|display_?|full_?|first_?|last_?|real_?|author_?|account_?|persona_?)(?:name|handle)|handle|acct|e-?mail|phone|"
    r"in_reply_to_(?:screen_name|account_id|user_id)",
    re.IGNORECASE,
)
"""Keys of a platform's record whose string is somebody's name, whatever it looks like."""

_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
_PLAIN = re.compile(r"[A-Za-z_ -]*|(?:[a-z]+_)?(?:[1-9]\d{0,12}|[0-9a-f]{32})|\d{4}-\d\d-\d\dT[\d:.]+Z?|0\.\d+")
"""What most of a record is made of, and no rule looks at: words, ids, pseudonyms, times, shares."""
_SHORT = 60  # strings such as dates, languages and links of one app come again and again: their answers are kept
_BLOCK = 2_000  # rows at a time, so that a text is still remembered when it comes again in its row's raw record
_LEAST_CARD = 10**13


class Hygiene:
    """The params' rules, made ready once and used for any number of tables."""

    def __init__(self, params: HygieneParams):
        self._scrubber = Scrubber(params.scrub, _names(params))
        self._short = lru_cache(maxsize=20_000)(self._counted)
        self._key = lru_cache(maxsize=5_000)(lambda key: (self._string(key), self._is_naming(key)))
        self._long = lru_cache(maxsize=8 * _BLOCK)(self._counted)
        self._is_off = not params.scrub and not params.names

    def scrub(self, table: pa.Table) -> tuple[pa.Table, Counter]:
        """``table`` (posts, any rows) without personal data that has a form, and how much of each kind its texts had.

        Counted are the finds in ``text``: the same ones stand in ``raw`` again. A value without a find keeps its bytes.
        """
        counts: Counter = Counter()
        if self._is_off or not table.num_rows:
            return table, counts
        blocks = [self._block(table.slice(start, _BLOCK), counts) for start in range(0, table.num_rows, _BLOCK)]
        return pa.concat_tables(blocks), counts

    def _block(self, table: pa.Table, counts: Counter) -> pa.Table:
        for text in table.column("text").to_pylist():
            if text and (found := self._clean(text)[1]):
                counts.update(found)
        for name in COLUMNS:
            table = _mapped(table, name, self._string)
        table = _mapped(table, "hashtags", lambda tags: [self._string(tag or "") for tag in tags])
        return _mapped(table, "raw", self._record)

    def _clean(self, value: str) -> tuple[str, Counter]:
        return self._short(value) if len(value) <= _SHORT else self._long(value)

    def _counted(self, value: str) -> tuple[str, Counter]:
        found: Counter = Counter()
        return self._scrubber.scrub(value, found), found

    def _string(self, value: str) -> str:
        return value if len(value) <= _SHORT and _PLAIN.fullmatch(value) else self._clean(value)[0]

    def _record(self, raw: str) -> str:
        """``raw`` with every string in it scrubbed; what is not JSON is one string."""
        try:
            record = json.loads(raw)
            clean = self._walk(record)
            return raw if clean == record else json.dumps(clean, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        except (ValueError, RecursionError):
            return self._string(raw)

    def _walk(self, value):
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, dict):
            members = ((*self._key(key), child) for key, child in value.items())
            return {key: self._named(child) if is_naming else self._walk(child) for key, is_naming, child in members}
        if isinstance(value, list):
            return [self._walk(child) for child in value]
        is_long = isinstance(value, int) and value >= _LEAST_CARD
        return "[card]" if is_long and "card" in self._scrubber.kinds and is_card(str(value)) else value

    def _named(self, value):
        is_name = isinstance(value, str) and value and not _PSEUDONYM.fullmatch(value)
        return USER if is_name else self._walk(value)

    def _is_naming(self, key: str) -> bool:
        return "mention" in self._scrubber.kinds and _NAMING.fullmatch(key) is not None


def _mapped(table: pa.Table, name: str, clean: Callable) -> pa.Table:
    """``table`` with ``clean`` done to every value of a column."""
    before = table.column(name).to_pylist()
    after = [None if value is None else clean(value) for value in before]
    place = table.column_names.index(name)
    return table if after == before else table.set_column(place, table.schema.field(place), pa.array(after, table.schema.field(place).type))


def _names(params: HygieneParams):
    """The optional model's pass, loaded only where it is asked for."""
    if not params.names:
        return None
    from groundswell.names import Names

    return Names(params.names_model).scrub
