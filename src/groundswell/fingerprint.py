"""The fingerprint of rows: one hash for equal content, however the rows are cut into batches, computed column by column.

Reads Arrow batches as they come; keeps nothing of them. A column is hashed as two streams, the lengths (or validity) of its values
and their bytes, so no value becomes a Python object; for types that no post has, every value's ``repr`` is hashed instead.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundswell.schema import OUTSIDE_CONTENT_HASH


class Fingerprint:
    """sha256 over the rows of all batches, without the columns that move by themselves (`OUTSIDE_CONTENT_HASH`)."""

    def __init__(self):
        self._columns: dict[str, _Column] = {}

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        for name in batch.schema.names:
            if name not in OUTSIDE_CONTENT_HASH:
                column = batch.column(name)
                mine = self._columns.setdefault(name, _Column(column.type))
                for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
                    mine.add(chunk)

    def hexdigest(self) -> str:
        """The same for the same columns with the same values in the same order."""
        whole = hashlib.sha256()
        for name, column in self._columns.items():
            whole.update(name.encode() + b"\0" + column.digest())
        return whole.hexdigest()


class _Column:
    """The two streams of one column; a list's items are a column of their own."""

    def __init__(self, kind: pa.DataType):
        self._shape, self._bytes = hashlib.sha256(), hashlib.sha256()
        self._items = _Column(kind.value_type) if pa.types.is_list(kind) else None

    def digest(self) -> bytes:
        return self._shape.digest() + self._bytes.digest() + (self._items.digest() if self._items else b"")

    def add(self, array: pa.Array) -> None:
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            self._add_text(array)
        elif pa.types.is_list(array.type):
            self._shape.update(_lengths(pc.list_value_length(array)))
            self._items.add(array.flatten())
        elif pa.types.is_primitive(array.type) and not pa.types.is_boolean(array.type):
            self._shape.update(array.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False))
            self._bytes.update(_numbers(array))
        else:
            self._bytes.update("\n".join([*map(repr, array.to_pylist()), ""]).encode("utf-8", "surrogatepass"))

    def _add_text(self, array: pa.Array) -> None:
        self._shape.update(_lengths(pc.binary_length(array)))
        filled = pc.fill_null(array, "") if array.null_count else array
        if len(filled):
            offsets = np.frombuffer(filled.buffers()[1], np.int64 if pa.types.is_large_string(array.type) else np.int32)
            first, last = (int(offsets[filled.offset + place]) for place in (0, len(filled)))
            if last > first:
                self._bytes.update(memoryview(filled.buffers()[2])[first:last])


def _lengths(lengths: pa.Array) -> np.ndarray:
    """One number a value: -1 where there is none, so that none and empty differ."""
    return pc.fill_null(lengths.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)


def _numbers(array: pa.Array) -> np.ndarray:
    """The bytes of numbers and times, 0 where there is none: what a null's place holds is nobody's business."""
    width = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[array.type.bit_width]
    plain = pa.Array.from_buffers(width, len(array), array.buffers(), offset=array.offset)
    return pc.fill_null(plain, 0).to_numpy(zero_copy_only=False)
