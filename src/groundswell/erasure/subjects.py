"""Who or what is to be erased, and how rows of theirs are told.

Reads nothing. An author is known by their pseudonym under every key, a post by its id; once the lake has been read, an author's posts
are known too, for data sets have no authors. Native ids live here only as long as the command runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from groundswell.errors import UsageError
from groundswell.pseudonym import Pseudonyms
from groundswell.sources import source_named


@dataclass(frozen=True)
class Subject:
    """An author or a post of a source, by the platform's own id."""

    kind: str
    source: str
    native: str

    @classmethod
    def parse(cls, kind: str, word: str) -> Subject:
        """Of ``SOURCE:ID``; the id may hold colons. `UsageError` for anything else, which is not repeated: it may be somebody's name."""
        source, _, native = word.partition(":")
        if not source or not native.strip():
            raise UsageError(f"--{kind}: expected SOURCE:ID, e.g. steam:76561197960287930, found something else")
        return cls(kind, source, native.strip())


@dataclass
class Targets:
    """All that is looked for: pseudonyms and post ids a source, and the texts that were found with them."""

    authors: dict[str, set[str]] = field(default_factory=dict)
    posts: dict[str, set[str]] = field(default_factory=dict)
    texts: dict[str, set[str]] = field(default_factory=dict)
    """Topic → texts."""

    @classmethod
    def of(cls, subjects: Iterable[Subject], keys: Sequence[bytes]) -> Targets:
        targets = cls()
        for subject in subjects:
            if subject.kind == "author":
                names = {Pseudonyms(key, subject.source).of(subject.native) for key in keys}
                targets.authors.setdefault(subject.source, set()).update(names)
            else:
                network, words = source_named(subject.source), [Pseudonyms(key, subject.source).wrap for key in keys]
                targets.posts.setdefault(subject.source, set()).update(
                    {subject.native, *(network.id_in_lake(subject.native, wrap) for wrap in words)}
                )
        return targets

    @property
    def sources(self) -> list[str]:
        return sorted({*self.authors, *self.posts})

    def mask(self, table: pa.Table, source: str) -> pa.Array:
        """Which rows of ``table``, all of ``source``, are theirs."""
        theirs = _among(table, "post_id", self.posts.get(source))
        return pc.or_(theirs, _among(table, "author", self.authors.get(source))) if "author" in table.column_names else theirs

    def learn(self, rows: pa.Table, source: str) -> None:
        """From now on the posts of ``rows`` are known."""
        self.posts.setdefault(source, set()).update(post_id for post_id in rows.column("post_id").to_pylist() if post_id is not None)

    def remember(self, topic: str, found: pa.Table) -> None:
        """Keep the texts of ``found``, to be forgotten where nothing else tells whose they are."""
        self.texts.setdefault(topic, set()).update(text for text in found.column("text").to_pylist() if text)


def digest_of(subjects: Iterable[Subject], keys: Iterable[bytes]) -> str:
    """A name for a request that says nothing of it without the key: 8 hex digits, the same for the same request."""
    words = "\0".join(sorted(f"{subject.kind}\0{subject.source}\0{subject.native}" for subject in subjects))
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), key=hashlib.sha256(next(iter(keys))).digest(), digest_size=4).hexdigest()


def _among(table: pa.Table, column: str, wanted: set[str] | None) -> pa.ChunkedArray:
    if not wanted:
        return pa.chunked_array([pa.array([False] * table.num_rows, pa.bool_())])
    return pc.is_in(table.column(column), value_set=pa.array(sorted(wanted), pa.string()))
