"""Corpora as posts: which column is what, times as corpora write them, and what is refused. Shared by the sources that read corpora.

Reads rows and writes nothing. Only mapped columns are read. A time that is none, an id or a label that is no word is a `CorpusError`
naming corpus, row and column. Labels stay the corpus's own words; prepare maps them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import ClassVar, Literal

from groundswell.errors import CorpusError, ParamsError, nearest
from groundswell.params import Section
from groundswell.settings import Settings
from groundswell.sources.base import Found, Reading, moment, real, whole, word
from groundswell.sources.corpus import Corpus, Row

NUMBERS = {"likes": whole, "reposts": whole, "replies": whole, "score": real}
WORDS = ("lang", "kind", "parent_id", "native_label", "label", "url")
MAPPABLE = ("post_id", "created_at", "text", "author", "edited_at", *NUMBERS, *WORDS)
"""The canonical columns that a corpus can give."""

_MILLISECONDS_FROM = 100_000_000_000
"""Epoch numbers above this (the year 5138 in seconds) are milliseconds; a thousandfold above, microseconds."""


class Columns(Section):
    """Which columns of a corpus are what."""

    called: ClassVar[str]
    """The section's own name in params.yaml, for messages."""

    columns: dict[str, str] = {"post_id": "post_id", "created_at": "created_at", "text": "text"}
    """Canonical column → the corpus's column (a name, or a 0-based number where a file has no header)."""
    time_format: str | None = None  # strptime's; None: ISO 8601 or epoch seconds
    label_provenance: Literal["human", "dataset"] = "dataset"

    def key(self, name: str) -> str:
        """Where a person says ``name`` of a corpus like this one."""
        return f"{self.called}.{name}"

    def required(self) -> list[str]:
        """The columns that the corpus must have; `ParamsError` for a mapping that can't be right."""
        for name in self.columns:
            if name not in MAPPABLE:
                raise ParamsError(f"params.yaml: {self.called}.columns: {name!r} is no column of a post{nearest(name, MAPPABLE)}")
        for name in ("created_at", "text"):
            if name not in self.columns:
                raise ParamsError(
                    f"params.yaml: {self.called}.columns: {name!r} must be mapped to a column of the corpus (no time, no window; no text, no post)"
                )
        return list(self.columns.values())


class FileColumns(Columns):
    """And how the corpus's file is written."""

    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None  # None: by the file's ending
    encoding: str = "utf-8"
    has_header: bool = True


def in_project(path: Path, settings: Settings) -> Path:
    """``path``; a relative one is the project's."""
    return path if path.is_absolute() else settings.project / path


def posts_of(corpus: Corpus, reading: Reading) -> Iterator[Found]:
    """The corpus's rows of ``[start, end)``, in its order; ``reading.section`` is a `Columns`."""
    columns, clock = reading.section.columns, _Clock(reading.section)
    for row in corpus.rows():
        created = clock.read(row, columns["created_at"])
        if created in reading:
            yield _found(row, created, columns, reading, clock)


def _found(row: Row, created: datetime, columns: dict[str, str], reading: Reading, clock: _Clock) -> Found:
    value = {name: row.get(column) for name, column in columns.items()}
    words = {name: _word(row, columns[name]) if name in columns else None for name in ("post_id", "author", *WORDS)}
    text = value["text"]
    return Found(
        created_at=created,
        text=text if isinstance(text, str) or text is None else str(text),
        record=row.record(),
        edited_at=clock.read(row, columns["edited_at"]) if value.get("edited_at") not in (None, "") else None,
        label_provenance=reading.section.label_provenance if words["label"] else None,
        **words,
        **{name: convert(value.get(name)) for name, convert in NUMBERS.items()},
    )


def _word(row: Row, column: str) -> str | None:
    """The id or name in ``column``; None where there is none. `CorpusError` for what would be lost as a word: never shown, it may be a handle."""
    value = row.get(column)
    found = word(value)
    is_nothing = value is None or isinstance(value, str) or (isinstance(value, float) and math.isnan(value))
    if found is None and not is_nothing:
        where = f"{row.corpus.path}, row {row.number}, column {column!r}"
        raise CorpusError(f"{where}: expected a string or a whole number, found {type(value).__name__}: make the column strings or map another")
    return found


class _Clock:
    """Reads times as a corpus writes them: by ``time_format``, or ISO 8601, or epoch seconds (milli- and microseconds too)."""

    def __init__(self, section: Columns):
        self._format = section.time_format
        self._key = f"{section.called}.time_format"

    def read(self, row: Row, column: str) -> datetime:
        """The UTC time in ``column``; without an offset it is UTC. `CorpusError` naming the row for anything else."""
        value = row.get(column)
        try:
            found = self._of(value)
        except (ValueError, OverflowError):
            found = None
        if found is None:
            expected = f"a time like {self._format}" if self._format else "a time (ISO 8601 or epoch seconds)"
            where = f"{row.corpus.path}, row {row.number}, column {column!r}"
            raise CorpusError(f"{where}: expected {expected}, found {_shown(value)}: correct the row or set {self._key}")
        return found if found.tzinfo is UTC else (found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))

    def _of(self, value) -> datetime | None:
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime.combine(value, time())
        if self._format and isinstance(value, str):
            return datetime.strptime(value.strip(), self._format)  # noqa: DTZ007 - made UTC by read
        number = real(value)
        if number is not None:
            return _epoch(number)
        return datetime.fromisoformat(value.strip()) if isinstance(value, str) else None


def _epoch(number: float) -> datetime | None:
    while abs(number) > _MILLISECONDS_FROM:
        number /= 1000
    return moment(number)


def _shown(value) -> str:
    """A value short enough for a message; long ones may be a post's text in the wrong column and are not shown."""
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{len(shown)} characters"
