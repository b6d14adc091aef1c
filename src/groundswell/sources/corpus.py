"""Rows of a corpus file, whatever its format: CSV, TSV, JSONL or Parquet.

Refuses, as a `CorpusError` that names file, row and column: a file that is not there or not of its format, bytes that are not
in the encoding, a mapped column that is missing, a row that is too short to have it, a quote that is not closed, a damaged page.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from groundswell.errors import CorpusError, ParamsError, nearest

FORMATS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
DELIMITERS = {"csv": ",", "tsv": "\t"}
_LONGEST_FIELD = 16 * 1024 * 1024
_ROWS_A_BATCH = 1024
"""Also how near a message comes to the row where a Parquet file is damaged."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its ``number`` as a person would count it (1 is the first, the header included) and its values."""

    corpus: Corpus
    number: int
    values: Sequence

    def get(self, column: str):
        """The value of a mapped column; None where a JSONL record has none."""
        return self.values[self.corpus.places[column]]

    def record(self) -> dict:
        """The mapped columns by name: what goes into ``raw``. Times and other kinds that JSON lacks become strings.

        Never the others: one that nobody described may hold a handle, and nothing would take it out.
        """
        pairs = ((column, self.get(column)) for column in self.corpus.places)
        return {name: value if isinstance(value, str | int | float | bool | list | dict | None) else str(value) for name, value in pairs}


class Corpus:
    """A file's column names, the places of the mapped ones, and its rows."""

    def __init__(self, path: Path | str, names: list[str], required: list[str], numbered: Iterator[tuple[int, Sequence]], *, key: str):
        """``path`` is the corpus's name in messages, ``key`` where its columns are named."""
        self.path = path
        self._key = key
        self.names = names
        self.places = {column: self._place(column) for column in required}
        self._last = max(self.places.values())
        self._numbered = numbered

    @classmethod
    def open(cls, path: Path, section, *, required: list[str]) -> Corpus:
        """The corpus at ``path`` as the topic's ``section`` (a `columns.FileColumns`) describes it; every ``required`` column is there."""
        kind = section.format or FORMATS.get(path.suffix.lower())
        if kind is None:
            raise ParamsError(
                f"{path}: the ending names none of the formats {', '.join(sorted(set(FORMATS.values())))}: set {section.called}.format in params.yaml"
            )
        if kind == "parquet":
            return cls(path, *_parquet(path, required), key=section.key("columns"))
        lines = _decoded(path, section, DELIMITERS.get(kind))
        if kind == "jsonl":
            return cls(path, *_jsonl(path, lines, required), key=section.key("columns"))
        return cls(path, *_table(path, lines, DELIMITERS[kind], section.has_header, required), key=section.key("columns"))

    def rows(self) -> Iterator[Row]:
        """The rows in the file's order; `CorpusError` at the first that is too short for the mapped columns."""
        for number, values in self._numbered:
            if len(values) <= self._last:
                column = next(column for column, place in self.places.items() if place >= len(values))
                raise CorpusError(
                    f"{self.path}, row {number}, column {column!r}: the row has {len(values)} columns only: is a quote or a delimiter missing?"
                )
            yield Row(self, number, values)

    def _place(self, column: str) -> int:
        if column in self.names:
            return self.names.index(column)
        raise CorpusError(f"{self.path}, row 1, column {column!r}: the corpus has no such column{nearest(column, self.names)}; correct {self._key}")


def _decoded(path: Path, section, delimiter: str | None) -> str:
    encoding = section.encoding
    data = _bytes(path)
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise ParamsError(f"{section.called}.encoding: {encoding!r} is no encoding that Python knows: e.g. utf-8, latin-1, utf-16") from None
    except UnicodeDecodeError as error:
        row, column = _place_after(data[: error.start].decode(encoding, "replace"), delimiter, section.has_header)
        raise CorpusError(
            f"{path}, row {row}, column {column}: byte 0x{data[error.start]:02x} is not {encoding}: set {section.key('encoding')} to what it is"
        ) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: the corpus can't be read: {error.strerror}") from None


def _place_after(readable: str, delimiter: str | None, has_header: bool) -> tuple[int, str]:
    """Row and column in which a file stands after its ``readable`` part: the column by name where the file has a header."""
    if delimiter is None:
        return readable.count("\n") + 1, "unknown"
    csv.field_size_limit(_LONGEST_FIELD)
    rows = list(csv.reader(_lines(readable + "?"), delimiter=delimiter))
    place = len(rows[-1]) - 1
    is_named = has_header and len(rows) > 1 and place < len(rows[0])
    return len(rows), repr(rows[0][place]) if is_named else f"{place} (from 0)"


def _table(path: Path, text: str, delimiter: str, has_header: bool, required: list[str]) -> tuple[list[str], list[str], Iterator]:
    rows = _numbered(path, text, delimiter)
    if has_header:
        names = next(rows, (1, []))[1]
        return [name.strip() for name in names], required, rows
    first = next(rows, None)
    width = len(first[1]) if first else len(required)
    names = [str(place) for place in range(width)]
    return names, required, _chain(first, rows)


def _numbered(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)  # else an open quote swallows the rest of the file unseen
    number = 0
    try:
        for number, values in enumerate(reader, start=1):
            if values:
                yield number, values
    except csv.Error as error:
        raise CorpusError(f"{path}, row {number + 1}, column unknown: {error}: is a quote in or around a field not closed or not doubled?") from None


def _lines(text: str) -> Iterator[str]:
    """Lines by ``\\n`` only: str.splitlines would also cut at U+2028 and its like, inside a quoted post."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _chain(first, rest: Iterator) -> Iterator:
    if first is not None:
        yield first
    yield from rest


def _jsonl(path: Path, text: str, required: list[str]) -> tuple[list[str], list[str], Iterator]:
    records = list(_records(path, text))
    names = list(dict.fromkeys(name for _, record in records for name in record)) or required
    return names, required, ((number, [record.get(name) for name in names]) for number, record in records)


def _records(path: Path, text: str) -> Iterator[tuple[int, dict]]:
    for number, line in enumerate(_lines(text), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise CorpusError(f"{path}, row {number}, column unknown: not JSON: {error}") from None
        if not isinstance(record, dict):
            raise CorpusError(f"{path}, row {number}, column unknown: expected a JSON object, found a {type(record).__name__}")
        yield number, record


def _parquet(path: Path, required: list[str]) -> tuple[list[str], list[str], Iterator]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except OSError as error:
        raise CorpusError(f"{path}: the corpus can't be read: {error}") from None
    except pa.ArrowException as error:
        raise CorpusError(f"{path}: the corpus is not Parquet: {error}") from None
    return file.schema_arrow.names, required, _batches(path, file)


def _batches(path: Path, file) -> Iterator[tuple[int, tuple]]:
    """The rows, numbered; the footer was good, but a page may be damaged or hold what is no text or no time."""
    import pyarrow as pa

    number = 0
    try:
        for batch in file.iter_batches(batch_size=_ROWS_A_BATCH):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield number, values
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise CorpusError(
            f"{path}, row {number + 1}, column unknown: the Parquet file is damaged here or soon after, or holds what can't be read: {error}"
        ) from None
