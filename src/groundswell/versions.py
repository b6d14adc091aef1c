"""Versions of data: the adapter over DVC.

Reads and writes DVC's cache, remote, dvc.lock and ``.dvc`` pointers, through DVC itself; every exception of DVC's leaves here
as `VersionError`. `directory_md5` needs no DVC: it is the md5 that DVC gives to a directory output, the one in dvc.lock.
Refuses: a project without ``.dvc/config``, an object that neither cache nor remote has.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from groundswell.errors import VersionError
from groundswell.files import replacing, replacing_folder

IGNORED = (".*.[0-9]*",)
"""What is still being written (`files.replacing`): in no version. The same patterns as in .dvcignore."""

log = logging.getLogger(__name__)


def directory_md5(path: Path, *, without: Iterable[str] = ()) -> str:
    """DVC's md5 of the directory ``path``, ``<32 hex digits>.dir``: of the sorted list of its files' paths and md5s.

    Equal to ``md5`` of the output in dvc.lock. Files named in ``without`` (relative, with ``/``) count as not there.
    `VersionError` when ``path`` is no directory.
    """
    path = Path(path)
    if not path.is_dir():
        raise VersionError(f"{path} is not a folder: run the stage that writes it first")
    skipped = set(without)
    files = {file.relative_to(path).as_posix(): file for file in files_of(path)}
    entries = [{"md5": _file_md5(file), "relpath": name} for name, file in sorted(files.items()) if name not in skipped]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def files_of(path: Path) -> list[Path]:
    """The files under ``path`` that belong to its version, in no promised order."""
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not _is_ignored(name)]
        found += [Path(folder, name) for name in names if not _is_ignored(name)]
    return found


@dataclass(frozen=True)
class Version:
    """A directory as DVC knows it: its md5 (``….dir``), its bytes and its number of files."""

    md5: str
    size: int
    files: int


class Versions:
    """DVC's cache and remote of one project, locked for as long as it is open: see `versions_of`."""

    def __init__(self, repo):
        self._repo = repo

    @property
    def remote(self) -> str:
        """Where versions are pushed to."""
        return str(self._repo.cloud.get_remote().path)

    def save(self, path: Path) -> Version:
        """Put the directory ``path`` into the cache as it is now."""
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.transfer import transfer

        cache = self._repo.cache.local
        staging, meta, found = build(cache, str(path), self._repo.fs, "md5", ignore=self._ignore_for(path))
        transfer(staging, cache, {found.hash_info}, shallow=False, hardlink=False)
        return Version(found.hash_info.value, meta.size or 0, meta.nfiles or 0)

    def push(self, md5s: Iterable[str]) -> int:
        """Copy those directories and files from cache to remote; how many objects were new there. `VersionError` when one failed."""
        from dvc_data.hashfile.transfer import transfer

        cache = self._repo.cache.local
        remote = self._repo.cloud.get_remote_odb()
        result = transfer(cache, remote, set(map(_hash_info, md5s)), shallow=False, cache_odb=cache)
        if result.failed:
            raise VersionError(
                f"{len(result.failed)} objects could not be pushed to {self.remote}: check that it can be reached and written, then run seal again"
            )
        return len(result.transferred)

    def restore(self, md5: str, path: Path) -> None:
        """Make ``path`` the directory of that md5, from the cache or else the remote; whole or not at all, nothing lost before.

        `VersionError` when neither has all of it, or what came is not what the md5 says.
        """
        self._fetch(md5)
        with replacing_folder(path) as beside:
            self._copy_out(md5, beside)
            if (found := directory_md5(beside)) != md5:
                raise VersionError(f"the cache gave {found} for {md5}: it is damaged; remove the cache folder and try again")

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """(md5, content) of every file object: those of the cache, then those that only the remote has. Listings are left out."""
        seen: set[str] = set()
        for store in self._stores():
            for md5 in store.all():
                if md5 not in seen and not md5.endswith(".dir"):
                    seen.add(md5)
                    yield md5, store.fs.cat_file(store.oid_to_path(md5))

    def remove(self, md5s: Iterable[str]) -> int:
        """Delete those objects from cache and remote; how many files that were."""
        removed = 0
        for store in self._stores():
            for md5 in md5s:
                if store.exists(md5):
                    store.delete(md5)
                    removed += 1
        return removed

    def listing(self, md5: str) -> dict[str, str] | None:
        """Path → md5 of the directory version ``md5``; None where neither cache nor remote has its listing."""
        content = self.content(md5)
        return None if content is None else {entry["relpath"]: entry["md5"] for entry in json.loads(content)}

    def listings(self) -> Iterator[dict[str, str]]:
        """`listing` of every directory version that cache or remote has."""
        for md5 in {md5 for store in self._stores() for md5 in store.all() if md5.endswith(".dir")}:
            yield self.listing(md5) or {}

    def content(self, md5: str) -> bytes | None:
        """The bytes of an object; None where neither cache nor remote has it."""
        for store in self._stores():
            if store.exists(md5):
                return store.fs.cat_file(store.oid_to_path(md5))
        return None

    def _stores(self) -> tuple:
        return self._repo.cache.local, self._repo.cloud.get_remote_odb()

    def point(self, path: Path, version: Version) -> Path:
        """Write the pointer ``<path>.dvc`` as `dvc add` does."""
        pointer = path.with_name(path.name + ".dvc")
        text = pointer_text(path, version)
        if not pointer.exists() or pointer.read_text() != text:
            with replacing(pointer) as beside:
                beside.write_text(text)
        return pointer

    def stage_that_writes(self, path: Path) -> str | None:
        """The stage of dvc.yaml that has ``path`` among its outputs."""
        for stage in self._repo.index.stages:
            if any(Path(out.fs_path) == path for out in stage.outs) and getattr(stage, "name", None):
                return stage.name
        return None

    def commit(self, stage: str, *, dependencies: dict[Path, str] | None = None) -> list[str]:
        """Record the outputs of ``stage`` as they lie there in dvc.lock, without running it; the md5s of those that the cache keeps.

        ``dependencies`` (folder → md5) stand for what the stage had read, where that is not what lies there now.
        """
        [found] = self._repo.stage.load_all(name=stage, path=str(Path(self._repo.root_dir, "dvc.yaml")))
        found.save(run_cache=False)
        for dependency in found.deps:
            if read := (dependencies or {}).get(Path(dependency.fs_path)):
                dependency.hash_info = _hash_info(read)
                dependency.meta = type(dependency.meta)(isdir=True)
        found.commit(relink=False)
        found.dump(update_pipeline=False)
        return [out.hash_info.value for out in found.outs if out.use_cache]

    def _fetch(self, md5: str) -> None:
        """Bring what the cache lacks of the directory: its listing first, then the files that the listing names."""
        cache = self._repo.cache.local
        self._bring([_hash_info(md5)])
        if not cache.exists(md5):
            raise self._missing(md5)
        self._bring(self._listed(md5))
        if absent := [entry for entry in self._listed(md5) if not cache.exists(entry.value)]:
            raise self._missing(md5, f" ({len(absent)} of its files are missing)")

    def _bring(self, wanted: list) -> None:
        from dvc_data.hashfile.transfer import transfer

        cache = self._repo.cache.local
        absent = {entry for entry in wanted if not cache.exists(entry.value)}
        transfer(self._repo.cloud.get_remote_odb(), cache, absent, shallow=True, cache_odb=cache, verify=True)

    def _listed(self, md5: str) -> list:
        from dvc_data.hashfile.tree import Tree

        return [entry for _, _, entry in Tree.load(self._repo.cache.local, _hash_info(md5))]

    def _missing(self, md5: str, detail: str = "") -> VersionError:
        return VersionError(
            f"version {md5} is neither in the DVC remote {self.remote} nor in the cache{detail}: run dvc push on the machine that sealed it"
        )

    def _copy_out(self, md5: str, path: Path) -> None:
        from dvc_data.hashfile.tree import Tree

        cache = self._repo.cache.local
        for parts, _, entry in Tree.load(cache, _hash_info(md5)):
            target = path.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cache.oid_to_path(entry.value), target)

    def _ignore_for(self, path: Path):
        is_inside = Path(path).is_relative_to(self._repo.root_dir)
        return self._repo.dvcignore if is_inside else None


def pointer_text(path: Path, version: Version) -> str:
    """What a ``.dvc`` file beside ``path`` says."""
    return f"outs:\n- md5: {version.md5}\n  size: {version.size}\n  nfiles: {version.files}\n  hash: md5\n  path: {path.name}\n"


def has_versions(settings) -> bool:
    """Whether anything was ever sealed into cache or remote, or a remote elsewhere is set."""
    return bool(settings.dvc_remote) or any((settings.root / name).exists() for name in ("dvc-cache", "dvc-remote"))


@contextmanager
def versions_if_any(settings) -> Iterator[Versions | None]:
    """`versions_of`; None where nothing was ever sealed."""
    if not has_versions(settings):
        yield None
        return
    with versions_of(settings) as versions:
        yield versions


@contextmanager
def versions_of(settings) -> Iterator[Versions]:
    """`Versions` of the project of ``settings``, one process at a time (others wait). `VersionError` for whatever DVC says.

    Cache and remote lie under ``settings.root``, whatever folder that is; ``settings.dvc_remote`` names another remote.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo
    from dvc.scm import SCMError
    from dvc_objects.errors import ObjectFormatError

    _quiet()
    project = settings.project.resolve()
    if not (project / ".dvc" / "config").exists():
        raise VersionError(f"{project} is not a DVC project: expected .dvc/config there, as in groundswell's own folder; set GROUNDSWELL_PROJECT")
    try:
        with redirect_stdout(sys.stderr), Repo(str(project), config=_overrides(settings, project), _wait_for_lock=True) as repo, lock_repo(repo):
            yield Versions(repo)
    except (DvcException, SCMError, ObjectFormatError, OSError) as error:
        raise VersionError(f"DVC in {project}: {error}") from error


def _quiet() -> None:
    """DVC's import gives its loggers handlers that write to standard output, where only the report may go."""
    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).setLevel(logging.WARNING)


def _overrides(settings, project: Path) -> dict:
    remote = settings.dvc_remote or str(settings.root / "dvc-remote")
    config = {
        "core": {"remote": "local", "autostage": False},
        "cache": {"dir": str(settings.root / "dvc-cache")},
        "remote": {"local": {"url": remote}},
    }
    if not _is_git(project):
        config["core"]["no_scm"] = True
    return config


def _is_git(project: Path) -> bool:
    return any((folder / ".git").exists() for folder in (project, *project.parents))


def _hash_info(md5: str):
    from dvc_data.hashfile.hash_info import HashInfo

    return HashInfo("md5", md5)


def _is_ignored(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in IGNORED)


def _file_md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
