"""The lake: Hive-partitioned Parquet files, one a partition, read and written by every stage.

A partition is (layer, source, topic, window) and one file, ``<layer>/source=S/topic=T/date=…/part-0.parquet``; its footer holds
what is known about it as JSON, so nothing can fall out of step. A file changes as a whole (`storage`), in a folder or on object
storage. The same rows give the same bytes. Other rows over a file that is there make a revision of it: its footer says which, why,
and what it supersedes, and the ledger ``revisions`` has a line for each. Rows stream, a row group in memory at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from groundswell.encryption import Encryption, KeyFile, reading
from groundswell.errors import LakeChanged, LakeError
from groundswell.files import replacing
from groundswell.fingerprint import Fingerprint
from groundswell.settings import Place
from groundswell.storage import TRIES, storage_of
from groundswell.window import Window

LAYERS = ("raw", "valid", "quarantine", "scored", "labels")
ROW_GROUP = 32_768
"""Rows of a row group: what a reader and a writer hold at once."""
_FOOTER = b"groundswell"
_LINE = ("revision", "supersedes", "reason", "written_as")
_SAID_OF_ROWS = ("status", "seen", "made_of", "model")
"""What a footer says of the rows that other rows would not: where it changes, the file is written anew, and is no revision for that."""
_NAME = re.compile(
    r"(?P<layer>[^/]+)/source=(?P<source>[^/]+)/topic=(?P<topic>[^/]+)/date=(?P<date>[\d-]{10})(?:/hour=(?P<hour>\d\d))?/part-0\.parquet"
)
_FORM = {"compression": "zstd", "use_dictionary": True, "write_statistics": True, "store_schema": True}


@dataclass(frozen=True, order=True)
class Partition:
    """One file of the lake, by its key."""

    layer: str
    source: str
    topic: str
    window: Window

    @property
    def key(self) -> str:
        """``source/topic/window``: the partition's name in manifests, the same in every layer."""
        return f"{self.source}/{self.topic}/{self.window.key}"

    @property
    def name(self) -> str:
        """The file's name below the lake's root."""
        return f"{self.layer}/source={self.source}/topic={self.topic}/{self.window.path}/part-0.parquet"

    def __str__(self) -> str:
        return f"{self.layer}/{self.key}"


class Lake:
    """The lake at one place: a folder or a `settings.Place`."""

    def __init__(self, place: Path | str | Place):
        self.storage = storage_of(place)
        self.encryption = Encryption(KeyFile(place.key_file)) if isinstance(place, Place) and place.key_file else None

    @property
    def root(self) -> str:
        """Where the lake is, for people to read."""
        return self.storage.address()

    def address(self, partition: Partition) -> str:
        """The path or the URL of the partition's file, there or not."""
        return self.storage.address(partition.name)

    def partition(self, layer: str, source: str, topic: str, window: Window) -> Partition:
        if layer not in LAYERS:
            raise LakeError(f"layer {layer!r}: expected one of {', '.join(LAYERS)}")
        return Partition(layer, source, topic, window)

    def partitions(self, layer: str, *, source: str | None = None, topic: str | None = None) -> list[Partition]:
        """Every partition of ``layer`` that is there, sorted by source, topic and window."""
        found = []
        for match in filter(None, map(_NAME.fullmatch, self.storage.names(layer))):
            if source in (None, match["source"]) and topic in (None, match["topic"]):
                key = match["date"] + (f"T{match['hour']}" if match["hour"] else "")
                found.append(Partition(layer, match["source"], match["topic"], Window.parse(key)))
        return sorted(found)

    def exists(self, partition: Partition) -> bool:
        return self.storage.exists(partition.name)

    def read(self, partition: Partition) -> pa.Table:
        """The rows of ``partition``; `LakeError` when it is not there or can't be read."""
        with self._file(partition) as file:
            return file.read().replace_schema_metadata(None)

    def schema(self, partition: Partition) -> pa.Schema:
        """The columns of ``partition``; errors as of `read`."""
        with self._file(partition) as file:
            return file.schema_arrow.remove_metadata()

    def batches(self, partition: Partition, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of ``partition`` in order, at most a row group in memory; errors as of `read`."""
        with self._file(partition) as file:
            for batch in file.iter_batches(ROW_GROUP, columns=columns):
                yield batch.replace_schema_metadata(None)

    def metadata(self, partition: Partition) -> dict:
        """What the footer of ``partition`` says of it: window, status, rows, content hash …"""
        for attempt in reversed(range(TRIES)):
            try:
                with self._understood(partition), self.storage.footer(partition.name) as file:
                    return _footer(pq.read_metadata(file, decryption_properties=reading(file, self.encryption)))
            except LakeChanged:
                if not attempt:
                    raise

    def sha256(self, partition: Partition) -> str:
        """Of the file's bytes; `LakeError` when it is not there."""
        with self._understood(partition):
            return self.storage.sha256(partition.name)

    def describe(self, partition: Partition) -> dict:
        """The footer's metadata plus ``sha256`` of the file: what a manifest says of a partition."""
        return {**self.metadata(partition), "sha256": self.sha256(partition)}

    def manifest(self, partitions: Iterable[Partition]) -> dict[str, dict]:
        """Partition key → `describe`, in the order of the keys."""
        return {partition.key: self.describe(partition) for partition in sorted(partitions)}

    def write(self, partition: Partition, table: pa.Table, metadata: dict, *, reason: str = "") -> dict:
        """Put ``table`` (already sorted) in its place with ``metadata`` in the footer; returns `describe` of what lies there."""
        with self.writing(partition, table.schema, metadata, reason=reason) as rows:
            rows.add(table)
        return self.describe(partition)

    @contextmanager
    def writing(self, partition: Partition, schema: pa.Schema, metadata: dict, *, reason: str = "") -> Iterator[Rows]:
        """Put the rows that are added meanwhile (already sorted) in their place, on leaving without an error.

        Where a file with the same content (`Fingerprint`) lies there already, it stays as it is, byte for byte: likes that moved
        since make no new revision. Other content is the next revision: ``reason`` says why it was written.
        """
        with self.storage.scratch(partition.name) as path, Rows(path, schema, self.encryption) as rows:
            yield rows
            with self.storage.turn():
                self._publish(partition, rows, metadata, reason, over=self.storage.stamp(partition.name))

    def rewrite(self, partition: Partition, change: Callable[[pa.Table], pa.Table], *, reason: str) -> dict:
        """Put ``change`` of the rows that lie there in their place, a batch at a time and no writer in between; returns `describe` of it.

        A change outside the content hash alone (of ``raw``) is written too, and is no revision.
        """
        with self.storage.turn(), self.storage.scratch(partition.name) as path:
            over, is_other = self.storage.stamp(partition.name), False
            with self._file(partition) as file, Rows(path, file.schema_arrow, self.encryption) as rows:
                for batch in file.iter_batches(ROW_GROUP):
                    before = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                    rows.add(after := change(before))
                    is_other = is_other or not after.equals(before)
                if is_other:
                    self._publish(partition, rows, _footer(file.metadata), reason, over=over, is_same_enough=False)
        return self.describe(partition)

    def update(self, partition: Partition, change: Callable[[pa.Table | None, dict], tuple[pa.Table, dict]], *, reason: str) -> dict:
        """Put what ``change`` makes of rows and footer (None and {} where nothing lies) in their place; returns `describe` as `rewrite` does."""
        with self.storage.turn(), self.storage.scratch(partition.name) as path:
            over = self.storage.stamp(partition.name)
            table, metadata = change(*((self.read(partition), self.metadata(partition)) if over else (None, {})))
            with Rows(path, table.schema, self.encryption) as rows:
                rows.add(table)
                self._publish(partition, rows, metadata, reason, over=over)
        return self.describe(partition)

    def _publish(self, partition: Partition, rows: Rows, metadata: dict, reason: str, *, over: str | None, is_same_enough: bool = True) -> None:
        """Put ``rows`` where ``over`` (a stamp) lies; unless ``is_same_enough`` also where their content hash is that of what lies there."""
        before = self.metadata(partition) if over else None
        content = rows.fingerprint.hexdigest()
        is_same = before is not None and before.get("content_sha256") == content
        if is_same and is_same_enough and all(before.get(name) == metadata.get(name) for name in _SAID_OF_ROWS):
            return
        line = {name: before[name] for name in _LINE if name in before} if is_same else _succession(before, reason)
        # What its stage wrote: an erasure, which hands on the footer that it found, leaves it, so that what was made of it stays known as that.
        after = {"written_as": content, **metadata, "rows": rows.count, "content_sha256": content, **line}
        rows.close(after)
        if before and not is_same:
            self._note_revision(partition, before, after)
        try:
            self.storage.publish(rows.path, partition.name, over)
        except LakeChanged:
            if self.metadata(partition).get("content_sha256") != content:
                raise  # else somebody else has just done the same

    def remove(self, partition: Partition) -> None:
        """Take ``partition`` out of the lake: from now on its window is one that was never collected."""
        with self.storage.turn():
            self.storage.remove(partition.name)

    def revisions(self) -> list[dict]:
        """Every revision, first files left out: layer, key, revision, hashes and rows before and after, reason.

        In the order of writing, on object storage by partition. A line is written before its file, so after a kill its revision may
        still be to come; the same line is given once.
        """
        return [json.loads(line) for line in dict.fromkeys(line for line in self.storage.notes() if line.endswith("}"))]

    def _note_revision(self, partition: Partition, before: dict, after: dict) -> None:
        line = {
            "layer": partition.layer,
            "key": partition.key,
            "revision": after["revision"],
            "content_sha256": {"before": after["supersedes"], "after": after["content_sha256"]},
            "rows": {"before": before.get("rows"), "after": after["rows"]},
            "reason": after["reason"],
        }
        self.storage.note(json.dumps(line, sort_keys=True), f"{partition}/{after['revision']:06d}-{after['content_sha256'][:12]}")

    @contextmanager
    def _file(self, partition: Partition) -> Iterator[pq.ParquetFile]:
        with self._understood(partition), self.storage.opened(partition.name) as file:
            yield pq.ParquetFile(file, decryption_properties=reading(file, self.encryption))

    @contextmanager
    def _understood(self, partition: Partition) -> Iterator[None]:
        where = self.address(partition)
        try:
            yield
        except FileNotFoundError:
            raise LakeError(f"{partition} is not in the lake ({where}): run the stage that writes it first") from None
        except (pa.ArrowException, OSError) as error:
            raise LakeError(f"{where} can't be read as Parquet ({error}): remove it and run its stage again") from error


class Rows:
    """A partition's rows on their way into a file: cut into row groups, so that the bytes do not depend on how they came."""

    def __init__(self, path: Path, schema: pa.Schema, encryption: Encryption | None = None):
        self.path, self.count, self.fingerprint = path, 0, Fingerprint()
        self._writer = pq.ParquetWriter(path, schema.remove_metadata(), encryption_properties=encryption and encryption.writing(), **_FORM)
        self._waiting, self._rows_waiting = [schema.remove_metadata().empty_table()], 0
        self.fingerprint.add(self._waiting[0])

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *error) -> None:
        self._writer.close()

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Append ``rows``, which have the writer's schema."""
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        self.fingerprint.add(table)
        self.count += table.num_rows
        self._waiting.append(table)
        self._rows_waiting += table.num_rows
        if self._rows_waiting >= ROW_GROUP:
            self._write(ROW_GROUP)

    def _write(self, least: int) -> None:
        """Write full row groups, and with ``least`` 0 whatever is left."""
        table = pa.concat_tables(self._waiting).replace_schema_metadata(None)
        while table.num_rows >= least > 0 or (least == 0 and table.num_rows):
            self._writer.write_table(table.slice(0, ROW_GROUP).combine_chunks(), row_group_size=ROW_GROUP)
            table = table.slice(ROW_GROUP)
        self._waiting, self._rows_waiting = [table], table.num_rows

    def close(self, metadata: dict) -> None:
        """Write the rest and the footer with ``metadata``."""
        self._write(0)
        self._writer.add_key_value_metadata({_FOOTER: json.dumps(metadata, sort_keys=True).encode()})
        self._writer.close()


def _footer(metadata: pq.FileMetaData) -> dict:
    return {"rows": metadata.num_rows, **json.loads((metadata.metadata or {}).get(_FOOTER, b"{}"))}


def _succession(before: dict | None, reason: str) -> dict:
    """What a footer says of a file's place in the line of its revisions."""
    if before is None:
        return {"revision": 1}
    return {"revision": before.get("revision", 1) + 1, "supersedes": before.get("content_sha256"), "reason": reason}


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write ``table`` to ``path`` whole or not at all: beside it, fsynced, renamed. The same table gives the same bytes."""
    with replacing(path) as beside:
        pq.write_table(table, beside, **_FORM)
