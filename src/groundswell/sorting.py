"""Posts in the order of the lake, however many: sorted runs on disk, merged (external merge sort, Knuth vol. 3, 5.4).

Reads canonical posts as they come. Holds a run of them at most; more go to files without a name in a folder of the caller's, so that
a run that was killed leaves no text of anybody's behind. Gives tables by time, then id, then ``raw``; equal ones as they came.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from groundswell.errors import StorageError
from groundswell.files import raise_for_storage
from groundswell.schema import POST

RUN = 131_072
"""Rows in memory before they are sorted and put on disk."""
_CONVERTED = 8_192
"""Rows that wait as Python objects, which take five times the memory."""
_READ = 1_024
"""Rows that are read of a run at a time: every run has so many in memory while they are merged."""
_BY = ("created_at", "post_id")


class SortedPosts:
    """Posts that are added in any order and come out sorted; ``by_raw`` also sorts those of one time and id, else the first stays first."""

    def __init__(self, folder: Path, *, by_raw: bool):
        self._folder, self._keys = folder, [(name, "ascending") for name in (*_BY, "raw")[: 3 if by_raw else 2]]
        self._rows: list[dict] = []
        self._batches: list[pa.RecordBatch] = []
        self._runs: list[_Run] = []
        self._files = ExitStack()
        self.count = 0

    def __enter__(self) -> SortedPosts:
        return self

    def __exit__(self, *error) -> None:
        self._files.close()

    def add(self, row: dict) -> None:
        """Take a canonical post, a value for every field of `schema.POST`."""
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= _CONVERTED:
            self._convert()
            if sum(batch.num_rows for batch in self._batches) >= RUN:
                self._runs.append(self._on_disk(self._sorted(pa.Table.from_batches(self._batches))))
                self._batches = []

    def _convert(self) -> None:
        if self._rows:
            self._batches.append(pa.RecordBatch.from_pylist(self._rows, schema=POST))
            self._rows = []

    def _sorted(self, table: pa.Table) -> pa.Table:
        return table.take(pc.sort_indices(table, sort_keys=self._keys))

    def _on_disk(self, table: pa.Table) -> _Run:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._files.enter_context(tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115 - closed with the others
            with pa.ipc.new_file(file, POST, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
                writer.write_table(table, max_chunksize=_READ)
        except OSError as error:
            raise_for_storage(error, self._folder)
            raise StorageError(f"{self._folder}: {table.num_rows} posts could not be put aside ({error}): look after the disk") from error
        return _Run(_batches_of(file))

    def until(self, end: datetime) -> Iterator[pa.Table]:
        """All posts before ``end`` that were not given yet; ends must grow, and nothing be added any more."""
        self._convert()
        if self._batches:
            self._runs.append(_Run(iter([self._sorted(pa.Table.from_batches(self._batches))])))
            self._batches = []
        end = pa.scalar(end, POST.field("created_at").type)
        while True:
            bound = min((run.safe_until() for run in self._runs if run.safe_until() is not None), default=end, key=lambda scalar: scalar.value)
            bound = min(bound, end, key=lambda scalar: scalar.value)
            parts = [part for part in (run.take_before(bound) for run in self._runs) if part.num_rows]
            if parts:
                yield self._sorted(pa.concat_tables(parts)) if len(parts) > 1 else parts[0]
            if bound.equals(end):
                return
            for run in self._runs:
                run.read_on(bound)


def first_of_each(tables: Iterable[pa.Table], dropped: Counter) -> Iterator[pa.Table]:
    """The posts whose id was not there before; the others are counted as ``duplicate_id``: paging brought them twice."""
    seen: set[str] = set()
    for table in tables:
        is_first = [not (post_id in seen or seen.add(post_id)) for post_id in table.column("post_id").to_pylist()]
        if not all(is_first):
            dropped["duplicate_id"] += is_first.count(False)
        yield table.filter(pa.array(is_first))


class _Run:
    """A sorted run, of which the next rows are in memory."""

    def __init__(self, tables: Iterator[pa.Table]):
        self._tables, self._head, self._is_over = tables, POST.empty_table(), False
        self._read()

    def _read(self) -> None:
        more = next(self._tables, None)
        if more is None:
            self._is_over = True
        else:
            self._head = pa.concat_tables([self._head, more]) if self._head.num_rows else more

    def safe_until(self) -> pa.Scalar | None:
        """The time before which no row of this run is unread; None: it is read to its end."""
        return None if self._is_over else self._head.column("created_at")[-1]

    def read_on(self, bound: pa.Scalar) -> None:
        """Read more where ``bound`` could not pass: a run's rows in memory may all be of one time."""
        if not self._is_over and self.safe_until().value <= bound.value:
            self._read()

    def take_before(self, bound: pa.Scalar) -> pa.Table:
        """The rows before ``bound``, which are not given again."""
        count = pc.sum(pc.less(self._head.column("created_at"), bound)).as_py() or 0
        before, self._head = self._head.slice(0, count), self._head.slice(count)
        return before


def _batches_of(file: BinaryIO) -> Iterator[pa.Table]:
    file.seek(0)
    reader = pa.ipc.open_file(file)
    for number in range(reader.num_record_batches):
        yield pa.Table.from_batches([reader.get_batch(number)])
