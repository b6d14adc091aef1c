"""The shape of texts and of a model's answers to them, in numbers and without a word of the texts.

Reads nothing and writes nothing. Training keeps the profile of its validation rows inside the model (``profile.parquet``),
`monitor` makes one of a window, and the two are compared: so both come from this one function. numpy, pyarrow and the
standard library only. Refuses probabilities that do not belong to the texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from groundswell.errors import ModelError
from groundswell.schema import LABELS
from groundswell.text import normalise

TEXT_COLUMNS = (
    "characters",
    "words",
    "word_length",
    "uppercase_share",
    "emoji_share",
    "non_latin_share",
    "hashtags",
    "mentions",
    "links",
)
"""What is measured of a text, after `text.normalise`: counts, and shares in 0…1 (uppercase and non-Latin of its letters, emoji of its characters)."""

ANSWER_COLUMNS = (*LABELS, "confidence", "entropy")
"""What is measured of an answer: the probabilities, the largest of them, and their entropy in nats (0 … ln 3)."""

COLUMNS = TEXT_COLUMNS + ANSWER_COLUMNS

_EMOJI = re.compile("[\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u23e9-\u23fa\u3030\u303d\u3297\u3299]")
_NON_LATIN = re.compile(
    "(?![\u00aa\u00ba\u00b5\u02b0-\u02e4\u1d00-\u1d7f\u1e00-\u1eff\u2c60-\u2c7f\ua720-\ua7ff\uff21-\uff5a])[^\\W\\d_\u0000-\u024f]"
)
_LETTER = re.compile(r"[^\W\d_]")
_UPPERCASE_ASCII = re.compile(r"[A-Z]")
_LETTER_ASCII = re.compile(r"[A-Za-z]")
_HASHTAG = re.compile(r"(?<!\w)#\w")
_MENTION = re.compile(r"(?<!\w)@user\b")
_LINK = re.compile(r"(?<!\w)http(?!\w)")


def profile(texts: Sequence[str], probabilities: np.ndarray) -> pa.Table:
    """One row a text, in the order of ``texts``: `COLUMNS`, all float64, none null or NaN.

    ``probabilities`` is (n, 3) in the order of `LABELS`, rows summing to 1. Raises `ModelError` when the shapes differ.
    """
    answers = _answers(texts, probabilities)
    measured = np.array([_measure(normalise(text)) for text in texts], dtype=np.float64).reshape(len(texts), len(TEXT_COLUMNS))
    arrays = [pa.array(np.ascontiguousarray(column)) for column in np.hstack([measured, answers]).T]
    return pa.Table.from_arrays(arrays, names=list(COLUMNS))


def _answers(texts: Sequence[str], probabilities: np.ndarray) -> np.ndarray:
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape != (len(texts), len(LABELS)):
        raise ModelError(f"profile: expected probabilities of shape ({len(texts)}, {len(LABELS)}), one row a text; found {values.shape}")
    if not np.isfinite(values).all():
        raise ModelError("profile: expected finite probabilities; found NaN or infinity: the model's export is broken")
    entropy = -(values * np.log(np.clip(values, 1e-12, 1.0))).sum(axis=1, keepdims=True)
    confidence = values.max(axis=1, keepdims=True, initial=0.0)
    return np.hstack([values, confidence, entropy])


def _measure(text: str) -> tuple[float, ...]:
    """The `TEXT_COLUMNS` of one normalised text."""
    words = text.split()
    length, count = len(text), len(words)
    letters, uppercase, emoji, non_latin = _ascii_letters(text) if text.isascii() else _letters(text)
    return (
        length,
        count,
        (length - count + 1) / count if count else 0.0,
        uppercase / letters if letters else 0.0,
        emoji / length if length else 0.0,
        non_latin / letters if letters else 0.0,
        len(_HASHTAG.findall(text)) if "#" in text else 0,
        len(_MENTION.findall(text)) if "@" in text else 0,
        len(_LINK.findall(text)) if "http" in text else 0,
    )


def _ascii_letters(text: str) -> tuple[int, int, int, int]:
    """Letters, uppercase letters, emoji and non-Latin letters of an ASCII text: most texts, at half the cost."""
    return len(_LETTER_ASCII.findall(text)), len(_UPPERCASE_ASCII.findall(text)), 0, 0


def _letters(text: str) -> tuple[int, int, int, int]:
    """Letters, uppercase letters, emoji and non-Latin letters of any text."""
    return len(_LETTER.findall(text)), sum(map(str.isupper, text)), len(_EMOJI.findall(text)), len(_NON_LATIN.findall(text))
