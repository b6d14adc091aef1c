"""A file of one version of a Kaggle data set, had by the library ``kagglehub`` itself, or the same file in a folder.

It is downloaded once, into ``cache/kaggle`` under home, and read like any corpus (`groundswell.sources.columns`). A data set is named with
the version that is meant: the same window must stay the same. Refuses what Kaggle does not have or does not give, by its own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from pydantic import field_validator, model_validator

from groundswell.errors import AccessRefused, CorpusError, SourceError
from groundswell.settings import Settings
from groundswell.sources.base import Found, Reading, Source
from groundswell.sources.columns import FileColumns, in_project, posts_of
from groundswell.sources.corpus import Corpus

_HANDLE = re.compile(r"[\w-]+/[\w-]+/versions/[1-9]\d*")


class KaggleTopic(FileColumns):
    """Which file of which data set is read."""

    called: ClassVar[str] = "kaggle"

    file: str
    """Its name in the data set, or in the folder."""
    dataset: str | None = None
    """``owner/name/versions/N``."""
    path: Path | None = None
    """Instead of a data set of Kaggle's: the folder where its files lie, relative to the project."""

    @field_validator("file")
    @classmethod
    def _is_inside(cls, file: str) -> str:
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise ValueError("expected the name of a file in the data set, without .. and not from the root")
        return file

    @model_validator(mode="after")
    def _is_one_thing(self) -> KaggleTopic:
        if (self.dataset is None) == (self.path is None):
            raise ValueError("expected either dataset (owner/name/versions/N) or path (a folder)")
        if self.dataset is not None and not _HANDLE.fullmatch(self.dataset):
            raise ValueError(
                "expected dataset as owner/name/versions/N: without a version it is the newest, and a window collected again would be another"
            )
        return self


def posts(reading: Reading) -> Iterator[Found]:
    """The rows of ``[start, end)``, in the file's order; `CorpusError` for what can't be read, `SourceError` for a Kaggle out of reach."""
    section: KaggleTopic = reading.section
    required = section.required()
    folder = in_project(section.path, reading.settings) if section.path is not None else None
    path = folder / section.file if folder is not None else _downloaded(section.dataset, section.file, reading.settings)
    yield from posts_of(Corpus.open(path, section, required=required), reading)


def _downloaded(dataset: str, file: str, settings: Settings) -> Path:
    """The file's own copy here; what was not downloaded whole is downloaded again."""
    from kagglehub import dataset_download
    from kagglehub.exceptions import BackendError, DataCorruptionError, KaggleApiHTTPError, NotFoundError, UnauthenticatedError

    folder = str(settings.root / "cache" / "kaggle" / dataset)
    try:
        try:
            return Path(dataset_download(dataset, file, output_dir=folder))
        except FileExistsError:  # a run was killed over it
            return Path(dataset_download(dataset, file, output_dir=folder, force_download=True))
    except KaggleApiHTTPError as error:
        raise _refused(dataset, file, error.response.status_code if error.response is not None else 0) from error
    except NotFoundError as error:
        raise _refused(dataset, file, 404) from error
    except UnauthenticatedError as error:
        raise _refused(dataset, file, 401) from error
    except (OSError, BackendError, DataCorruptionError) as error:
        raise SourceError(f"kaggle: {dataset} can't be downloaded ({type(error).__name__}): try again later") from error


def _refused(dataset: str, file: str, status: int) -> SourceError | CorpusError:
    if status in (401, 403):
        needed = "accept its terms on its page and set KAGGLE_API_TOKEN"
        return AccessRefused(f"kaggle: {dataset} is not given without credentials or consent (status {status}): {needed}", status)
    if status == 404:
        return CorpusError(f"kaggle: {dataset} has no file {file!r}, or is not there: correct kaggle.dataset or kaggle.file")
    return SourceError(f"kaggle: {dataset} can't be downloaded (status {status}): try again later")


SOURCE = Source(name="kaggle", version=1, section=KaggleTopic, posts=posts, reads="file")
