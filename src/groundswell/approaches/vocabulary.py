"""Texts as rows of word numbers: the vocabulary of a sequence model, and its batches.

A vocabulary is learnt from the texts it is given and knows two numbers more: padding, and the word it never saw. Batches hold rows of
nearly one length; how wide a row is padded, and beside which rows it stands, must change no answer: networks get the lengths too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2
_SORTED_TOGETHER = 50  # batches: enough that little is padded, few enough that rows meet others in every epoch


class Vocabulary:
    """The words that a network has a vector for; ``words[i]`` has the number ``i + 2``."""

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        self._numbers = {word: place + FIRST_WORD for place, word in enumerate(self.words)}

    @classmethod
    def learn(cls, rows: Sequence[Sequence[str]], *, max_words: int, min_count: int) -> Vocabulary:
        """The ``max_words`` most frequent words that ``rows`` have ``min_count`` times at least; equals in the order of the alphabet.

        Words below ``min_count`` are left for UNKNOWN: it learns from them what a word that nobody saw is like.
        """
        counts = Counter(word for row in rows for word in row)
        known = sorted((word for word, count in counts.items() if count >= min_count), key=lambda word: (-counts[word], word))
        return cls(known[:max_words])

    def __len__(self) -> int:
        """How many vectors there are, padding's and the unknown word's among them."""
        return len(self.words) + FIRST_WORD

    def numbers(self, words: Sequence[str], max_length: int) -> np.ndarray:
        """The first ``max_length`` of ``words`` as numbers, int64; a text without a word is one unknown word."""
        return np.array([self._numbers.get(word, UNKNOWN) for word in words[:max_length]] or [UNKNOWN], dtype=np.int64)


def padded(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(numbers (rows, longest), padding behind; lengths (rows,)), int64."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    numbers = np.full((len(rows), lengths.max()), PADDING, dtype=np.int64)
    for place, row in enumerate(rows):
        numbers[place, : len(row)] = row
    return numbers, lengths


def shuffled_batches(lengths: np.ndarray, size: int, chance: np.random.Generator) -> Iterator[np.ndarray]:
    """Every row once, as places in batches of ``size``: drawn anew at each call, rows of nearly one length together."""
    order, together = chance.permutation(len(lengths)), size * _SORTED_TOGETHER
    blocks = [order[start : start + together] for start in range(0, len(order), together)]
    sorted_blocks = [block[np.argsort(lengths[block], kind="stable")] for block in blocks]
    batches = [block[start : start + size] for block in sorted_blocks for start in range(0, len(block), size)]
    yield from (batches[place] for place in chance.permutation(len(batches)))


def sorted_batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Every row once, the longest first, as places in batches of at most ``budget`` numbers with their padding (a row at least)."""
    order = np.argsort(-lengths, kind="stable")
    while len(order):
        fit = max(1, budget // max(1, int(lengths[order[0]])))
        yield order[:fit]
        order = order[fit:]
