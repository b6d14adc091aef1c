"""What the lake has beside a data set: posts that nobody labelled and the champion that may label them, for rows with weak labels.

Reads the lake's footers for a digest, its posts and the registry only when a fit asks for them. Writes the champion's export into the folder that
it is given, and for `compare` the texts into the folder of a fit, which is thrown away. Refuses what the lake and the registry refuse.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from groundswell import registry
from groundswell.examples import Examples, read_examples
from groundswell.files import write_json
from groundswell.lake import Lake
from groundswell.settings import Settings
from groundswell.unlabelled import Post, unlabelled_posts

_POSTS_A_ROW = 3
"""Unlabelled posts for each row that is learnt from: a teacher is sure of some of them only."""


class Spare:
    """The spare posts of ``topic``, and its champion; compare, tune and train ask here, so that a row is given the same by each.

    ``similarity``: from which on a post is a row's near duplicate, as prepare's. ``learnt``: the splits that may be learnt from, of which there are
    a few posts a row. ``apart``: those whose rows no post may be related to. ``folder``: where the champion's export is put.
    """

    def __init__(self, settings: Settings, topic: str, similarity: float, *, learnt: Sequence[str], apart: Sequence[str], folder: Path):
        self.settings, self.topic, self.similarity = settings, topic, similarity
        self.learnt, self.apart, self.folder = learnt, apart, folder

    def settings_of(self, augmentation: str) -> dict:
        """What the answers of a row hang on beside params.yaml: nothing, or what the lake holds and who labels it."""
        if not augmentation.startswith("weak"):
            return {}
        teacher = {"champion": self._champion.run_id if self._champion else None} if augmentation == "weak_champion" else {}
        return {"lake": self._digest, "similarity": self.similarity, **teacher}

    def posts(self, augmentation: str) -> list[Post]:
        """Posts to put labels on; none where ``augmentation`` asks for none."""
        return self._posts if augmentation.startswith("weak") else []

    def champion(self, augmentation: str) -> Path | None:
        """The export of the champion; None where ``augmentation`` asks for none, and where there is none."""
        if augmentation != "weak_champion" or self._champion is None:
            return None
        return registry.download_export(self.settings, self.topic, self._champion.version, self.folder / "champion")

    def given(self, augmentation: str, box: Path) -> dict[str, str | None]:
        """Where a child process finds the texts (JSON, in ``box``) and the champion's export; None where ``augmentation`` asks for none."""
        if not augmentation.startswith("weak"):
            return {"unlabelled": None, "champion": None}
        write_json([post.text for post in self._posts], box / "unlabelled.json")
        champion = self.champion(augmentation)
        return {"unlabelled": str(box / "unlabelled.json"), "champion": str(champion) if champion else None}

    @cached_property
    def _digest(self) -> str:
        lake, found = Lake(self.settings.lake), {}
        for layer in ("valid", "labels"):
            found |= {one.name: lake.metadata(one).get("content_sha256") for one in lake.partitions(layer, topic=self.topic)}
        return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _posts(self) -> list[Post]:
        rows: dict[str, Examples] = {split: read_examples(self.settings.dataset(self.topic), split) for split in self.apart}
        most = _POSTS_A_ROW * sum(len(rows[split]) for split in self.learnt)
        return unlabelled_posts(Lake(self.settings.lake), self.topic, list(rows.values()), most=most, similarity=self.similarity)

    @cached_property
    def _champion(self) -> registry.ModelVersion | None:
        return registry.version_by_alias(self.settings, self.topic, registry.CHAMPION)
