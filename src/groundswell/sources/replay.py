"""A corpus file as if it were a network: CSV, TSV, JSONL or Parquet, its columns mapped to a post's by params.yaml.

Reads the file once, whatever the number of windows, and holds a piece of it. A file that can't be trusted (encoding, a missing mapped column, a
time that is none, an id or a label that is no word) is a `CorpusError` naming file, row and column; rows are counted from 1, the
header included. Rows without an id get one of their content from collect. The mapping is `groundswell.sources.columns`'.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from groundswell.sources.base import Found, Reading, Source
from groundswell.sources.columns import FileColumns, in_project, posts_of
from groundswell.sources.corpus import Corpus


class ReplayTopic(FileColumns):
    """A corpus file and which of its columns are what."""

    called: ClassVar[str] = "replay"

    path: Path

    def key(self, name: str) -> str:
        return f"replay.{name} or --{name}"  # a corpus is also named on the command line, for leaks


def posts(reading: Reading) -> Iterator[Found]:
    """The corpus's rows of ``[start, end)``, in the file's order."""
    required = reading.section.required()
    yield from posts_of(Corpus.open(in_project(reading.section.path, reading.settings), reading.section, required=required), reading)


SOURCE = Source(name="replay", version=2, section=ReplayTopic, posts=posts, reads="file")
