"""Superseded data: what was read from the lake once and is not there any more as it was read.

Reads footers of ``lake/valid`` and ``lake/labels``, and what `impact` and `seal` last wrote under ``reports``. A partition is told by
its content's hash: one that was only written anew with the same posts is not superseded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from groundswell.files import write_json
from groundswell.lake import Lake
from groundswell.settings import Settings
from groundswell.window import Window


def is_made_of(made: dict, of: dict | None) -> bool:
    """Whether a partition with the footer ``made`` was made of what its stage wrote into the one with the footer ``of``: false where that was
    written anew since, true where it can't be told (it is not there any more, or the footer is older than what tells it)."""
    known = made.get("made_of")
    return known is None or of is None or known == written_as(of)


def written_as(footer: dict) -> str | None:
    """The content that a stage wrote into a partition, whoever was erased from it since."""
    return footer.get("written_as", footer.get("content_sha256"))


class Contents:
    """Content hashes of the lake's partitions by their key in manifests, each footer read once."""

    def __init__(self, lake: Lake):
        self._lake = lake
        self._known: dict[str, dict | None] = {}

    def of(self, key: str) -> dict | None:
        """What the footer of ``key`` says; None where it is not in the lake."""
        if key not in self._known:
            *layer, source, topic, window = key.split("/")
            partition = self._lake.partition(*(layer or ["valid"]), source, topic, Window.parse(window))
            self._known[key] = self._lake.metadata(partition) if self._lake.exists(partition) else None
        return self._known[key]

    def superseded(self, partitions: Mapping[str, Mapping]) -> dict[str, dict]:
        """Of ``partitions`` (a manifest's) those that are not there as they were read: key → content hash ``then`` and ``now`` (None: gone).

        What changed while being read has no content hash in the manifest, and counts as superseded.
        """
        found = {}
        for key, entry in sorted(partitions.items()):
            then, now = entry.get("content_sha256"), (self.of(key) or {}).get("content_sha256")
            if now is None or now != then:
                found[key] = {"then": then, "now": now}
        return found


def sealed_contents(lake: Lake, topic: str) -> dict[str, str]:
    """Key → content hash of the topic's valid partitions, as `seal` writes down what it seals."""
    return {partition.key: lake.metadata(partition).get("content_sha256", "") for partition in lake.partitions("valid", topic=topic)}


def write_sealed(settings: Settings, topic: str, contents: Mapping[str, str]) -> None:
    write_json(dict(contents), settings.report("seal", topic, "contents"))


def read_sealed(settings: Settings, topic: str) -> dict[str, str]:
    """What `write_sealed` wrote last; empty before the first seal."""
    try:
        return json.loads(settings.report("seal", topic, "contents").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def built_on(settings: Settings, topic: str) -> dict[str, dict[str, list[str]]]:
    """Partition key → content hash → what was built on it (``dataset``, ``version 7``), by `impact`'s last look."""
    try:
        return json.loads(settings.report("impact", topic, "built").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
