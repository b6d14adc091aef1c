"""Rows of a split as data: their digest, by which two parties know that they mean the same rows, and what a manifest says of them."""

from __future__ import annotations

import hashlib
from collections import Counter

import pyarrow as pa

from groundswell.language import primary
from groundswell.schema import LABELS


def digest(table: pa.Table) -> str:
    """sha256 over the rows of a split in their order, a line each: row_id, label and text between tabs."""
    found = hashlib.sha256()
    for row in table.select(["row_id", "label", "text"]).to_pylist():
        found.update(f"{row['row_id']}\t{row['label']}\t{row['text']}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def described(table: pa.Table) -> dict:
    """What a manifest says of a split: counts by label, provenance, source and language, the time it spans, its digest."""
    times = table["created_at"].to_pylist()
    return {
        "rows": table.num_rows,
        "labels": {label: table["label"].to_pylist().count(number) for number, label in enumerate(LABELS)},
        "provenances": dict(sorted(Counter(table["label_provenance"].to_pylist()).items())),
        "sources": dict(sorted(Counter(table["source"].to_pylist()).items())),
        "languages": dict(sorted(Counter(map(primary, table["lang"].to_pylist())).items())),
        "from": times[0].isoformat() if times else None,
        "to": times[-1].isoformat() if times else None,
        "digest": digest(table),
    }
