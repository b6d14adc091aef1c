"""Kin: which rows share an author, a source id or a cluster of duplicates with a test or validation row, those that no split took among them.

`prepare` writes the table as ``kin.parquet``; `judge` and a warm start ask it. A challenger's own split keeps kin out of its training, but a
champion learnt from another data set: a row that is left out today because its author is in test may have been the champion's. Reads and writes
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
        pa.field("is_validation", pa.bool_(), nullable=False),
    ]
)


def row_hash(row_id: str) -> int:
    """A 64-bit number for a row: what an export keeps of the rows that it was trained on."""
    return int.from_bytes(hashlib.blake2b(row_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def row_hashes(row_ids: Sequence[str]) -> np.ndarray:
    """`row_hash` of each, uint64 (n,)."""
    return np.array([row_hash(row_id) for row_id in row_ids], dtype=np.uint64)


def kin_table(rows: Sequence, split: Sequence[str | None], keyings: dict[str, Sequence[Hashable]]) -> pa.Table:
    """The rows (`prepare.Row`) that share a key with a judging row of another split and those they share it with, a line a row and key, as `KIN`."""
    found: list[tuple[int, int]] = []
    for keys in keyings.values():
        members: dict[Hashable, list[int]] = {}
        for place, key in enumerate(keys):
            if key is not None:
                members.setdefault(key, []).append(place)
        mixed = [places for places in members.values() if _is_mixed({split[place] for place in places})]
        first = found[-1][0] + 1 if found else 0
        found += [(first + number, place) for number, places in enumerate(mixed) for place in places]
    columns = {name: [getattr(rows[place], name) for _, place in found] for name in ("row_id", "source", "post_id")}
    judging = {f"is_{name}": [split[place] == name for _, place in found] for name in ("test", "validation")}
    return pa.table({**columns, "key": [key for key, _ in found], **judging}, schema=KIN)


def _is_mixed(splits: set[str | None]) -> bool:
    """Whether the rows of a key, in these ``splits``, are judging ones and others."""
    return len(splits) > 1 and not splits.isdisjoint(("test", "validation"))


def kin_of(trained: np.ndarray, kin: pa.Table, split: str = "test") -> set[str]:
    """The rows of ``split`` (test or validation) in ``kin``, by row_id, that share a key with a row of ``trained`` (`row_hashes`)."""
    keys, is_judging = kin["key"].to_numpy(), kin[f"is_{split}"].to_numpy(zero_copy_only=False)
    row_ids = np.array(kin["row_id"].to_pylist(), dtype=object)
    met = np.unique(keys[np.isin(row_hashes(row_ids.tolist()), trained)])
    return set(row_ids[is_judging & np.isin(keys, met)].tolist())
