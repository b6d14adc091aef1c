"""A data set of Hugging Face's hub, or a folder or file of that kind, read by the library ``datasets`` itself.

Its rows are mapped like a corpus's (`groundswell.sources.columns`), one after the other as they come: nothing of them is kept in a
cache. A class label is the word that the data set has for it, not its number. Of the hub, a data set is named with the commit that is
meant: branches and tags move, and the same window must stay the same. Refuses what the library can't open, by its own words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import model_validator

from groundswell.errors import CorpusError, SourceError
from groundswell.settings import Settings
from groundswell.sources.base import Found, Reading, Source
from groundswell.sources.columns import Columns, in_project, posts_of
from groundswell.sources.corpus import FORMATS, Corpus

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SAVED = ("state.json", "dataset_dict.json")
"""What ``save_to_disk`` leaves in a folder."""
_BUILDERS = {"csv": ("csv", {}), "tsv": ("csv", {"sep": "\t"}), "jsonl": ("json", {}), "parquet": ("parquet", {})}
_LONGEST_WORDS = 300


class HuggingFaceTopic(Columns):
    """Which data set is read: one of the hub's at one commit, or a folder or file."""

    called: ClassVar[str] = "huggingface"

    dataset: str | None = None
    """The hub's name for it: ``owner/name``."""
    revision: str | None = None
    """The commit that is meant: 40 hex digits."""
    path: Path | None = None
    """Instead of a name of the hub's: a folder as the library reads it (``save_to_disk``'s too) or a file, relative to the project."""
    config: str | None = None
    split: str = "train"

    @model_validator(mode="after")
    def _is_one_thing(self) -> HuggingFaceTopic:
        if (self.dataset is None) == (self.path is None):
            raise ValueError("expected either dataset (a name of the hub's) or path (a folder or a file)")
        if self.dataset is not None and not _COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                "expected revision with a commit's 40 hex digits: a branch or a tag moves, and a window collected again would be another"
            )
        if self.path is not None and self.revision is not None:
            raise ValueError("revision is a commit of the hub's: a path has none")
        return self


def posts(reading: Reading) -> Iterator[Found]:
    """The rows of ``[start, end)``, in the data set's order; `CorpusError` for what can't be read, `SourceError` for a hub out of reach."""
    section: HuggingFaceTopic = reading.section
    required = section.required()
    name = str(section.dataset or in_project(section.path, reading.settings))
    with _told(name):
        data = _saved(section, name) if section.path is not None and _is_saved(Path(name)) else _streamed(section, name, reading.settings)
    rows = _numbered(name, data)
    first = next(rows, None)  # a stream may know its columns by its rows only
    names = list(data.column_names or (first[1] if first else section.columns.values()))
    words = _words(data)
    values = ((number, [_value(row, column, words) for column in names]) for number, row in chain([first] if first else [], rows))
    yield from posts_of(Corpus(f"{name} ({section.split})", names, required, values, key=section.key("columns")), reading)


def _words(data: Dataset | IterableDataset) -> dict[str, Callable[[int], str]]:
    """For each column of class labels what makes a word of a number."""
    from datasets import ClassLabel

    return {column: kind.int2str for column, kind in (data.features or {}).items() if isinstance(kind, ClassLabel)}


def _streamed(section: HuggingFaceTopic, name: str, settings: Settings) -> IterableDataset:
    from datasets import load_dataset

    options: dict[str, Any] = {
        "name": section.config,
        "split": section.split,
        "streaming": True,
        "cache_dir": str(settings.root / "cache/huggingface"),
    }
    file = Path(name)
    if section.path is None:
        return load_dataset(name, revision=section.revision, **options)
    if not file.exists():
        raise CorpusError(f"{name}: expected a folder or a file, found nothing: correct huggingface.path")
    if file.is_dir():
        return load_dataset(name, **options)
    builder, more = _BUILDERS.get(FORMATS.get(file.suffix.lower()), (None, {}))
    if builder is None:
        raise CorpusError(f"{name}: expected a name that ends in {', '.join(FORMATS)}: name its folder in huggingface.path")
    return load_dataset(builder, data_files={section.split: name}, **options, **more)


def _is_saved(folder: Path) -> bool:
    return any((folder / name).exists() for name in _SAVED)


def _saved(section: HuggingFaceTopic, name: str) -> Dataset:
    from datasets import DatasetDict, load_from_disk

    found = load_from_disk(name)
    if not isinstance(found, DatasetDict):
        return found
    if section.split not in found:
        raise CorpusError(f"{name}: expected a split {section.split!r}, found {', '.join(found)}: correct huggingface.split")
    return found[section.split]


def _numbered(name: str, rows: Iterable[dict]) -> Iterator[tuple[int, dict]]:
    """The rows with their numbers, from 1; what the library says of a damaged one is not repeated: it may hold a text."""
    from datasets.exceptions import DatasetsError

    number = 0
    try:
        for number, row in enumerate(rows, start=1):
            yield number, row
    except ConnectionError as error:
        raise SourceError(f"{name}: the hub can't be reached any more after row {number}: try again later") from error
    except (OSError, ValueError, TypeError, DatasetsError) as error:
        raise CorpusError(
            f"{name}, row {number + 1}: can't be read here or soon after ({type(error).__name__}): mend or leave out the file"
        ) from None


def _value(row: dict, column: str, words: dict[str, Callable[[int], str]]) -> object:
    value = row.get(column)
    if column not in words or not isinstance(value, int):
        return value
    return words[column](value) if value >= 0 else None  # -1: not labelled


@contextmanager
def _told(name: str) -> Iterator[None]:
    """The library's errors as ours; what it says while it opens a data set is about names, splits and places."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (FileNotFoundError, ValueError, DatasetsError, StopIteration) as error:  # the last is how it ends on an empty file
        raise CorpusError(f"{name}: can't be opened as a data set: {_first_words(error)}") from None
    except OSError as error:
        raise SourceError(
            f"{name}: the hub can't be reached or refuses ({_first_words(error)}): try again, or see HF_TOKEN and HF_HUB_OFFLINE"
        ) from error


def _first_words(error: Exception) -> str:
    return " ".join(str(error).split(os.linesep)[0].split())[:_LONGEST_WORDS] or type(error).__name__


SOURCE = Source(name="huggingface", version=1, section=HuggingFaceTopic, posts=posts, reads="file")
