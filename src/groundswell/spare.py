"""What the lake has beside a data set: posts that nobody labelled and the champion that may label them, for rows with weak labels.

Reads the lake's footers for a digest, its posts and the registry only when a fit asks for them. Writes the texts into the folder of that fit, which
is thrown away, and the champion's export below ``compare/<topic>/``. Refuses what the lake and the registry refuse.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path

from groundswell import tracking
from groundswell.examples import read_examples
from groundswell.files import write_json
from groundswell.folds import READ
from groundswell.lake import Lake
from groundswell.params import CompareRow
from groundswell.settings import Settings
from groundswell.unlabelled import unlabelled_texts

_POSTS_A_ROW = 3
"""Unlabelled posts for each row of the data set: a teacher is sure of some of them only."""


class Spare:
    """The spare posts of ``topic``; ``similarity`` from which on a post is a row's near duplicate, as prepare's."""

    def __init__(self, settings: Settings, topic: str, similarity: float):
        self.settings, self.topic, self.similarity = settings, topic, similarity

    def settings_of(self, row: CompareRow) -> dict:
        """What the answers of ``row`` hang on beside params.yaml: nothing, or what the lake holds and who labels it."""
        if not row.augmentation.startswith("weak"):
            return {}
        teacher = {"champion": self._champion.run_id if self._champion else None} if row.augmentation == "weak_champion" else {}
        return {"lake": self._digest, "similarity": self.similarity, **teacher}

    def given(self, row: CompareRow, box: Path) -> dict[str, str | None]:
        """Where the child finds the unlabelled texts (JSON, in ``box``) and the champion's export; None where ``row`` asks for none."""
        if not row.augmentation.startswith("weak"):
            return {"unlabelled": None, "champion": None}
        write_json(self._texts, box / "unlabelled.json")
        champion = self._champion if row.augmentation == "weak_champion" else None
        return {"unlabelled": str(box / "unlabelled.json"), "champion": str(self._fetched(champion)) if champion else None}

    @cached_property
    def _digest(self) -> str:
        lake, found = Lake(self.settings.lake), {}
        for layer in ("valid", "labels"):
            found |= {one.name: lake.metadata(one).get("content_sha256") for one in lake.partitions(layer, topic=self.topic)}
        return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _texts(self) -> list[str]:
        rows = [read_examples(self.settings.dataset(self.topic), split) for split in READ]
        most = _POSTS_A_ROW * sum(map(len, rows))
        return unlabelled_texts(Lake(self.settings.lake), self.topic, rows, most=most, similarity=self.similarity)

    @cached_property
    def _champion(self) -> tracking.ModelVersion | None:
        return tracking.version_by_alias(self.settings, self.topic, tracking.CHAMPION)

    def _fetched(self, champion: tracking.ModelVersion) -> Path:
        folder = self.settings.root / "compare" / self.topic / "champion"
        return tracking.download_export(self.settings, self.topic, champion.version, folder)
