"""A platform's post as the lake has it: the canonical row, in which no author's id is left.

Reads what a source found, the keys of the pseudonyms and the tombstones; writes nothing. A window that is there keeps the key that it was
made with, so that a backfill gives the same bytes. Whoever was erased is left out, counted as `ERASED`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from groundswell.lake import Lake
from groundswell.pseudonym import Pseudonyms
from groundswell.sources.base import Found, Source, hashtags
from groundswell.tombstones import ERASED, Tombstones, parent_of
from groundswell.window import Window


@dataclass
class Canonical:
    """Makes the rows of one source and topic. ``names``: the pseudonyms by the id of their key, the key in use first."""

    network: Source
    topic: str
    lake: Lake
    names: dict[str, Pseudonyms]
    tombstones: Tombstones
    version: str = field(init=False)
    _chosen: dict[Window, Pseudonyms] = field(default_factory=dict)

    def __post_init__(self):
        self.version = f"{self.network.name}-{self.network.version}"

    def pseudonyms_of(self, window: Window) -> Pseudonyms:
        """By the key that the window was made with, where it is there and its key still known: a backfill gives the same bytes."""
        if window not in self._chosen:
            partition = self.lake.partition("raw", self.network.name, self.topic, window)
            made_with = self.lake.metadata(partition).get("pseudonym_key") if self.lake.exists(partition) else None
            self._chosen[window] = self.names.get(made_with) or next(iter(self.names.values()))
        return self._chosen[window]

    def rows(self, window: Window, posts: Iterable[Found], dropped: Counter) -> Iterator[dict]:
        """The canonical posts, without those that were erased."""
        for found in posts:
            row = self._row(found, self.pseudonyms_of(window), window)
            if self._is_erased(found, row):
                dropped[ERASED] += 1
            else:
                yield row

    def _is_erased(self, found: Found, row: dict) -> bool:
        """By any name of the author's own under any key, or by the post's id as the platform or as the lake has it."""
        source, stones = self.network.name, self.tombstones
        return stones.name(source, (row["author"],), (found.post_id, row["post_id"])) or any(
            stones.name_author(source, native) for native in (found.author, *found.aliases)
        )

    def _row(self, found: Found, pseudonyms: Pseudonyms, window: Window) -> dict:
        """The canonical post: everything that could hold the author's id goes through the pseudonyms."""
        hide = pseudonyms.hider(found.author, *found.aliases, *found.shared_names)
        given = {name: getattr(found, name) for name in ("created_at", "edited_at", "likes", "reposts", "replies", "score")}
        author = pseudonyms.of(found.author)
        hidden = {name: hide.text(getattr(found, name)) for name in ("text", "lang", "kind", "native_label", "label", "url")}
        hidden |= {name: hide.text(self.network.id_in_lake(getattr(found, name), pseudonyms.wrap)) for name in ("post_id", "parent_id")}
        hidden["post_id"] = hidden["post_id"] or _content_id(found.created_at, author, hidden["text"])
        raw = self.tombstones.without_traces(self.network.name, hide.record(found.record))
        return {
            **given,
            **hidden,
            "parent_id": parent_of(raw, hidden["parent_id"]),
            "source": self.network.name,
            "topic": self.topic,
            "author": author,
            "hashtags": hashtags(hidden["text"]),
            "label_provenance": found.label_provenance,
            "raw": raw,
            "fetched_at": window.end,
            "connector_version": self.version,
        }


def _content_id(created_at: datetime, author: str | None, text: str | None) -> str:
    """An id for a post that has none, of what is written only: with a native author in it, whoever guesses one could try it out."""
    content = "\0".join((created_at.isoformat(), author or "", text or ""))
    return "c" + hashlib.sha256(content.encode("utf-8")).hexdigest()[:20]
