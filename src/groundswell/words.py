"""Which words tell one class's posts from the others'. Reads and writes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from groundswell.schema import LABELS

MIN_POSTS = 3
"""A word of fewer posts is not shown: it would say more about a person than about a class."""

_WORD = re.compile(r"#?\w[\w'’]+|[^\w\s\x00-\x7f]")
_NOT_SHOWN = {"user", "http"}  # what text.normalise puts in for people and links
_PRIOR = 500.0  # posts' worth of the whole vocabulary that stands behind every class


def telling_words(
    texts: Sequence[str], classes: np.ndarray, count: int, *, groups: Sequence | None = None, least: int = MIN_POSTS
) -> dict[str, list[tuple[str, float]]]:
    """Label → its ``count`` most telling words and their z-scores, the largest first; only words that speak for the class.

    A word is shown that stands in ``least`` posts, or, where ``groups`` names each post's (all of an author's are one), in ``least`` groups.

    z of the log-odds ratio against all other classes' posts, with the whole vocabulary as an informative Dirichlet prior (Monroe,
    Colaresi & Quinn 2008, Fightin' Words). A word counts once a post; emoji are words.
    """
    per_class = [Counter() for _ in LABELS]
    wrote: dict[str, set] = {}
    for number, (text, place) in enumerate(zip(texts, classes, strict=True)):
        found = set(_WORD.findall(text.casefold())) - _NOT_SHOWN
        per_class[place].update(found)
        for word in found:
            wrote.setdefault(word, set()).add(groups[number] if groups is not None else number)
    words = sorted(word for word, by in wrote.items() if len(by) >= least)
    if not words:
        return {label: [] for label in LABELS}
    counts = np.array([[one[word] for word in words] for one in per_class], dtype=np.float64)
    return {label: _most_telling(words, counts, place, count) for place, label in enumerate(LABELS)}


def _most_telling(words: list[str], counts: np.ndarray, place: int, count: int) -> list[tuple[str, float]]:
    prior = _PRIOR * counts.sum(axis=0) / counts.sum()
    own = counts[place] + prior
    others = counts.sum(axis=0) - counts[place] + prior
    z = (_log_odds(own) - _log_odds(others)) / np.sqrt(1 / own + 1 / others)
    best = np.argsort(-z, kind="stable")[:count]
    return [(words[at], float(z[at])) for at in best if z[at] > 0]


def _log_odds(weights: np.ndarray) -> np.ndarray:
    return np.log(weights) - np.log(np.maximum(weights.sum() - weights, 1e-9))
