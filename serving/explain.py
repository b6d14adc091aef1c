"""Which words an answer hangs on: each is left out in turn, and what the model then says is compared with what it said.

Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901), of words as "erasure" (Li, Monroe & Jurafsky 2016, arXiv:1612.08220). It asks the same
network by the same way as a prediction does, so every number can be had from /v1/predict with the word cut out by hand; it needs no
gradients, which an ONNX file has none of. It sees one word at a time: two words that each suffice both get little, and contributions do not
add up to the answer. Refuses what a prediction refuses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from tokenizers import Encoding

from groundswell.predictor import Predictor

MOST_VARIANTS = 64
"""A text of more words than this is explained by runs of neighbouring words."""
MOST_TOKENS = 8192
"""What all variants of a text may cost together: about what one request for predictions may."""
_JOINS = frozenset("'’@#_-")
"""don't, @user, #goty, well-made: several words to the tokenizer."""


@dataclass(frozen=True)
class Span:
    """A word, or a run of words, of the normalised text: characters ``start`` up to ``end``."""

    start: int
    end: int

    def left_out_of(self, text: str) -> str:
        """``text`` without it; a space stands in its place, so that its neighbours stay the words that they are."""
        return f"{text[: self.start]} {text[self.end :]}"


def spans(predictor: Predictor, text: str) -> list[Span]:
    """The words of a normalised ``text`` as far as the model reads it, in runs where they are too many to be left out one by one."""
    encoding = predictor.encode([text])[0]
    words = _words(text, encoding)
    most = max(1, min(MOST_VARIANTS, MOST_TOKENS // len(encoding.ids)))
    size = math.ceil(len(words) / most)
    return [Span(words[first].start, words[min(first + size, len(words)) - 1].end) for first in range(0, len(words), size or 1)]


def _words(text: str, encoding: Encoding) -> list[Span]:
    """What a reader takes for words: word pieces put together again, and what `_JOINS` joins; special tokens belong to none."""
    words: list[Span] = []
    pieces = ((word, offsets) for word, offsets in zip(encoding.word_ids, encoding.offsets, strict=True) if word is not None)
    for _, group in groupby(pieces, key=lambda piece: piece[0]):
        offsets = [each for _, each in group]
        start, end = offsets[0][0], offsets[-1][1]
        if words and words[-1].end == start and (text[start] in _JOINS or text[start - 1] in _JOINS):
            start = words.pop().start
        words.append(Span(start, end))
    return words


def variants(text: str, places: list[Span]) -> list[str]:
    """What the model is asked: the whole normalised text, nothing at all, and what it reads of the text without each of ``places``."""
    read = text[: places[-1].end] if places else ""  # else the end of a long text would come into sight as words before it go
    return [text, "", *(place.left_out_of(read) for place in places)]


def contributions(probabilities: np.ndarray, label: int) -> np.ndarray:
    """What each word adds to the log-odds of ``label``, float64 (n - 2,); ``probabilities`` are those of `variants`."""
    log_odds = _log_odds(probabilities, label)
    return log_odds[0] - log_odds[2:]


def _log_odds(probabilities: np.ndarray, label: int) -> np.ndarray:
    exact = np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny)
    return np.log(exact[:, label]) - np.log(np.delete(exact, label, axis=1).sum(axis=1))
