"""Which words tell one class's posts from the others', and when a word may be shown at all. Reads and writes nothing.

A word of few people would say more about them than about a class: it is shown when `LEAST_GROUPS` groups have written it, and where
groups don't hold an author's posts together none is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from groundswell.examples import Examples
from groundswell.schema import LABELS

LEAST_GROUPS = 5
"""So many groups of a data set (all posts of an author are one, and so are near duplicates) must hold a word that is shown."""

_WORD = re.compile(r"#?\w[\w'’]+|[^\w\s\x00-\x7f]")
_NOT_SHOWN = {"user", "http"}  # what text.normalise puts in for people and links
_PRIOR = 500.0  # posts' worth of the whole vocabulary that stands behind every class


def words_shown(rows: Examples, classes: np.ndarray, count: int, manifest: dict) -> dict[str, list[tuple[str, float]]] | None:
    """`telling_words` of a split, its ``classes`` (n,); None where its data set's ``manifest`` says that groups don't hold authors together."""
    if "author" not in manifest.get("params", {}).get("group_by", ()):
        return None
    return telling_words(rows.texts, classes, count, groups=rows.table["group"].to_pylist())


def telling_words(texts: Sequence[str], classes: np.ndarray, count: int, *, groups: Sequence) -> dict[str, list[tuple[str, float]]]:
    """Label → its ``count`` most telling words and their z-scores, the largest first; only words that speak for the class.

    ``groups`` names each post's: a word is shown that stands in `LEAST_GROUPS` of them.

    z of the log-odds ratio against all other classes' posts, with the whole vocabulary as an informative Dirichlet prior (Monroe,
    Colaresi & Quinn 2008, Fightin' Words). A word counts once a post; emoji are words.
    """
    per_class = [Counter() for _ in LABELS]
    wrote: dict[str, set] = {}
    for text, place, group in zip(texts, classes, groups, strict=True):
        found = set(_WORD.findall(text.casefold())) - _NOT_SHOWN
        per_class[place].update(found)
        for word in found:
            wrote.setdefault(word, set()).add(group)
    words = sorted(word for word, by in wrote.items() if len(by) >= LEAST_GROUPS)
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
