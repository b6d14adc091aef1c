"""Approaches for tests of `compare`: they know `tests.tiny.WORDS` and answer as well, as slowly or as badly as their options say.

Named as ``tests.approaches:make``; any row can carry them, its features and model are only read by the page.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Sequence

import numpy as np

from groundswell.schema import LABELS
from tests.tiny import WORDS


class Scripted:
    """``right``: the share of texts that it gets right; ``by_seed``: another tenth wrong a seed; ``slow``: seconds a fit; ``end``: how it fails;
    ``needs``: labels without which it is never right."""

    def __init__(self, options: dict, seed: int, name: str):
        self.options, self.seed, self.name = options, seed, name

    def fit(self, train) -> None:
        self.learnt = len(train)
        time.sleep(self.options.get("slow", 0))
        self.ballast = np.ones(int(self.options.get("megabytes", 0) * 1_000_000), dtype=np.uint8)
        if how := self.options.get("end"):
            _ends[how](train)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        share = self.options.get("right", 1.0) - 0.1 * self.seed * self.options.get("by_seed", 0)
        share = share if self.learnt >= self.options.get("needs", 0) else 0.0
        return np.array([_answer(text, share, self.options.get("noise", self.name)) for text in texts])

    def size_bytes(self) -> int:
        return 1234


def check(rows, train, vectors):
    """Any row may have any option here."""


def make(row, seed, surroundings):
    return Scripted(row.options, seed, row.name)


def _answer(text: str, share: float, noise) -> np.ndarray:
    words = text.split()
    label = max(range(len(LABELS)), key=lambda at: sum(word in WORDS[LABELS[at]] for word in words))
    drawn = hashlib.sha256(f"{noise} {text}".encode()).digest()
    said = label if int.from_bytes(drawn[:4], "big") / 2**32 < share else (label + 1 + drawn[4] % 2) % len(LABELS)
    return np.where(np.arange(len(LABELS)) == said, 0.8, 0.1)


def _imports(train):
    import no_such_package_of_anybodys  # noqa: F401


def _quotes(train):
    raise ValueError(f"can't make anything of {train.texts[0]!r}")


_ends = {
    "raise": _quotes,
    "import": _imports,
    "crash": lambda train: os.abort(),
    "killed": lambda train: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda train: os._exit(3),
}
