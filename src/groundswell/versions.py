"""Versions of data: the adapter over DVC.

Reads and writes DVC's cache and remote through DVC itself; every exception of DVC's leaves here as `VersionError`.
`directory_md5` needs no DVC: it is the md5 that DVC gives to a directory output, the one that dvc.lock says.
"""

from __future__ import annotations

import hashlib
import json
import os
from fnmatch import fnmatch
from pathlib import Path

from groundswell.errors import VersionError

IGNORED = (".*.[0-9]*",)
"""What is still being written (`lake.replacing`): in no version. The same patterns as in .dvcignore."""


def directory_md5(path: Path) -> str:
    """DVC's md5 of the directory ``path``, ``<32 hex digits>.dir``: of the sorted list of its files' paths and md5s.

    Equal to ``md5`` of the output in dvc.lock. `VersionError` when ``path`` is no directory.
    """
    path = Path(path)
    if not path.is_dir():
        raise VersionError(f"{path} is not a folder: run the stage that writes it first")
    entries = [{"md5": _file_md5(file), "relpath": file.relative_to(path).as_posix()} for file in files_of(path)]
    listing = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def files_of(path: Path) -> list[Path]:
    """The files under ``path`` that belong to its version, in no promised order."""
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not _is_ignored(name)]
        found += [Path(folder, name) for name in names if not _is_ignored(name)]
    return found


def _is_ignored(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in IGNORED)


def _file_md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
