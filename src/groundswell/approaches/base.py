"""The contract of an approach: what it is given, what it answers, and what it may know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from groundswell.config import TrainParams


@dataclass(frozen=True)
class Labelled:
    """Rows to learn from: normalised texts, class numbers (n,), and for each row the group that must not be cut (duplicates, author)."""

    texts: list[str]
    labels: np.ndarray
    groups: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, places: Sequence[int]) -> Labelled:
        """The rows at ``places``, in that order."""
        return Labelled([self.texts[at] for at in places], self.labels[list(places)], [self.groups[at] for at in places])


@dataclass(frozen=True)
class Surroundings:
    """What an approach may use beside its rows: cores, the train section, a file of vectors, a folder to throw away."""

    threads: int
    train: TrainParams
    scratch: Path
    vectors: Path | None = None


class Approach(Protocol):
    """One row of a comparison with one seed. The same rows and seed give the same answers on one machine."""

    def fit(self, train: Labelled) -> None:
        """Learn; whoever stops early holds out groups of ``train`` itself (`held_out`), so that all learn from the same labels."""

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float64 (n, 3), in the order of LABELS; a text that is like nothing learnt gets an answer too."""

    def size_bytes(self) -> int:
        """What would have to be kept to answer again: arrays and vocabularies, as they lie in memory."""


def held_out(train: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """(to learn from, to stop by): about ``share`` of the rows, whole groups, drawn by ``seed``; each side has a row at least."""
    names = sorted(set(train.groups))
    order = np.random.default_rng(seed).permutation(len(names))
    wanted, taken = max(1, round(share * len(train))), set()
    sizes = {name: 0 for name in names}
    for name in train.groups:
        sizes[name] += 1
    held = 0
    for place in order[:-1]:
        if held >= wanted:
            break
        taken.add(names[place])
        held += sizes[names[place]]
    aside = [at for at, name in enumerate(train.groups) if name in taken]
    rest = [at for at, name in enumerate(train.groups) if name not in taken]
    return train.part(rest), train.part(aside)
