"""The lake: Hive-partitioned Parquet files, one a partition, read and written by every stage.

A partition is (layer, source, topic, window) and one file, ``<layer>/source=S/topic=T/date=…/part-0.parquet``; its footer holds
what is known about it as JSON, so nothing can fall out of step. A file is written beside its place, fsynced and renamed:
whoever reads sees the old one or the new one. The same rows give the same bytes. Other rows over a file that is there make a
revision of it: its footer says which, why, and what it supersedes, and ``revisions.jsonl`` at the root has a line for each.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from groundswell.errors import LakeError
from groundswell.files import replacing, sha256_of
from groundswell.schema import OUTSIDE_CONTENT_HASH
from groundswell.window import Window

LAYERS = ("raw", "valid", "quarantine", "labels")
_FOOTER = b"groundswell"
_LINE = ("revision", "supersedes", "reason")
_SAID_OF_ROWS = ("status", "seen")
"""What a footer says of the rows that other rows would not: where it changes, the file is written anew, and is no revision for that."""
_REVISIONS = "revisions.jsonl"
_PATH = re.compile(r"source=(?P<source>[^/]+)/topic=(?P<topic>[^/]+)/date=(?P<date>[\d-]{10})(?:/hour=(?P<hour>\d\d))?/part-0\.parquet")


@dataclass(frozen=True, order=True)
class Partition:
    """One file of the lake: its key and where it lies."""

    layer: str
    source: str
    topic: str
    window: Window
    path: Path

    @property
    def key(self) -> str:
        """``source/topic/window``: the partition's name in manifests, the same in every layer."""
        return f"{self.source}/{self.topic}/{self.window.key}"


class Lake:
    """The lake under one folder."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def partition(self, layer: str, source: str, topic: str, window: Window) -> Partition:
        if layer not in LAYERS:
            raise LakeError(f"layer {layer!r}: expected one of {', '.join(LAYERS)}")
        path = self.root / layer / f"source={source}" / f"topic={topic}" / window.path / "part-0.parquet"
        return Partition(layer, source, topic, window, path)

    def write(self, partition: Partition, table: pa.Table, metadata: dict, *, reason: str = "") -> dict:
        """Put ``table`` (already sorted) in its place with ``metadata`` in the footer; returns `describe` of what lies there.

        Where a file with the same content (`content_hash`) lies there already, it stays as it is, byte for byte: likes that
        moved since make no new revision. Other content is the next revision: ``reason`` says why it was written.
        """
        with self._one_writer():
            return self._write(partition, table, metadata, reason)

    def rewrite(self, partition: Partition, change: Callable[[pa.Table], pa.Table], *, reason: str) -> dict:
        """Put ``change`` of the rows that lie there in their place, and no writer in between; returns `describe` of what lies there then.

        A change outside the content hash alone (of ``raw``) is written too, and is no revision.
        """
        with self._one_writer():
            rows, metadata = self.read(partition), self.metadata(partition)
            changed = change(rows)
            if content_hash(changed) == metadata.get("content_sha256") and not changed.equals(rows):
                self._put(partition, changed, metadata)
            return self._write(partition, changed, metadata, reason)

    def update(self, partition: Partition, change: Callable[[pa.Table | None, dict], tuple[pa.Table, dict]], *, reason: str) -> dict:
        """Put what ``change`` makes of rows and footer (None and {} where nothing lies) in their place; returns `describe` as `rewrite` does."""
        with self._one_writer():
            is_there = self.exists(partition)
            table, metadata = change(self.read(partition) if is_there else None, self.metadata(partition) if is_there else {})
            return self._write(partition, table, metadata, reason)

    def remove(self, partition: Partition) -> None:
        """Take ``partition`` out of the lake: from now on its window is one that was never collected."""
        with self._one_writer():
            partition.path.unlink(missing_ok=True)

    def _write(self, partition: Partition, table: pa.Table, metadata: dict, reason: str) -> dict:
        content = content_hash(table)
        before = footer(partition.path) if partition.path.exists() else None
        is_same = before is not None and before.get("content_sha256") == content
        if is_same and all(before.get(name) == metadata.get(name) for name in _SAID_OF_ROWS):
            return self.describe(partition)
        line = {name: before[name] for name in _LINE if name in before} if is_same else _succession(before, reason)
        metadata = {**metadata, "rows": table.num_rows, "content_sha256": content, **line}
        if before and not is_same:
            self._note_revision(partition, before, metadata)
        self._put(partition, table, metadata)
        return self.describe(partition)

    def _put(self, partition: Partition, table: pa.Table, metadata: dict) -> None:
        write_parquet(table.replace_schema_metadata({_FOOTER: json.dumps(metadata, sort_keys=True).encode()}), partition.path)

    def revisions(self) -> list[dict]:
        """Every revision in the order of writing, first files left out: layer, key, revision, hashes and rows before and after, reason.

        A line is written before its file, so after a kill its revision may still be to come; the same line is given once.
        """
        path = self.root / _REVISIONS
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in dict.fromkeys(line for line in lines if line.endswith("}"))]

    def _note_revision(self, partition: Partition, before: dict, after: dict) -> None:
        line = {
            "layer": partition.layer,
            "key": partition.key,
            "revision": after["revision"],
            "content_sha256": {"before": after["supersedes"], "after": after["content_sha256"]},
            "rows": {"before": before.get("rows"), "after": after["rows"]},
            "reason": after["reason"],
        }
        with open(self.root / _REVISIONS, "ab") as ledger:
            ledger.write(b"\n" * _is_torn(ledger) + json.dumps(line, sort_keys=True).encode() + b"\n")
            ledger.flush()
            os.fsync(ledger.fileno())

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """Between looking at what is there and replacing it nobody else may: two backfills of one window would share a revision's number."""
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self, partition: Partition) -> pa.Table:
        """The rows of ``partition``; `LakeError` when it is not there or can't be read."""
        try:
            return pq.ParquetFile(partition.path).read().replace_schema_metadata(None)
        except FileNotFoundError:
            raise LakeError(f"{partition.layer}/{partition.key} is not in the lake ({partition.path}): run the stage that writes it first") from None
        except (pa.ArrowException, OSError) as error:
            raise LakeError(f"{partition.path} can't be read as Parquet ({error}): remove it and collect its window again") from error

    def exists(self, partition: Partition) -> bool:
        return partition.path.exists()

    def metadata(self, partition: Partition) -> dict:
        """What the footer of ``partition`` says of it: window, status, rows, content hash …"""
        return footer(partition.path)

    def describe(self, partition: Partition) -> dict:
        """The footer's metadata plus ``sha256`` of the file: what a manifest says of a partition."""
        return {**footer(partition.path), "sha256": sha256_of(partition.path)}

    def partitions(self, layer: str, *, source: str | None = None, topic: str | None = None) -> list[Partition]:
        """Every partition of ``layer`` that is there, sorted by source, topic and window."""
        found = []
        for path in (self.root / layer).glob("source=*/topic=*/date=*/**/part-0.parquet"):
            match = _PATH.fullmatch(path.relative_to(self.root / layer).as_posix())
            if match and source in (None, match["source"]) and topic in (None, match["topic"]):
                key = match["date"] + (f"T{match['hour']}" if match["hour"] else "")
                found.append(Partition(layer, match["source"], match["topic"], Window.parse(key), path))
        return sorted(found)

    def manifest(self, partitions: Iterable[Partition]) -> dict[str, dict]:
        """Partition key → `describe`, in the order of the keys."""
        return {partition.key: self.describe(partition) for partition in sorted(partitions)}


def _succession(before: dict | None, reason: str) -> dict:
    """What a footer says of a file's place in the line of its revisions."""
    if before is None:
        return {"revision": 1}
    return {"revision": before.get("revision", 1) + 1, "supersedes": before.get("content_sha256"), "reason": reason}


def _is_torn(ledger) -> bool:
    """Whether the last line was cut short by a kill: the next one must not go on in it."""
    if not ledger.tell():
        return False
    with open(ledger.name, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def content_hash(table: pa.Table) -> str:
    """sha256 over the rows without the columns that move by themselves (`OUTSIDE_CONTENT_HASH`)."""
    steady = table.select([name for name in table.column_names if name not in OUTSIDE_CONTENT_HASH])
    digest = hashlib.sha256()
    for name in steady.column_names:
        digest.update(name.encode() + b"\0")
        for value in steady.column(name).to_pylist():
            digest.update(repr(value).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def footer(path: Path) -> dict:
    """The metadata that `Lake.write` put into a file's footer."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise LakeError(f"{path} can't be read as Parquet ({error}): remove it and run its stage again") from error
    return json.loads(metadata.get(_FOOTER, b"{}"))


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write ``table`` to ``path`` whole or not at all: beside it, fsynced, renamed. The same table gives the same bytes."""
    with replacing(path) as beside:
        pq.write_table(table, beside, compression="zstd", use_dictionary=True, write_statistics=True, store_schema=True)
