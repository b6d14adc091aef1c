"""Tombstones: who and what was erased, so that no backfill, however late, brings it back.

Reads and appends ``rights/tombstones.jsonl``, outside the lake's layers: a line an author or a post, as keyed hashes only (an author's
are the pseudonyms themselves), by every key known at the time. Nobody without a key learns from it who it was. Refuses to go on,
with `ErasureError`, where a line can't be read or was made with keys that are no longer known: it could not be kept then.

A stage asks before it publishes, and once more after: whoever was erased in between is taken out again (`Tombstones.settle`).
An erasure writes its tombstones first and reads the lake afterwards, so one of the two always sees the other.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from groundswell.errors import ErasureError
from groundswell.lake import Lake, Partition
from groundswell.pseudonym import Pseudonyms, key_id
from groundswell.settings import Settings
from groundswell.wrapped import holds_wrapped

_PSEUDONYM = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
TRACELESS = "{}"
"""The ``raw`` of a post that named an erased author."""

ERASED = "erased"
"""The reason: of rows that are left out, and of revisions."""


@dataclass
class _Graves:
    """What was erased of one source: pseudonyms, and the hashes of post ids by the id of their key."""

    authors: set[str] = field(default_factory=set)
    posts: dict[str, set[str]] = field(default_factory=dict)


class Tombstones:
    """The tombstones under ``settings.root`` as they are now. Keys are needed only where there are tombstones."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._path = path_of(settings)
        self._load()

    def _load(self) -> None:
        self._size, lines = _read(self._path)
        self._keys = {key_id(key): key for key in self._settings.keys_for_pseudonyms()} if lines else {}
        self._graves: dict[str, _Graves] = {}
        for number, line in enumerate(lines, start=1):
            self._bury(line, number)

    def __len__(self) -> int:
        return sum(len(graves.authors) + max(map(len, graves.posts.values()), default=0) for graves in self._graves.values())

    def name(self, source: str, authors: Iterable[str | None], post_ids: Iterable[str | None]) -> bool:
        """Whether one of these pseudonyms, or one of these ids of a post, was erased."""
        graves = self._graves.get(source)
        if graves is None:
            return False
        return not graves.authors.isdisjoint(authors) or any(self._is_buried(graves, source, each) for each in post_ids if each is not None)

    def name_author(self, source: str, native: str | None) -> bool:
        """Whether the author with this native id was erased, whatever key is in use now."""
        graves = self._graves.get(source)
        if graves is None or native is None or not graves.authors:
            return False
        return any(Pseudonyms(key, source).of(native) in graves.authors for key in self._keys.values())

    def without_traces(self, source: str, record: str) -> str:
        """``record`` (a post's ``raw``), or an empty one where it names an author who was erased: of a quoted or answered post."""
        graves = self._graves.get(source)
        if graves is None or not graves.authors or graves.authors.isdisjoint(_PSEUDONYM.findall(record)):
            return record
        return TRACELESS

    def kept(self, table: pa.Table, source: str | None = None) -> pa.ChunkedArray:
        """For each row of ``table`` (columns source, post_id, perhaps author) whether nothing of it was erased.

        ``source`` is every row's, where it is known from elsewhere: a quarantined row may have lost its own.
        """
        count = table.num_rows
        if not self._graves:
            return pa.chunked_array([pa.array([True] * count, pa.bool_())])
        authors = table.column("author").to_pylist() if "author" in table.column_names else [None] * count
        sources = [source] * count if source else table.column("source").to_pylist()
        rows = zip(sources, authors, table.column("post_id").to_pylist(), strict=True)
        return pa.chunked_array([pa.array([not self.name(of, (author,), (post_id,)) for of, author, post_id in rows], pa.bool_())])

    def without(self, table: pa.Table, source: str | None = None) -> pa.Table:
        """``table`` without the rows that were erased, and without what other rows' ``raw`` and ``parent_id`` hold of erased authors."""
        if not self._graves or not table.num_rows:
            return table
        table = table.filter(self.kept(table, source))
        if "raw" not in table.column_names:
            return table
        sources = [source] * table.num_rows if source else table.column("source").to_pylist()
        raw = [raw and self.without_traces(of, raw) for of, raw in zip(sources, table.column("raw").to_pylist(), strict=True)]
        table = _with(table, "raw", raw)
        if "parent_id" not in table.column_names:
            return table
        return _with(table, "parent_id", [parent_of(one, parent) for one, parent in zip(raw, table.column("parent_id").to_pylist(), strict=True)])

    def clean(self, lake: Lake, partition: Partition) -> int:
        """Take what was erased out of ``partition``; how many rows those were."""
        before = lake.metadata(partition)["rows"]
        return before - lake.rewrite(partition, lambda table: self.without(table, partition.source), reason=ERASED)["rows"]

    def publish(self, lake: Lake, partition: Partition, table: pa.Table, metadata: dict, *, reason: str = "") -> dict:
        """`Lake.write`, then `settle`; returns `Lake.describe` of what lies there then."""
        lake.write(partition, table, metadata, reason=reason)
        return self.settle(lake, partition)

    def settle(self, lake: Lake, partition: Partition) -> dict:
        """After publishing ``partition``: who was erased meanwhile is taken out of it; `Lake.describe` of what lies there then."""
        if self.have_grown():
            self._load()
            self.clean(lake, partition)
        return lake.describe(partition)

    def have_grown(self) -> bool:
        """Whether somebody was erased since these were read."""
        return _size(self._path) != self._size

    def _is_buried(self, graves: _Graves, source: str, post_id: str) -> bool:
        return any(post_hash(self._keys[name], source, post_id) in hashes for name, hashes in graves.posts.items() if name in self._keys)

    def _bury(self, line: str, number: int) -> None:
        try:
            stone = json.loads(line)
            source, kind, hashes = stone["source"], stone["kind"], dict(stone["hashes"])
        except (ValueError, KeyError, TypeError):
            raise ErasureError(f"{self._path}, line {number}: expected a tombstone, found something else: restore the file from a backup") from None
        if not hashes.keys() & self._keys.keys():
            raise ErasureError(
                f"{self._path}, line {number} was made with the pseudonym key {' or '.join(sorted(hashes))}, which is not known here: "
                "add it to GROUNDSWELL_PSEUDONYM_KEYS_BEFORE, or what was erased could come back"
            )
        graves = self._graves.setdefault(source, _Graves())
        if kind == "author":
            graves.authors.update(hashes.values())
        else:
            for name, found in hashes.items():
                graves.posts.setdefault(name, set()).add(found)


def parent_of(raw: str | None, parent_id: str | None) -> str | None:
    """``parent_id``; None where it holds an author, and ``raw`` was emptied because it named one who was erased."""
    return None if raw == TRACELESS and parent_id and holds_wrapped(parent_id) else parent_id


def _with(table: pa.Table, name: str, values: list[str | None]) -> pa.Table:
    return table.set_column(table.column_names.index(name), table.schema.field(name), pa.array(values, pa.string()))


def path_of(settings: Settings) -> Path:
    return settings.root / "rights" / "tombstones.jsonl"


def add(settings: Settings, source: str, *, authors: Iterable[str] = (), post_ids: Iterable[str] = ()) -> int:
    """Put tombstones for native ``authors`` and for ``post_ids`` on the disk; how many are new.

    Hashes by every key known: `Settings.keys_for_pseudonyms`. When this returns, no publish after it lets them through.
    """
    keys = settings.keys_for_pseudonyms()
    stones = [("author", {key_id(key): Pseudonyms(key, source).of(author) for key in keys}) for author in authors]
    stones += [("post", {key_id(key): post_hash(key, source, post_id) for key in keys}) for post_id in post_ids]
    lines = [json.dumps({"kind": kind, "source": source, "hashes": hashes}, sort_keys=True) for kind, hashes in stones]
    with _alone(path_of(settings)) as file:
        known = set(_read(path_of(settings))[1])
        new = [line for line in dict.fromkeys(lines) if line not in known]
        if new:
            file.write(("\n".join(new) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
    return len(new)


def post_hash(key: bytes, source: str, post_id: str) -> str:
    """What a tombstone says of a post: 32 hex digits that nobody can try out without the key."""
    return hmac.digest(key, f"post\0{source}\0{post_id}".encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:32]


def _read(path: Path) -> tuple[int, list[str]]:
    """The size, and the whole lines; one that a kill cut short was never promised to anybody."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return 0, []
    return len(content), content.decode().split("\n")[:-1]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _alone(path: Path) -> Iterator:
    """The file to append to, for one process at a time; a torn last line is cut off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        content = file.read()
        if content and not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
        yield file
