"""Where a lake's files lie: a folder, or object storage by any URL that fsspec knows. The rest of the lake can't tell which.

Reads and publishes whole files by their names below a root. A folder's file is written beside its place, fsynced and renamed; an
object is one PUT, or a multipart one, which counts when it is completed: whoever reads sees the old one or the new one, and a writer
that was killed leaves nothing to be seen. Refuses to publish over a file that somebody else has replaced meanwhile.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from groundswell.errors import LakeChanged, LakeError
from groundswell.files import beside, fsync, raise_for_storage, sha256_of
from groundswell.settings import Place

LEDGER = "revisions"
"""The append-only ledger: a file of lines in a folder, an object a line on object storage, where nothing can be appended to."""

TRIES = 5
"""How often an object is read again that was replaced while it was read."""
_ONE_PUT = 256 * 2**20


def storage_of(place: Path | str | Place) -> Folder | Objects:
    """The storage at ``place``: a path, or a `settings.Place` with a path or a URL."""
    if isinstance(place, Place) and "://" not in (path := place.url.removeprefix("file://")):
        return Folder(Path(path))
    return Objects(place) if isinstance(place, Place) else Folder(Path(place))


class Folder:
    """Files in a folder of this machine, or one that all writers have mounted."""

    def __init__(self, root: Path):
        self.root = root

    def address(self, name: str = "") -> str:
        return str(self.root / name)

    def exists(self, name: str) -> bool:
        return (self.root / name).is_file()

    def names(self, prefix: str) -> Iterator[str]:
        """The names of all files below ``prefix`` but those that are being written."""
        for folder, _, files in os.walk(self.root / prefix):
            yield from (Path(folder, name).relative_to(self.root).as_posix() for name in files if not name.startswith("."))

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """The file as it is now: what replaces it meanwhile is not seen."""
        with open(self.root / name, "rb") as file:
            yield file

    footer = opened

    def stamp(self, name: str) -> str | None:
        """A word that changes whenever the file does; None where there is none."""
        try:
            found = os.stat(self.root / name)
        except FileNotFoundError:
            return None
        return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"

    def sha256(self, name: str) -> str:
        return sha256_of(self.root / name)

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Where to write what `publish` puts in the place of ``name``; gone afterwards if it was not."""
        path = self.root / name
        written = beside(path)
        with _writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield written
            finally:
                written.unlink(missing_ok=True)

    def publish(self, path: Path, name: str, over: str | None) -> None:
        """Put ``path``, from `scratch`, in its place; ``over`` is the `stamp` of what lay there: within a `turn` nobody can have changed it."""
        fsync(path)
        os.replace(path, self.root / name)
        fsync((self.root / name).parent)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Between looking at what is there and replacing it nobody else may: two backfills of one window would share a revision's number."""
        with _writable(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            lock = open(self.root / ".lock", "w")  # noqa: SIM115 - closed below
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def note(self, line: str, name: str) -> None:
        """Add ``line`` to the ledger, on a line of its own even where a kill has cut the last one short."""
        with open(self.root / f"{LEDGER}.jsonl", "ab+") as ledger:
            if ledger.tell():
                ledger.seek(-1, os.SEEK_END)
                line = line if ledger.read(1) == b"\n" else "\n" + line
            ledger.write(line.encode() + b"\n")
            ledger.flush()
            os.fsync(ledger.fileno())

    def notes(self) -> list[str]:
        """The lines of the ledger, in the order of writing."""
        path = self.root / f"{LEDGER}.jsonl"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


class Objects:
    """Objects below a URL. Nothing locks there: S3 itself refuses a PUT over what has changed, elsewhere it is looked at just before."""

    def __init__(self, place: Place):
        import fsspec

        options = {"use_listings_cache": False, **place.options}
        try:
            self._files, root = fsspec.core.url_to_fs(place.url, **options)
        except (ImportError, ValueError, TypeError) as error:
            raise LakeError(f"GROUNDSWELL_LAKE_URL {place.url!r} can't be opened ({error}): correct it or GROUNDSWELL_LAKE_OPTIONS") from None
        self.place = place
        self._url, self._root = place.url.rstrip("/"), root.rstrip("/")
        self._sha256s: dict[str, tuple[str, str]] = {}

    def address(self, name: str = "") -> str:
        return f"{self._url}/{name}"

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _room_for(self, name: str) -> str:
        """The path of ``name``, and the folders above it, where there are such (SFTP); on S3 there are none, and a missing bucket stays an error."""
        if "s3" not in self._files.protocol:
            self._files.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)
        return self._path(name)

    def exists(self, name: str) -> bool:
        return self.stamp(name) is not None

    def names(self, prefix: str) -> Iterator[str]:
        """The names of all objects below ``prefix``."""
        with _mapped(self.address(prefix)):
            found = self._files.find(self._path(prefix)) if self._files.exists(self._path(prefix)) else []
        yield from (path.removeprefix(f"{self._root}/") for path in found)

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """The object as it is now, fetched whole: parts of two versions would make a file that nobody wrote."""
        with tempfile.TemporaryDirectory(prefix="groundswell-lake-") as folder:
            self.fetch(name, Path(folder) / "object")
            with open(Path(folder) / "object", "rb") as file:
                yield file

    def fetch(self, name: str, path: Path) -> str:
        """Copy one version of the object to ``path``; returns its `stamp`."""
        for _ in range(TRIES):
            before = self.stamp(name)
            if before is None:
                raise FileNotFoundError(name)
            with _mapped(self.address(name)):
                self._files.get_file(self._path(name), str(path))
            if self.stamp(name) == before:
                return before
        raise LakeChanged(f"{self.address(name)} was replaced {TRIES} times while it was read: run this again when its writer is done")

    @contextmanager
    def footer(self, name: str) -> Iterator[BinaryIO]:
        """The object, of which only the end will be read; `LakeChanged` where it is replaced meanwhile."""
        with _mapped(self.address(name)):
            file = self._files.open(self._path(name), "rb", block_size=2**16, cache_type="readahead")
        with file:
            try:
                yield file
            except OSError as error:
                if type(error).__name__ == "FileExpired":  # s3fs asks for the version that it opened
                    raise LakeChanged(f"{self.address(name)} was replaced while it was read: run this again") from None
                raise

    def stamp(self, name: str) -> str | None:
        """A word that changes whenever the object does; None where there is none."""
        with _mapped(self.address(name)), suppress(FileNotFoundError):
            found = self._files.info(self._path(name))
            if found["type"] == "file":
                return str(found.get("ETag") or (found["size"], found.get("mtime") or found.get("created")))
        return None

    def sha256(self, name: str) -> str:
        """Of the object's bytes, which are fetched once for every version."""
        stamp = self.stamp(name)
        if self._sha256s.get(name, ("", ""))[0] != stamp:
            with self.opened(name) as file:
                self._sha256s[name] = (stamp, hashlib.file_digest(file, "sha256").hexdigest())
        return self._sha256s[name][1]

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Where to write what `publish` makes the object called ``name``: on this machine."""
        with tempfile.TemporaryDirectory(prefix="groundswell-lake-") as folder, _writable(Path(folder)):
            yield Path(folder) / "object"

    def publish(self, path: Path, name: str, over: str | None) -> None:
        """Make ``path`` the object called ``name``, if what lay there still is ``over`` (a `stamp`); else `LakeChanged`."""
        if self.stamp(name) != over:
            raise self._changed(name)
        with _mapped(self.address(name)):
            try:
                self._files.put_file(str(path), self._room_for(name), **self._condition(path, over))
            except OSError as error:
                if "PreconditionFailed" in repr((error, error.__cause__)) or isinstance(error, FileExistsError):
                    raise self._changed(name) from None
                raise

    def _condition(self, path: Path, over: str | None) -> dict:
        """What S3 must be told so that it looks and writes in one step; a multipart upload can be told nothing of an older version."""
        if "s3" not in self._files.protocol:
            return {}
        if over is None:
            return {"mode": "create", "chunksize": _ONE_PUT}
        return {"chunksize": _ONE_PUT, **({"IfMatch": over} if path.stat().st_size < _ONE_PUT else {})}

    def _changed(self, name: str) -> LakeChanged:
        return LakeChanged(f"{self.address(name)} was replaced by somebody else meanwhile: nothing was written; run this again")

    def remove(self, name: str) -> None:
        with _mapped(self.address(name)), suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    @contextmanager
    def turn(self) -> Iterator[None]:
        yield

    def note(self, line: str, name: str) -> None:
        """Put ``line`` among the ledger's as an object called ``name``."""
        with _mapped(self.address(LEDGER)):
            self._files.pipe_file(self._room_for(f"{LEDGER}/{name}.json"), line.encode())

    def notes(self) -> list[str]:
        """The lines of the ledger, in the order of their names."""
        with _mapped(self.address(LEDGER)):
            return [self._files.cat_file(self._path(name)).decode() for name in sorted(self.names(LEDGER))]


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """A disk that is full, read-only or not ours, as `StorageError`."""
    try:
        yield
    except OSError as error:
        raise_for_storage(error, path)
        raise


@contextmanager
def _mapped(address: str) -> Iterator[None]:
    """What object storage and its library raise, as one of ours; a missing object stays `FileNotFoundError`."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, *_trouble()) as error:
        raise LakeError(
            f"{address}: object storage answered {type(error).__name__} ({error}): is it up, and are GROUNDSWELL_LAKE_URL and _OPTIONS right?"
        ) from error


def _trouble() -> tuple[type[Exception], ...]:
    """The errors of S3's client library, where it is loaded: they are of no kind that Python knows."""
    botocore = sys.modules.get("botocore.exceptions")
    return (botocore.BotoCoreError, botocore.ClientError) if botocore else ()
