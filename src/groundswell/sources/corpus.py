"""Rows of a corpus file, whatever its format: CSV, TSV, JSONL or Parquet; a piece of the file in memory at a time.

Reads the file once (the beginning of JSONL twice, up to where every mapped column was seen). Refuses, as a `CorpusError` that names file,
row and column: a file that is not there or not of its format, bytes that are not in the encoding, a mapped column that is missing, a row
that is too short to have it, a quote that is not closed, a damaged page. What stands before such a place was given by then.
"""

from __future__ import annotations

import codecs
import csv
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from groundswell.errors import CorpusError, ParamsError, nearest

FORMATS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
DELIMITERS = {"csv": ",", "tsv": "\t"}
_LONGEST_FIELD = 16 * 1024 * 1024
_PIECE = 1024 * 1024
"""Bytes of a text file that are decoded at a time."""
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
        pieces = partial(_decoded, path, section, DELIMITERS.get(kind))
        if kind == "jsonl":
            return cls(path, *_jsonl(path, pieces, required), key=section.key("columns"))
        return cls(path, *_table(path, pieces(), DELIMITERS[kind], section.has_header, required), key=section.key("columns"))

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


def _decoded(path: Path, section, delimiter: str | None) -> Iterator[str]:
    """The file's text, a piece at a time, without a byte order mark."""
    try:
        pieces = _pieces(path, section.encoding)
        yield next(pieces, "").removeprefix("\ufeff")
        yield from pieces
    except LookupError:
        raise ParamsError(f"{section.called}.encoding: {section.encoding!r} is no encoding that Python knows: e.g. utf-8, latin-1, utf-16") from None
    except UnicodeDecodeError as error:
        readable = _pieces(path, section.encoding, errors="replace", until=error.start)
        row, column = _place_after(readable, delimiter, section.has_header)
        raise CorpusError(
            f"{path}, row {row}, column {column}: byte 0x{error.object[0]:02x} is not {section.encoding}: set {section.key('encoding')} to what it is"
        ) from None


def _pieces(path: Path, encoding: str, *, errors: str = "strict", until: int | None = None) -> Iterator[str]:
    """The file decoded, up to the byte ``until``. A `UnicodeDecodeError` says where in the file, and its object begins there."""
    decoder, read = None, 0
    for block in _blocks(path, until):
        decoder, read = decoder or _decoder(encoding, block)(errors), read + len(block)
        try:
            if text := decoder.decode(block, final=not block):
                yield text
        except UnicodeDecodeError as error:  # its object is what was left of the block before, and this one
            place = read - len(error.object) + error.start
            raise UnicodeDecodeError(encoding, error.object[error.start :], place, place + 1, error.reason) from None


def _blocks(path: Path, until: int | None) -> Iterator[bytes]:
    """The file's bytes, at last an empty block."""
    left = sys.maxsize if until is None else until
    try:
        with path.open("rb") as file:
            while block := file.read(min(_PIECE, left)):
                left -= len(block)
                yield block
    except OSError as error:
        raise CorpusError(f"{path}: the corpus can't be read: {error.strerror}") from None
    yield b""


def _decoder(encoding: str, start: bytes) -> type[codecs.IncrementalDecoder]:
    """Decodes as `bytes.decode` does: UTF-16 and UTF-32 without a byte order mark too, in this machine's order. `LookupError`."""
    with suppress(UnicodeError):
        b"?".decode(encoding)  # refuses codecs that are none of text
    name = codecs.lookup(encoding).name
    marks = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
    if name in marks and not start.startswith(marks[name]):
        encoding = f"{name}-{'le' if sys.byteorder == 'little' else 'be'}"
    return codecs.getincrementaldecoder(encoding)


def _place_after(readable: Iterable[str], delimiter: str | None, has_header: bool) -> tuple[int, str]:
    """Row and column in which a file stands after its ``readable`` part: the column by name where the file has a header."""
    if delimiter is None:
        return sum(piece.count("\n") for piece in readable) + 1, "unknown"
    csv.field_size_limit(_LONGEST_FIELD)
    rows = enumerate(csv.reader(_lines(chain(readable, "?")), delimiter=delimiter), start=1)
    _, first = next(rows)
    number, last = (*deque(rows, maxlen=1), (1, first))[0]
    place = len(last) - 1
    is_named = has_header and number > 1 and place < len(first)
    return number, repr(first[place]) if is_named else f"{place} (from 0)"


def _table(path: Path, text: Iterable[str], delimiter: str, has_header: bool, required: list[str]) -> tuple[list[str], list[str], Iterator]:
    rows = _numbered(path, text, delimiter)
    if has_header:
        names = next(rows, (1, []))[1]
        return [name.strip() for name in names], required, rows
    first = next(rows, None)
    width = len(first[1]) if first else len(required)
    names = [str(place) for place in range(width)]
    return names, required, rows if first is None else chain([first], rows)


def _numbered(path: Path, text: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)  # else an open quote swallows the rest of the file unseen
    number = 0
    try:
        for number, values in enumerate(reader, start=1):
            if values:
                yield number, values
    except csv.Error as error:
        raise CorpusError(f"{path}, row {number + 1}, column unknown: {error}: is a quote in or around a field not closed or not doubled?") from None


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Lines by ``\\n`` only: str.splitlines would also cut at U+2028 and its like, inside a quoted post."""
    begun: list[str] = []
    for piece in pieces:
        start = 0
        while end := piece.find("\n", start) + 1:
            yield "".join((*begun, piece[start:end]))
            begun, start = [], end
        begun.append(piece[start:])
    if rest := "".join(begun):
        yield rest


def _jsonl(path: Path, pieces: Callable[[], Iterator[str]], required: list[str]) -> tuple[list[str], list[str], Iterator]:
    names = _names(_records(path, pieces()), required)
    return names, required, ((number, [record.get(name) for name in names]) for number, record in _records(path, pieces()))


def _names(records: Iterable[tuple[int, dict]], required: list[str]) -> list[str]:
    """``required``, where records have them all, mostly the first one; else every column that there is, for the message."""
    names: dict[str, None] = {}
    for _, record in records:
        names |= dict.fromkeys(record)
        if names.keys() >= set(required):
            return required
    return list(names) or required


def _records(path: Path, pieces: Iterable[str]) -> Iterator[tuple[int, dict]]:
    for number, line in enumerate(_lines(pieces), start=1):
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
