"""The rows of a data set's split, as `prepare` left them.

Reads ``var/dataset/<topic>/<split>.parquet`` and ``manifest.json``. Refuses a data set that is not there or has other columns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groundswell.errors import DatasetError
from groundswell.schema import EXAMPLE

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Examples:
    """The rows of one split, in its order: texts, class numbers, and the whole table (`schema.EXAMPLE`)."""

    texts: list[str]
    labels: np.ndarray
    table: pa.Table

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, keep: np.ndarray) -> Examples:
        """The rows where ``keep``, bool (n,), is true."""
        return Examples([text for text, kept in zip(self.texts, keep, strict=True) if kept], self.labels[keep], self.table.filter(pa.array(keep)))


def read_examples(folder: Path, split: str) -> Examples:
    """The rows of ``split`` in the data set at ``folder``; `DatasetError` when they are not there, broken, or none."""
    path = Path(folder) / f"{split}.parquet"
    try:
        table = pq.ParquetFile(path).read().replace_schema_metadata(None)
    except FileNotFoundError:
        raise DatasetError(f"{path} is not there: run groundswell prepare first") from None
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} can't be read as Parquet ({error}): run groundswell prepare again") from error
    missing = [name for name in EXAMPLE.names if name not in table.column_names]
    if missing or not table.num_rows:
        found = f"no column {', '.join(missing)}" if missing else "no rows"
        raise DatasetError(f"{path}: expected the columns of schema.EXAMPLE and at least one row, found {found}: run groundswell prepare again")
    return Examples(table["text"].to_pylist(), table["label"].to_numpy().astype(np.int64), table)


def read_manifest(folder: Path) -> dict:
    """``manifest.json`` of the data set at ``folder``: partitions, windows, sources, splits with their digests."""
    path = Path(folder) / "manifest.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} can't be read ({error}): run groundswell prepare again") from error
