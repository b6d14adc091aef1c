"""Files and folders that change as a whole or not at all: written beside their place, fsynced, then put there in one step."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundswell.errors import StorageError

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE, renameat2(2): Linux 3.15, glibc 2.28


def beside(path: Path) -> Path:
    """A hidden name beside ``path`` that no other writer has: containers that share a volume share process ids too."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")


class replacing:  # noqa: N801 - reads as a verb: with replacing(path) as beside
    """A path beside ``path`` to write to; on leaving without an error it is fsynced and renamed to ``path``."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self.beside = beside(self.path)

    def __enter__(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self.beside

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None:
            self.beside.unlink(missing_ok=True)
            raise_for_storage(error, self.path)
            return
        try:
            fsync(self.beside)
            os.replace(self.beside, self.path)
            fsync(self.path.parent)
        except BaseException as failed:  # an interrupt too: its name is nobody else's, so nobody else would clear it away
            self.beside.unlink(missing_ok=True)
            raise_for_storage(failed, self.path)
            raise


_STORAGE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of the quota",
    errno.EFBIG: "raise the limit on a file's size (ulimit -f)",
    errno.EROFS: "mount it for writing, or set GROUNDSWELL_HOME to a folder that can be written",
    errno.EACCES: "give this user the right to write there, or set GROUNDSWELL_HOME",
    errno.EIO: "look after the disk",
}


def raise_for_storage(error: BaseException | None, path: Path) -> None:
    """`StorageError` for an ``error`` that says that ``path`` can't be written; nothing for any other."""
    if isinstance(error, OSError) and error.errno in _STORAGE:
        what = os.strerror(error.errno)
        raise StorageError(f"{path} can't be written ({what}): {_STORAGE[error.errno]} and run it again; what lay there is as it was") from error


def write_json(value, path: Path) -> None:
    """Write ``value`` as JSON with sorted keys, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """The hex sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """One process at a time, for as long as it has to do with what lies in ``folder``: whoever comes second waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fsync(path: Path) -> None:
    """Have the disk hold a file's bytes, or a folder's names, before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder`` to write to; on leaving without an error it takes ``folder``'s place in one step.

    Whoever reads sees the old folder or the new one, and a run that was killed leaves the old one; what it had written is
    removed by the next. Only one process at a time may replace a folder: `alone_in` its parent, where others may want to.
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
    fsync(folder.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system or the file system can't."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0
