"""Local copies of model versions, so that serving starts and goes on without a registry.

Writes ``<folder>/<version>/export/`` (what the registry holds), ``<folder>/<version>/origin.json`` (which version of which source
that is) and ``<folder>/current.json`` (which one was served last). All written beside and renamed: a killed process leaves nothing
half-done under a final name. Several workers share the folder: who fetches a version holds ``<version>.lock`` meanwhile.
Refuses to take a copy of the same number but another source for the version asked for.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from groundswell.errors import ModelError
from groundswell.files import write_json
from serving.registry import Version


class Copies:
    """The copies under one folder."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def fetch(self, version: Version, download: Callable[[Version, Path], Path]) -> Path:
        """The export folder of ``version``: the copy that is here, or one that ``download`` fetches now."""
        try:
            with self._alone(version):
                if self._origin(version) != version:
                    self._fetch(version, download)
        except OSError as error:
            raise ModelError(f"version {version.version} can't be stored under {self.folder} ({error}): make room or mend the folder") from error
        return self.export(version)

    def _fetch(self, version: Version, download: Callable[[Version, Path], Path]) -> None:
        beside = self.folder / f".{version.version}.{os.getpid()}"
        try:
            shutil.rmtree(beside, ignore_errors=True)
            (beside / "download").mkdir(parents=True)
            os.replace(download(version, beside / "download"), beside / "export")
            shutil.rmtree(beside / "download")
            write_json(version.as_dict(), beside / "origin.json")
            self.drop(version)
            os.replace(beside, self.folder / version.version)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    @contextmanager
    def _alone(self, version: Version) -> Iterator[None]:
        """One worker at a time: the next one waits, and finds what the first one fetched."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / f"{version.version}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def export(self, version: Version) -> Path:
        return self.folder / version.version / "export"

    def drop(self, version: Version) -> None:
        """Remove the copy of that number: it is of another source, or turned out to be bad."""
        shutil.rmtree(self.folder / version.version, ignore_errors=True)

    def remember(self, version: Version, also: Iterable[Version] = ()) -> None:
        """Note that ``version`` is being served; all copies but it, the one served before it and ``also`` are removed."""
        before = self.served()
        if before != version:
            try:
                write_json(version.as_dict(), self.folder / "current.json")
            except OSError as error:
                raise ModelError(
                    f"{self.folder / 'current.json'} can't be written ({error}): a restart without the registry would not know what to serve"
                ) from error
            kept = {each.version for each in (version, before, *also) if each is not None}
            for path in self.folder.iterdir():
                if path.name.removesuffix(".lock").isdigit() and path.name.removesuffix(".lock") not in kept:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what processes that were killed left half-done."""
        for path in self.folder.glob(".*.*"):
            owner = path.name.rpartition(".")[2].partition("-")[0]  # as `files.beside` names them
            if owner.isdigit() and (int(owner) == os.getpid() or not _is_alive(int(owner))):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def served(self) -> Version | None:
        """The version that was served last; None when none was, or the note can't be read."""
        return _read_version(self.folder / "current.json")

    def _origin(self, version: Version) -> Version | None:
        return _read_version(self.folder / version.version / "origin.json")


def _read_version(path: Path) -> Version | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Version(value["version"], value["run_id"], value["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
