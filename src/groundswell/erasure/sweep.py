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
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from groundswell.pseudonym import is_unmistakable

REMADE = ("reports", "plots", "metrics", "monitor", "exports", ".seal")
"""Folders below home whose files may go: a stage writes them again, without what was erased."""

_MOST_NEEDLES = 100
_SHORTEST_TEXT = 24
"""A shorter text is somebody else's too, sooner or later."""
_SHORTEST_NATIVE = 8
"""Shorter ones are in other numbers by chance."""
_LEFT_OUT = ("lake", "dvc-cache", "dvc-remote")
"""Searched row by row by their own steps: by md5, and under the lake's lock."""


def needles_of(texts: Iterable[str], natives: Iterable[str]) -> list[bytes]:
    """What to look for: at most `_MOST_NEEDLES` texts, the longest ones, and every native id that is unmistakable."""
    chosen = sorted((text for text in texts if len(text) >= _SHORTEST_TEXT), key=lambda text: (-len(text), text))[:_MOST_NEEDLES]
    words = [*chosen, *(native for native in natives if len(native) >= _SHORTEST_NATIVE and is_unmistakable(native))]
    spelt = [spelling for word in words for spelling in (word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1])]
    return list(dict.fromkeys(spelling.encode("utf-8", "surrogatepass") for spelling in spelt))


def sweep(home: Path, needles: list[bytes], *, below: Iterable[str] | None = None) -> tuple[int, list[Path]]:
    """How many files under ``home`` (or only these folders ``below`` it) were looked at, and those that hold one of ``needles``."""
    skipped, looked, found = {home / name for name in _LEFT_OUT}, 0, []
    for root in [home / name for name in below] if below is not None else [home]:
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if Path(folder, name) not in skipped)
            for path in (Path(folder, name) for name in sorted(names)):
                if path.is_symlink() or not path.is_file():
                    continue
                looked += 1
                if any(needle in part for part in contents(path) for needle in needles):
                    found.append(path)
    return looked, found


def is_remade(home: Path, path: Path) -> bool:
    """Whether a stage makes the file again, or it is what a killed process left half-written: it may go."""
    parts = path.relative_to(home).parts
    return parts[0] in REMADE or any(part.startswith(".") and part.rpartition(".")[2].isdigit() for part in parts)


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
            return
        yield inner
        yield from unpacked(inner)
    elif raw[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                members = [archive.read(name) for name in archive.namelist()]
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error):
            return
        for inner in members:
            yield inner
            yield from unpacked(inner)


def _cells(raw: bytes) -> Iterator[bytes]:
    """The strings of a Parquet file, a column at a time; its footer."""
    try:
        file = pq.ParquetFile(io.BytesIO(raw))
        yield b"\0".join(value for pair in (file.metadata.metadata or {}).items() for value in pair)
        for name in file.schema_arrow.names:
            values = file.read(columns=[name]).column(0).to_pylist()
            yield "\0".join(str(value) for value in values if value is not None).encode("utf-8", "surrogatepass")
    except (pa.ArrowException, UnicodeDecodeError, OSError):
        return


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
        return
