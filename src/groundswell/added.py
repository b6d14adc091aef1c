"""What training learns from beside the training rows of a data set, and which posts it was made of.

Rows that `train.augmentation` adds, and posts without a label, in which `further` pretraining guesses words. Reads the splits of a data set
(validation and test only to keep clear of them), for posts without a label the lake, for some weak labels the champion. Writes nothing. Refuses
what `approaches.augmentation` refuses: weak labels without posts, a champion that is missing or has learnt from a row of validation or test.
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
from groundswell.lake import Lake
from groundswell.params import CompareRow, PrepareParams, TrainParams
from groundswell.settings import Settings
from groundswell.spare import Spare
from groundswell.text import fingerprint
from groundswell.unlabelled import LEARNT_FROM_LAKE, Post, partitions_of, unlabelled_posts


@dataclass(frozen=True)
class Added:
    """Rows to learn from beside a data set's own, with their provenances (synthetic, weak), and the posts that they are."""

    rows: Labelled = field(default_factory=lambda: Labelled([], np.empty(0, dtype=np.int64), [], []))
    row_ids: list[str] = field(default_factory=list)
    """Of every post whose words are among the rows' texts: an edit has none of its own, its parent is a row of the data set."""
    unlabelled: list[str] = field(default_factory=list)
    """Texts of posts for further pretraining: learnt without a label, after which there is nothing but their words in the weights."""
    unlabelled_ids: list[str] = field(default_factory=list)
    partitions: dict[str, dict] = field(default_factory=dict)
    """Those of the lake that any of these posts came from (`unlabelled.partitions_of`)."""

    @property
    def texts(self) -> list[str]:
        """All of them."""
        return self.rows.texts + self.unlabelled

    @property
    def learnt_ids(self) -> list[str]:
        """Of every post in `texts`, once."""
        return list(dict.fromkeys(self.row_ids + self.unlabelled_ids))

    @property
    def tags(self) -> dict[str, str]:
        """Of the run and the model version that learn from them."""
        return {LEARNT_FROM_LAKE: str(len(self.learnt_ids))} if self.learnt_ids else {}

    def counts(self) -> dict[str, int]:
        """Provenance → rows."""
        return dict(sorted(Counter(self.rows.provenances or []).items()))


def added_rows(topic: str, folder: Path, *, settings: Settings, params: TrainParams, manifest: dict) -> Added:
    """What ``params`` add to the training rows of the data set in ``folder``; the same bytes for the same seed, lake and champion.

    `DatasetError` where weak labels have no post to be put on, `ModelError` for a champion that may not label.
    """
    most = params.further_pretraining_posts if params.further_pretraining_epochs else 0
    if params.augmentation == "none" and not most:
        return Added()
    splits = {split: read_examples(folder, split) for split in SPLITS}
    similarity = manifest.get("params", {}).get("near_duplicate_similarity", PrepareParams().near_duplicate_similarity)
    lake = Lake(settings.lake)
    read = unlabelled_posts(lake, topic, list(splits.values()), most=most, similarity=similarity) if most else []
    more, put = (Added().rows, []) if params.augmentation == "none" else _augmented(topic, splits, settings, params, similarity)
    partitions = partitions_of(lake, topic, dict.fromkeys([*put, *read]))
    return Added(more, _row_ids(topic, put), [post.text for post in read], _row_ids(topic, read), partitions)


def _augmented(topic: str, splits: dict[str, Examples], settings: Settings, params: TrainParams, similarity: float) -> tuple[Labelled, list[Post]]:
    """What augmentation adds, and the posts among it."""
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
    taken = {fingerprint(text) for text in more.texts}
    return more, [post for post in posts if fingerprint(post.text) in taken]


def with_added(train: Examples, added: Added) -> Labelled:
    """The rows to learn from: ``train``'s, and after them those that are ``added``."""
    more = added.rows
    groups = train.table["group"].to_pylist() + more.groups
    provenances = [""] * len(train) + (more.provenances or [])
    return Labelled(train.texts + more.texts, np.concatenate([train.labels, more.labels]), groups, provenances)


def with_unlabelled(train: Examples, added: Added) -> Labelled:
    """The texts for further pretraining: ``train``'s, and after them the posts; the class of all is 0, and nobody looks at it."""
    texts, groups = train.texts + added.unlabelled, train.table["group"].to_pylist() + added.unlabelled_ids
    return Labelled(texts, np.zeros(len(texts), dtype=np.int64), groups)


def _row_ids(topic: str, posts: list[Post]) -> list[str]:
    return [f"{post.source}/{topic}/{post.post_id}" for post in posts]
