"""The sweep: every byte under home is looked at for traces, whatever file it is and however it is packed.

Reads files as they are, and unpacked: Parquet, gzip, zip (npz is one), SQLite with its write-ahead log. Looks for the longest texts that were
erased and that nobody else wrote, as written and as JSON spells them, and for native ids that are no everyday word. Removes what a
stage makes again (`REMADE`); anything else is for a person to look at.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from groundswell.pseudonym import is_unmistakable

REMADE = ("reports", "plots", "metrics", "monitor", "champion", "exports", "compare", ".seal")
"""Folders below home whose files may go: a stage writes them again, without what was erased."""

_MOST_NEEDLES = 100
_SHORTEST_TEXT = 24
"""A shorter text is somebody else's too, sooner or later."""
_SHORTEST_NATIVE = 8
"""Shorter ones are in other numbers by chance."""
_BY_ROWS = re.compile(r"lake/(.+/)?part-0\.parquet|dvc-(cache|remote)/files/md5/../[0-9a-f]{30}(\.dir)?")
"""Files that their own steps look through row by row: under the lake's lock, and by md5."""
_HALF_WRITTEN = re.compile(r"\..+\.(\d+)")
"""`files.replacing` and the lake: what is being written by a process of that number."""


def needles_of(texts: Iterable[str], natives: Iterable[str]) -> list[bytes]:
    """What to look for: at most `_MOST_NEEDLES` texts, the longest ones, and every native id that is unmistakable."""
    chosen = sorted((text for text in texts if len(text) >= _SHORTEST_TEXT), key=lambda text: (-len(text), text))[:_MOST_NEEDLES]
    words = [*chosen, *(native for native in natives if len(native) >= _SHORTEST_NATIVE and is_unmistakable(native))]
    spelt = [spelling for word in words for spelling in (word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1])]
    return list(dict.fromkeys(spelling.encode("utf-8", "surrogatepass") for spelling in spelt))


def sweep(home: Path, needles: list[bytes], *, below: Iterable[str] = ("",)) -> tuple[int, list[Path]]:
    """How many files under ``home`` (or only these folders ``below`` it) were looked at, and those that hold one of ``needles``."""
    looked, found = 0, []
    for path in (path for name in below for path in _files(home / name)):
        if _BY_ROWS.fullmatch(path.relative_to(home).as_posix()):
            continue
        looked += 1
        if any(needle in part for part in contents(path) for needle in needles):
            found.append(path)
    return looked, found


def half_written(home: Path) -> list[Path]:
    """What processes that are gone left half-written: Parquet without its end can't be looked into, and nobody needs it."""
    found = ((path, _HALF_WRITTEN.fullmatch(path.name)) for path in _files(home))
    return [path for path, match in found if match and not Path("/proc", match[1]).exists()]


def is_remade(home: Path, path: Path) -> bool:
    """Whether a stage makes the file again: it may go."""
    return path.relative_to(home).parts[0] in REMADE


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (path for path in (Path(folder, name) for name in sorted(names)) if path.is_file() and not path.is_symlink())


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is packed in them."""
    try:
        raw = path.read_bytes()
    except OSError:
        return  # gone meanwhile
    yield raw
    if raw[:15] == b"SQLite format 3":
        yield from _rows(path)
    yield from unpacked(raw)


def unpacked(raw: bytes) -> Iterator[bytes]:
    """What Parquet, gzip or zip hold; nothing for other bytes. Packed in packed is unpacked too."""
    if raw[:4] == b"PAR1":
        yield from _cells(raw)
    elif raw[:2] == b"\x1f\x8b":
        try:
            inner = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            return  # only begins like gzip, or is cut: its bytes as they lie have been searched, and nothing else can be read in it
        yield inner
        yield from unpacked(inner)
    elif raw[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                members = [archive.read(name) for name in archive.namelist()]
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error):
            # it only begins like a zip, is cut, or is locked by a password that nobody here has: its bytes as they lie have been searched
            return
        for inner in members:
            yield inner
            yield from unpacked(inner)


def _cells(raw: bytes) -> Iterator[bytes]:
    """The values of a Parquet file, a row group and column at a time; its footer."""
    try:
        file = pq.ParquetFile(io.BytesIO(raw))
        yield b"\0".join(value for pair in (file.metadata.metadata or {}).items() for value in pair)
        for group in range(file.num_row_groups):
            for column in file.read_row_group(group).columns:
                for chunk in column.chunks:
                    yield from (buffer.to_pybytes() for buffer in chunk.buffers() if buffer is not None)
    except (pa.ArrowException, OSError):
        return  # no Parquet, cut, or encrypted: its bytes as they lie have been searched, and rows of the lake are removed by the lake


def _rows(path: Path) -> Iterator[bytes]:
    """Every value of a SQLite file, those in its write-ahead log too."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as connection:
            connection.text_factory = bytes
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                quoted = name.replace(b'"', b'""').decode("utf-8", "replace")
                for row in connection.execute(f'SELECT * FROM "{quoted}"'):
                    yield b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    except sqlite3.Error:
        return  # no database, or locked for longer than that: its bytes as they lie have been searched
