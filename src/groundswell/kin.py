"""Kin: which rows share an author, a source id or a cluster of duplicates with a test row, those that no split took among them.

`prepare` writes the table as ``kin.parquet``; `judge` asks it. A challenger's own split keeps kin out of its training, but a champion learnt
from another data set: a row that is left out today because its author is in test may have been the champion's. Reads and writes
nothing itself. Sharing counts, not chains of it: one "gg" that a thousand people wrote would make kin of everybody (docs/stages/prepare.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np
import pyarrow as pa

KIN = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # source and post_id: what erasure knows rows by
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("key", pa.int64(), nullable=False),  # rows with the same number share something
        pa.field("is_test", pa.bool_(), nullable=False),
    ]
)


def row_hash(row_id: str) -> int:
    """A 64-bit number for a row: what an export keeps of the rows that it was trained on."""
    return int.from_bytes(hashlib.blake2b(row_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def row_hashes(row_ids: Sequence[str]) -> np.ndarray:
    """`row_hash` of each, uint64 (n,)."""
    return np.array([row_hash(row_id) for row_id in row_ids], dtype=np.uint64)


def kin_table(rows: Sequence, split: Sequence[str | None], keyings: dict[str, Sequence[Hashable]]) -> pa.Table:
    """The rows (`prepare.Row`) that share a key with a test row and the test rows they share it with, a line a row and key, as `KIN`."""
    found: list[tuple[int, int]] = []
    for keys in keyings.values():
        members: dict[Hashable, list[int]] = {}
        for place, key in enumerate(keys):
            if key is not None:
                members.setdefault(key, []).append(place)
        mixed = [places for places in members.values() if len({split[place] == "test" for place in places}) == 2]
        first = found[-1][0] + 1 if found else 0
        found += [(first + number, place) for number, places in enumerate(mixed) for place in places]
    columns = {name: [getattr(rows[place], name) for _, place in found] for name in ("row_id", "source", "post_id")}
    return pa.table({**columns, "key": [key for key, _ in found], "is_test": [split[place] == "test" for _, place in found]}, schema=KIN)


def kin_of(trained: np.ndarray, kin: pa.Table) -> set[str]:
    """The test rows of ``kin`` (by row_id) that share a key with a row of ``trained`` (hashes, as `row_hashes` makes them)."""
    keys, is_test = kin["key"].to_numpy(), kin["is_test"].to_numpy(zero_copy_only=False)
    row_ids = np.array(kin["row_id"].to_pylist(), dtype=object)
    met = np.unique(keys[np.isin(row_hashes(row_ids.tolist()), trained)])
    return set(row_ids[is_test & np.isin(keys, met)].tolist())
