"""Added rows: what `train.augmentation` adds to the training rows of a data set, and which posts it was made of.

Reads the splits of a data set (validation and test only to keep clear of them), for weak labels the lake's posts without a label and the
champion. Writes nothing. Refuses what `approaches.augmentation` refuses: weak labels without posts, a champion that is missing or has learnt
from a row of validation or test.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from groundswell.approaches.augmentation import augmented
from groundswell.approaches.base import Labelled, Surroundings
from groundswell.examples import SPLITS, Examples, read_examples
from groundswell.params import CompareRow, PrepareParams, TrainParams
from groundswell.settings import Settings
from groundswell.spare import Spare
from groundswell.text import fingerprint
from groundswell.unlabelled import LEARNT_FROM_LAKE, Post


@dataclass(frozen=True)
class Added:
    """Rows to learn from beside a data set's own, with their provenances (synthetic, weak), and the posts that they are."""

    rows: Labelled = field(default_factory=lambda: Labelled([], np.empty(0, dtype=np.int64), [], []))
    row_ids: list[str] = field(default_factory=list)
    """Of every post whose words are among the texts: an edit has none of its own, its parent is a row of the data set."""

    @property
    def tags(self) -> dict[str, str]:
        """Of the run and the model version that learn from them."""
        return {LEARNT_FROM_LAKE: str(len(self.row_ids))} if self.row_ids else {}

    def counts(self) -> dict[str, int]:
        """Provenance → rows."""
        return dict(sorted(Counter(self.rows.provenances or []).items()))


def added_rows(topic: str, folder: Path, *, settings: Settings, params: TrainParams, manifest: dict) -> Added:
    """What ``params.augmentation`` adds to the training rows of the data set in ``folder``; the same bytes for the same seed, lake and champion.

    `DatasetError` where weak labels have no post to be put on, `ModelError` for a champion that may not label.
    """
    if params.augmentation == "none":
        return Added()
    splits = {split: read_examples(folder, split) for split in SPLITS}
    similarity = manifest.get("params", {}).get("near_duplicate_similarity", PrepareParams().near_duplicate_similarity)
    with tempfile.TemporaryDirectory(prefix="groundswell-added-") as box:
        spare = Spare(settings, topic, similarity, learnt=SPLITS[:1], apart=SPLITS, folder=Path(box))
        posts = spare.posts(params.augmentation)
        around = Surroundings(
            threads=max(1, params.threads),
            train=params,
            scratch=Path(box),
            unlabelled=[post.text for post in posts],
            champion=spare.champion(params.augmentation),
            judged=frozenset(fingerprint(text) for split in SPLITS[1:] for text in splits[split].texts),
        )
        own = splits["train"]
        row = CompareRow(name="train", model="distilbert", augmentation=params.augmentation)
        whole = augmented(Labelled(own.texts, own.labels, own.table["group"].to_pylist()), row, params.seed, around)
    more = whole.part(range(len(own), len(whole)))
    return Added(more, _row_ids(topic, more.texts, posts))


def with_added(train: Examples, added: Added) -> Labelled:
    """The rows to learn from: ``train``'s, and after them those that are ``added``."""
    more = added.rows
    groups = train.table["group"].to_pylist() + more.groups
    provenances = [""] * len(train) + (more.provenances or [])
    return Labelled(train.texts + more.texts, np.concatenate([train.labels, more.labels]), groups, provenances)


def _row_ids(topic: str, texts: list[str], posts: list[Post]) -> list[str]:
    taken = {fingerprint(text) for text in texts}
    return [f"{post.source}/{topic}/{post.post_id}" for post in posts if fingerprint(post.text) in taken]
