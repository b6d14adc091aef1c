"""Files of posts, CSV, TSV, JSONL or Parquet: read row by row, and written again with predictions beside their own columns.

Reads a file as a stream and writes another of its kind, a batch of rows in memory at most; columns and types stay. Refuses, with
`CorpusError` naming the line, what can't be read; repeats nothing of it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from groundswell.client import Prediction
from groundswell.errors import CorpusError, UsageError

ANSWERS = ("label", "negative", "neutral", "positive", "version")
"""What of a prediction goes into a row."""

_LONGEST_CELL = 100_000_000
_ROWS_AT_ONCE = 1024


class Row(NamedTuple):
    """A row of a file: whatever its writer wants back, the text (None: there is none), and how far the reader has come, 0 to 1."""

    content: object
    text: str | None
    share: float


class Posts(Protocol):
    """A file of one kind: its rows in order, then each of them again with its answers, into the file beside."""

    def columns(self) -> list[str]: ...

    def rows(self, column: str) -> Iterator[Row]: ...

    def start(self, beside: Path, names: Sequence[str]) -> None: ...

    def write(self, content: object, prediction: Prediction | None) -> None: ...

    def close(self) -> None: ...


def open_posts(file: Path) -> Posts:
    """``file`` by the ending of its name; `UsageError` for another kind."""
    kinds = {".csv": _Csv, ".tsv": _Csv, ".jsonl": _JsonLines, ".ndjson": _JsonLines, ".parquet": _Parquet}
    kind = kinds.get(file.suffix.lower())
    if kind is None:
        raise UsageError(f"{file}: expected a name that ends in {', '.join(kinds)}")
    try:
        return kind(file)
    except OSError as error:
        raise CorpusError(f"{file} can't be read ({error.strerror or type(error).__name__}): check the path") from None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _values(prediction: Prediction | None) -> list:
    return [getattr(prediction, name, None) for name in ANSWERS]


class _Lines:
    """What CSV and JSONL share: lines of UTF-8, and how far they are read."""

    def __init__(self, file: Path):
        self.file, self._size, self._number = file, max(1, file.stat().st_size), 0
        self._opened = ExitStack()
        self._bytes: BinaryIO = self._opened.enter_context(open(file, "rb"))  # noqa: SIM115 - closed by close

    def _lines(self) -> Iterator[str]:
        for line in self._bytes:
            self._number += 1
            try:
                yield line.decode("utf-8-sig" if self._number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise CorpusError(f"{self.file}, line {self._number}: expected UTF-8: convert the file, e.g. with iconv -f LATIN1 -t UTF-8") from None

    @property
    def _share(self) -> float:
        return self._bytes.tell() / self._size

    def start(self, beside: Path, names: Sequence[str]) -> None:
        self._names = names
        self._out = self._opened.enter_context(open(beside, "w", encoding="utf-8", newline=""))  # noqa: SIM115

    def close(self) -> None:
        self._opened.close()


class _Csv(_Lines):
    """CSV, or with tabs; the first line has the columns' names."""

    def __init__(self, file: Path):
        super().__init__(file)
        csv.field_size_limit(_LONGEST_CELL)
        self._form = {"delimiter": "\t" if file.suffix.lower() == ".tsv" else ","}
        self._reader = csv.reader(self._lines(), strict=True, **self._form)
        self._header = next(self._checked(), [])

    def columns(self) -> list[str]:
        return self._header

    def rows(self, column: str) -> Iterator[Row]:
        place, width = self._header.index(column), len(self._header)
        for cells in self._checked():
            if not cells:
                continue  # an empty line
            if len(cells) != width:
                raise CorpusError(
                    f"{self.file}, line {self._number}: expected {width} columns, found {len(cells)}: is what holds the delimiter or lines in quotes?"
                )
            yield Row(cells, _text(cells[place]), self._share)

    def _checked(self) -> Iterator[list[str]]:
        try:
            yield from self._reader
        except csv.Error as error:
            raise CorpusError(f"{self.file}, line {self._number}: can't be read as CSV ({error})") from None

    def start(self, beside: Path, names: Sequence[str]) -> None:
        super().start(beside, names)
        self._writer = csv.writer(self._out, lineterminator="\n", **self._form)
        self._writer.writerow([*self._header, *names])

    def write(self, content: object, prediction: Prediction | None) -> None:
        self._writer.writerow([*content, *_values(prediction)])


class _JsonLines(_Lines):
    """An object a line; a key that a line lacks is a row without a text."""

    def __init__(self, file: Path):
        super().__init__(file)
        self._objects = self._parsed()
        self._first = next(self._objects, None)

    def columns(self) -> list[str]:
        return list(self._first or ())

    def rows(self, column: str) -> Iterator[Row]:
        if self._first is not None:
            yield Row(self._first, _text(self._first.get(column)), self._share)
        for value in self._objects:
            yield Row(value, _text(value.get(column)), self._share)

    def _parsed(self) -> Iterator[dict]:
        for line in self._lines():
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict):
                raise CorpusError(f"{self.file}, line {self._number}: expected a JSON object, found something else")
            yield value

    def write(self, content: object, prediction: Prediction | None) -> None:
        line = json.dumps({**content, **dict(zip(self._names, _values(prediction), strict=True))}, ensure_ascii=False)
        try:
            self._out.write(line + "\n")
        except UnicodeEncodeError:  # half an emoji, which JSON can hold and UTF-8 can't
            self._out.write(json.dumps(json.loads(line)) + "\n")


class _Parquet:
    """Parquet, a batch of rows in memory at a time; columns and their types stay."""

    def __init__(self, file: Path):
        import pyarrow
        from pyarrow import parquet

        self.file, self._writer, self._answers = file, None, []
        try:
            self._file = parquet.ParquetFile(file)
        except pyarrow.ArrowException as error:
            raise self._unreadable(error) from None

    def columns(self) -> list[str]:
        return self._file.schema_arrow.names

    def rows(self, column: str) -> Iterator[Row]:
        total, done = max(1, self._file.metadata.num_rows), 0
        for batch in self._batches():
            texts = batch.column(column).to_pylist()
            for place, text in enumerate(texts, start=1):
                yield Row(batch if place == len(texts) else None, _text(text), (done + place) / total)
            done += len(texts)

    def _batches(self) -> Iterator:
        try:
            yield from self._file.iter_batches(_ROWS_AT_ONCE)
        except (OSError, ValueError) as error:  # pyarrow's are of these kinds
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> CorpusError:
        return CorpusError(f"{self.file} can't be read as Parquet ({type(error).__name__}): fetch or make it again")

    def start(self, beside: Path, names: Sequence[str]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._types = [pa.float64() if name in ("negative", "neutral", "positive") else pa.string() for name in ANSWERS]
        schema = self._file.schema_arrow
        for name, kind in zip(names, self._types, strict=True):
            schema = schema.append(pa.field(name, kind))
        self._schema, self._writer = schema, parquet.ParquetWriter(beside, schema, compression="zstd")

    def write(self, content: object, prediction: Prediction | None) -> None:
        """``content`` is the batch whose last row this is, None before: a batch is written when all its answers are there."""
        import pyarrow as pa

        self._answers.append(_values(prediction))
        if content is not None:
            added = [pa.array(values, kind) for values, kind in zip(zip(*self._answers, strict=True), self._types, strict=True)]
            self._writer.write_batch(pa.RecordBatch.from_arrays([*content.columns, *added], schema=self._schema))
            self._answers = []

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._file.close()
