"""The contract of an approach: what it is given, what it answers, and what it may know."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from groundswell.params import TrainParams

ADDED = ("synthetic", "weak")
"""Provenances of rows that augmentation has added: they are learnt from, and nothing is ever measured on them."""

HELD_OUT_F1 = "held_out_macro_f1"
"""Among what is observed: macro-F1 on the rows that an approach holds out to stop by."""

Observe = Callable[[int, dict[str, float]], None]
"""Is told (step, numbers) while something learns, and may end that by an exception."""


def unheard(step: int, numbers: dict[str, float]) -> None:
    """An `Observe` that looks away."""


@dataclass(frozen=True)
class Labelled:
    """Rows to learn from: normalised texts, class numbers (n,), and for each row the group that must not be cut (duplicates, author)."""

    texts: list[str]
    labels: np.ndarray
    groups: list[str]
    provenances: list[str] | None = None
    """Of each row, where augmentation has added some: ``synthetic`` and ``weak`` for those; None: nothing was added."""

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, places: Sequence[int]) -> Labelled:
        """The rows at ``places``, in that order."""
        said = None if self.provenances is None else [self.provenances[at] for at in places]
        return Labelled([self.texts[at] for at in places], self.labels[list(places)], [self.groups[at] for at in places], said)

    @property
    def is_added(self) -> np.ndarray:
        """Whether augmentation has made or labelled a row, bool (n,)."""
        return np.array([said in ADDED for said in self.provenances or [""] * len(self)], dtype=bool)


@dataclass(frozen=True)
class Surroundings:
    """What an approach may use beside its rows: cores, the train section, a file of vectors, a folder to throw away."""

    threads: int
    train: TrainParams
    scratch: Path
    vectors: Path | None = None
    unlabelled: Sequence[str] = ()
    """Normalised texts of posts without a label that have nothing to do with a judged row (`unlabelled.strangers`)."""
    champion: Path | None = None
    """The export folder of the model that labels them where a row asks for `weak_champion`."""
    judged: frozenset[int] = frozenset()
    """`text.fingerprint` of every text that is judged on: augmentation keeps clear of them."""
    observe: Observe = unheard
    """Hears of every look at the rows held out, where an approach learns by epochs."""


class Approach(Protocol):
    """One row of a comparison with one seed. The same rows and seed give the same answers on one machine."""

    def fit(self, train: Labelled) -> None:
        """Learn; whoever stops early holds out groups of ``train`` itself (`held_out`), so that all learn from the same labels."""

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float64 (n, 3), in the order of LABELS; a text that is like nothing learnt gets an answer too."""

    def size_bytes(self) -> int:
        """What would have to be kept to answer again: arrays and vocabularies, as they lie in memory."""


def held_out(train: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """(to learn from, to stop by): about ``share`` of the rows, whole groups, drawn by ``seed``; each side has a row at least.

    What augmentation has added is only learnt from, and goes where its group goes: a child of a row to stop by is left out.
    """
    added = train.is_added
    names = sorted({name for name, is_added in zip(train.groups, added, strict=True) if not is_added})
    order = np.random.default_rng(seed).permutation(len(names))
    wanted, taken = max(1, round(share * len(train))), set()
    sizes = Counter(name for name, is_added in zip(train.groups, added, strict=True) if not is_added)
    held = 0
    for place in order[:-1]:
        if held >= wanted:
            break
        taken.add(names[place])
        held += sizes[names[place]]
    aside = [at for at, name in enumerate(train.groups) if name in taken and not added[at]]
    rest = [at for at, name in enumerate(train.groups) if name not in taken]
    return train.part(rest), train.part(aside)


def memory_bytes(thing: object) -> int:
    """The bytes of arrays, sparse matrices, words and numbers, and of the lists and dicts that hold them, as they lie in memory."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if hasattr(thing, "indptr"):
        return thing.data.nbytes + thing.indices.nbytes + thing.indptr.nbytes
    inner = [*thing.keys(), *thing.values()] if isinstance(thing, dict) else thing if isinstance(thing, list | tuple) else ()
    return sys.getsizeof(thing) + sum(map(memory_bytes, inner))
