"""A folder that changes as a whole or not at all: written beside its place, then exchanged with what lies there."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE, renameat2(2): Linux 3.15, glibc 2.28


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` to write to; on leaving without an error it takes ``folder``'s place in one step.

    Whoever reads sees the old folder or the new one, and a run that was killed leaves the old one; what it had written is
    removed by the next. Only one process at a time may replace a folder.
    """
    folder = Path(folder)
    beside, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if old.exists() and not folder.exists():
        old.rename(folder)  # killed between the two renames of a file system that can't exchange
    for left_behind in (beside, old):
        shutil.rmtree(left_behind, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    _take_place(beside, folder, old)
    for left_behind in (beside, old):
        shutil.rmtree(left_behind, ignore_errors=True)


def _take_place(beside: Path, folder: Path, old: Path) -> None:
    if not folder.exists():
        beside.rename(folder)
    elif not _exchange(beside, folder):
        folder.rename(old)
        beside.rename(folder)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system or the file system can't."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0
