"""Traces: every byte below a folder, unpacked by code of its own, looked through for words. Shares nothing with `groundswell.erasure.sweep`."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zipfile
from pathlib import Path

import pyarrow.parquet as pq


def traces(folder: Path, words: list[str]) -> dict[str, list[str]]:
    """File → the words that stand in it, as they are or as JSON writes them. A file that can't be unpacked is an error: it was not looked at."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        seen = _everything(path)
        if here := [word for word in words if any(spelling.encode() in seen for spelling in (word, json.dumps(word)[1:-1]))]:
            found[path.relative_to(folder).as_posix()] = here
    return found


def _everything(path: Path) -> bytes:
    raw = path.read_bytes()
    return raw + _unpacked(raw, path)


def _unpacked(raw: bytes, path: Path) -> bytes:
    if raw.startswith(b"PAR1"):
        file = pq.ParquetFile(path)
        footer = b" ".join(key + value for key, value in (file.metadata.metadata or {}).items())
        return footer + "\n".join(json.dumps(row, ensure_ascii=False, default=str) for row in file.read().to_pylist()).encode()
    if raw.startswith(b"\x1f\x8b"):
        return gzip.decompress(raw)
    if raw.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            return b"\n".join(archive.read(name) for name in archive.namelist())
    if raw.startswith(b"SQLite format 3\0"):
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return "\n".join(connection.iterdump()).encode()
        finally:
            connection.close()
    return b""
