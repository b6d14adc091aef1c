"""VADER: a lexicon with rules for negation, emphasis and emoji (Hutto & Gilbert 2014). English; learns nothing but, if asked, two thresholds.

Reads the lexicon that its package brings. The compound score, -1 to 1, is negative up to -0.05 and positive from 0.05 on, as its authors
publish, or by thresholds fitted on the training rows (``thresholds: fitted``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from groundswell.approaches.base import Labelled, Surroundings, memory_bytes
from groundswell.approaches.cleaning import cleaned
from groundswell.approaches.near_words import analyser
from groundswell.approaches.options import Option, Value, taken
from groundswell.metrics import scores
from groundswell.params import CompareRow, TrainParams
from groundswell.predictor import softmax

OPTIONS = {"thresholds": Option("published", choices=("published", "fitted"))}

PUBLISHED = (-0.05, 0.05)
_TRIED = 41  # thresholds a side, where fitted
_SHARPNESS = 4.0  # of the probabilities alone: at a compound of ±1 about 0.98
_HALF_A_STEP = 5e-5  # compounds have four digits; one that is just at a threshold is over it, as published


def make(row: CompareRow, seed: int, surroundings: Surroundings) -> Vader:
    """VADER as ``row`` wants it; `ParamsError` for another option than ``thresholds``."""
    return Vader(row.cleaning, values_of(row, surroundings.train))


def values_of(row: CompareRow, train: TrainParams) -> dict[str, Value]:
    """Every option of ``row`` with its value."""
    return taken(row, OPTIONS)


class Vader:
    """A compound score as three probabilities: the softmax of how far it is over each threshold, so that the thresholds decide."""

    def __init__(self, cleaning: str, options: Mapping[str, Value]):
        self._cleaning, self._is_fitted = cleaning, options["thresholds"] == "fitted"
        self._low, self._high = PUBLISHED

    def fit(self, train: Labelled) -> None:
        """The pair of thresholds with the best macro-F1 on ``train``, of those between quantiles of its scores, or the published one."""
        if not self._is_fitted:
            return
        found = self._compounds(train.texts)
        tried = np.unique(np.quantile(found, np.linspace(0, 1, _TRIED)))
        pairs = [PUBLISHED, *((low, high) for low in tried[tried < 0] for high in tried[tried > 0])]
        self._low, self._high = max(pairs, key=lambda pair: scores(train.labels, shares(found, *pair))["macro_f1"])

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return shares(self._compounds(texts), self._low, self._high)

    def size_bytes(self) -> int:
        return lexicon_bytes()

    def _compounds(self, texts: Sequence[str]) -> np.ndarray:
        return opinions(cleaned(self._cleaning, texts))[:, 2]


def opinions(texts: Sequence[str]) -> np.ndarray:
    """VADER's shares of negative and positive words and its compound score for each text, float64 (n, 3)."""
    said = map(analyser().polarity_scores, texts)
    return np.array([[each["neg"], each["pos"], each["compound"]] for each in said], dtype=np.float64).reshape(len(texts), 3)


def lexicon_bytes() -> int:
    """What VADER keeps: its words and emoji."""
    return memory_bytes([analyser().lexicon, analyser().emojis])


def shares(compounds: np.ndarray, low: float, high: float) -> np.ndarray:
    """Probabilities (n, 3) of ``compounds`` (n,): neutral between ``low`` and ``high``, both excluded."""
    over = np.column_stack([low + _HALF_A_STEP - compounds, np.zeros(len(compounds)), compounds - high + _HALF_A_STEP])
    return softmax(_SHARPNESS * over)
