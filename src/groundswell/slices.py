"""Slices: parts of a split by what one can see of a row, so that a model that falls in one of them is found out.

Reads and writes nothing. `evaluate` and `judge` cut alike.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from groundswell.profile import profile
from groundswell.schema import LABELS

_NEGATION = re.compile(r"\b(?:not?|never|none|nothing|nobody|neither|nor|without|cannot|\w+n['’]t)\b", re.IGNORECASE)
_SHORT, _LONG = 8, 24  # words


def slices_of(table: pa.Table) -> dict[str, np.ndarray]:
    """Name (``source=steam``, ``emoji=yes`` …) → which rows of ``table`` (`schema.EXAMPLE`) are in it, bool (n,), sorted by name.

    By source, month, length in words, and whether there are emoji, hashtags, negations. Empty slices are left out.
    """
    texts = table["text"].to_pylist()
    shape = profile(texts, np.full((len(texts), len(LABELS)), 1 / len(LABELS), dtype=np.float32))
    words = shape["words"].to_numpy()
    named = {
        "emoji": _yes_no(shape["emoji_share"].to_numpy() > 0),
        "hashtags": _yes_no(shape["hashtags"].to_numpy() > 0),
        "length": np.where(words < _SHORT, "short", np.where(words < _LONG, "medium", "long")),
        "month": np.array([when.strftime("%Y-%m") for when in table["created_at"].to_pylist()]),
        "negation": _yes_no(np.array([bool(_NEGATION.search(text)) for text in texts], dtype=bool)),
        "source": np.array(table["source"].to_pylist()),
    }
    return {f"{kind}={value}": values == value for kind, values in named.items() for value in sorted(set(values.tolist()))}


def _yes_no(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, "yes", "no")
