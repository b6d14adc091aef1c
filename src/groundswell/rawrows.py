"""A raw partition as validate looks at it: fitted to a post's columns, repaired where it is not UTF-8, in order, a piece at a time.

Reads one partition of ``lake/raw``, twice where it holds more than a piece: first the keys, to know which rows repeat an earlier one,
then all of it. Raw files lie in order, collect sees to that; a large one of somebody else's that does not is sorted in memory. Whoever
was erased is not in it (`tombstones`). Writes nothing. Refuses, with `LakeChanged`, a partition that is another one the second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from groundswell.errors import LakeChanged
from groundswell.lake import ROW_GROUP, Lake, Partition
from groundswell.schema import POST
from groundswell.tombstones import Tombstones

PIECE = 2 * ROW_GROUP
"""Rows that are held, and looked at by the rules, at once."""
NULLABLE = pa.schema([field.with_nullable(True) for field in POST])
_CHECKED = ["source", "topic", "post_id", "author", "created_at", "text", "lang", "label", "label_provenance"]
"""What the row rules look at."""
_KEYS = ["source", "author", "post_id", "created_at", "text"]
_ORDER = [("created_at", "ascending"), ("post_id", "ascending")]


@dataclass(frozen=True)
class Piece:
    """Rows of a partition in order, and what is known of each: no U+FFFD had to be put in, its id came before, its id or text did."""

    table: pa.Table
    is_decodable: np.ndarray
    is_repeated: np.ndarray
    is_duplicate: np.ndarray


class RawRows:
    """One raw partition: what is wrong with its columns, how many rows it has (none to look at, then), and its footer."""

    def __init__(self, lake: Lake, partition: Partition, tombstones: Tombstones):
        self.partition = partition
        self._lake, self._tombstones = lake, tombstones
        self.described = lake.describe(partition)
        self.columns_wrong = self._wrong()
        is_large = self.described["rows"] > PIECE and not self.columns_wrong
        keys = _keys(self._fitted(batch)[0] for batch in lake.batches(partition, _KEYS)) if is_large else None
        self._held = None if keys and _is_ordered(keys[0]) else self._whole()
        self.is_repeated, self.is_duplicate = _repeats(*(keys if self._held is None else _keys([self._held[0]])))
        self.rows = len(self.is_repeated) if not self.columns_wrong else self.described["rows"]

    def pieces(self) -> Iterator[Piece]:
        """All rows in order; the same ones every time, or `LakeChanged`."""
        first = 0
        for table, is_decodable in [self._held] if self._held else map(self._fitted, self._lake.batches(self.partition)):
            if not first:
                self.require_unchanged()  # the file is open by now, and stays the one that it was
            for start in range(0, table.num_rows, PIECE):
                rows = slice(first, first := first + min(PIECE, table.num_rows - start))
                here = slice(start, start + PIECE)
                yield Piece(table.slice(start, PIECE), is_decodable[here], self.is_repeated[rows], self.is_duplicate[rows])

    def require_unchanged(self) -> None:
        """Refuse rows that are not there any more as they were looked at: a rule's word on one row would be another's."""
        if self._lake.metadata(self.partition).get("content_sha256") != self.described.get("content_sha256"):
            raise LakeChanged(f"{self.partition} was collected again while it was validated, so it was not written: run validate again")

    def _wrong(self) -> list[str]:
        """What is wrong with the columns: missing ones, and types of which a value can't be made a post's."""
        schema = self._lake.schema(self.partition)
        if missing := [f"{name} is missing" for name in NULLABLE.names if name not in schema.names]:
            return missing
        others = [field for field in NULLABLE if schema.field(field.name).type != field.type]
        return [f"{field.name} is {schema.field(field.name).type}, not {field.type}" for field in others if not self._can_be(field)]

    def _can_be(self, field: pa.Field) -> bool:
        try:
            for batch in self._lake.batches(self.partition, [field.name]):
                batch.column(field.name).cast(field.type)
        except pa.ArrowException:
            return False
        return True

    def _whole(self) -> tuple[pa.Table, np.ndarray]:
        if self.columns_wrong:
            return NULLABLE.empty_table(), np.ones(0, dtype=bool)
        table, is_decodable = self._fitted(self._lake.read(self.partition))
        order = pc.sort_indices(table, sort_keys=_ORDER)
        return table.take(order), is_decodable[order.to_numpy()]

    def _fitted(self, rows: pa.RecordBatch | pa.Table) -> tuple[pa.Table, np.ndarray]:
        """``rows`` without those that were erased, with the types of a post, and as `_decodable` has them."""
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        table = self._tombstones.without(table, self.partition.source)
        fields = [field for field in NULLABLE if field.name in table.column_names]
        return _decodable(pa.table([table.column(field.name).cast(field.type) for field in fields], schema=pa.schema(fields)))


def _decodable(table: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """``table`` with U+FFFD for what is not UTF-8, and which rows had none of it: Parquet does not check what it reads."""
    is_decodable = np.ones(table.num_rows, dtype=bool)
    for number, field in enumerate(table.schema):
        if pa.types.is_string(field.type) and not _is_utf8(table.column(number)):
            before = table.column(number).cast(pa.binary()).to_pylist()
            after = [None if value is None else value.decode("utf-8", "replace") for value in before]
            is_decodable &= [value is None or value.encode() == was for value, was in zip(after, before, strict=True)]
            table = table.set_column(number, field, pa.array(after, pa.string()))
    return table, is_decodable


def _is_utf8(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _keys(tables: Iterable[pa.Table]) -> tuple[pa.Table, np.ndarray]:
    """Time and id of every row, and 64 bits of a hash of its text, 0 where it has none: the texts themselves are let go."""
    found, hashes = [NULLABLE.empty_table().select(["created_at", "post_id"])], [np.empty(0, np.uint64)]
    for table in tables:
        found.append(table.select(["created_at", "post_id"]))
        texts = table.column("text").to_numpy(zero_copy_only=False)
        hashes.append(np.where(np.array([bool(text) for text in texts], dtype=bool), pd.util.hash_array(texts, categorize=False), np.uint64(0)))
    return pa.concat_tables(found), np.concatenate(hashes)


def _is_ordered(keys: pa.Table) -> bool:
    return bool((np.diff(pc.sort_indices(keys, sort_keys=_ORDER).to_numpy().astype(np.int64)) == 1).all())


def _repeats(keys: pa.Table, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row whether its id came before, and whether its id or its text did."""
    ids = keys.column("post_id").to_pandas()
    is_repeated = (ids.duplicated() & ids.notna()).to_numpy(dtype=bool)
    return is_repeated, is_repeated | (pd.Series(hashes).duplicated().to_numpy() & (hashes != 0))


def together(raws: list[RawRows]) -> Iterator[list[tuple[int, Piece]]]:
    """Pieces with the numbers of their partitions, about as many rows at a time as one piece may have; once nothing where there are none."""
    parts, rows = [], 0
    for number, raw in enumerate(raws):
        for piece in raw.pieces():
            if parts and rows + piece.table.num_rows > PIECE:
                yield parts
                parts, rows = [], 0
            parts.append((number, piece))
            rows += piece.table.num_rows
    yield parts


def frame_of(raws: list[RawRows], parts: list[tuple[int, Piece]]) -> pd.DataFrame:
    """The rows of ``parts``, what the row rules look at, and to which partition they belong."""
    frame = pa.concat_tables([NULLABLE.empty_table().select(_CHECKED), *(piece.table.select(_CHECKED) for _, piece in parts)]).to_pandas()
    number = np.repeat(np.array([number for number, _ in parts], dtype=int), [piece.table.num_rows for _, piece in parts])
    frame["row"] = np.arange(len(frame))
    frame["partition_source"] = np.array([raw.partition.source for raw in raws], dtype=object)[number]
    frame["partition_topic"] = np.array([raw.partition.topic for raw in raws], dtype=object)[number]
    frame["window_start"] = _times([raw.partition.window.start for raw in raws])[number]
    frame["window_end"] = _times([raw.partition.window.end for raw in raws])[number]
    for name in ("is_decodable", "is_repeated"):
        frame[name] = np.concatenate([np.ones(0, dtype=bool), *(getattr(piece, name) for _, piece in parts)])
    frame["has_label"], frame["has_provenance"] = frame["label"].notna(), frame["label_provenance"].notna()
    return frame


def _times(moments: list) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(moments, utc=True)).as_unit("us")
