"""Words that may stand for one another: nearest neighbours in the packaged encoder's word embeddings, flips of sentiment left out.

Reads the packaged encoder's weights (nothing is fetched) and VADER's lexicon; writes nothing. A word that is no whole piece of the
encoder's vocabulary has no neighbours: other scripts, misspellings and most names stay as they are. Embeddings put opposites beside
each other (good, bad): a neighbour must have the same sign in the lexicon, and negations are nobody's neighbours and have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache

import numpy as np

NEIGHBOURS, LEAST_COSINE = 5, 0.4
"""So many of each word, no farther than that: below it they stop being of one kind ("tomorrow", "future")."""

_WORD = re.compile(r"[a-z]{3,}")
_CONTRACTION = re.compile(r"n['\u2019]t$")


@cache
def lexicon() -> dict[str, float]:
    """VADER's words and emoticons with their valence, -4 … 4 (Hutto & Gilbert 2014)."""
    return analyser().lexicon


@cache
def analyser():
    """VADER, loaded once a process."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def is_negation(word: str) -> bool:
    """Whether ``word`` (lower case) denies: not, never, nobody, won't …"""
    return word in _negations() or bool(_CONTRACTION.search(word))


def near_words(words: Iterable[str]) -> dict[str, list[str]]:
    """For each of ``words`` (lower case) that has any its neighbours, the nearest first, at most `NEIGHBOURS`."""
    known, vectors = _table()
    place_of = {word: place for place, word in enumerate(known)}
    asked = sorted({word for word in words if word in place_of})
    signs = np.sign([lexicon().get(word, 0.0) for word in known])
    found: dict[str, list[str]] = {}
    for start in range(0, len(asked), 512):
        block = asked[start : start + 512]
        places = [place_of[word] for word in block]
        near = vectors[places] @ vectors.T
        near[signs[places][:, None] != signs] = -1
        near[np.arange(len(block)), places] = -1
        best = np.argpartition(-near, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        for word, row, likes in zip(block, best, near, strict=True):
            order = sorted(row.tolist(), key=lambda place: (-likes[place], place))
            if chosen := [known[place] for place in order if likes[place] >= LEAST_COSINE]:
                found[word] = chosen
    return found


@cache
def _negations() -> frozenset[str]:
    from vaderSentiment.vaderSentiment import NEGATE

    return frozenset(NEGATE) | {"no", "nor", "non", "hardly", "barely", "scarcely"}


@cache
def _table() -> tuple[list[str], np.ndarray]:
    """The vocabulary's whole words that carry a meaning, and their vectors (words, width), centred, of length 1."""
    from safetensors import safe_open
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    from groundswell.encoder import packaged_file

    number_of = json.loads(packaged_file("tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    words = [
        word for word in sorted(number_of, key=number_of.get) if _WORD.fullmatch(word) and word not in ENGLISH_STOP_WORDS and not is_negation(word)
    ]
    with safe_open(packaged_file("model.safetensors"), "np") as file:
        vectors = file.get_tensor("embeddings.word_embeddings.weight")[[number_of[word] for word in words]].astype(np.float32)
    vectors -= vectors.mean(axis=0)
    return words, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
