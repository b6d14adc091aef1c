"""What a classifier's answers are worth: the measures, and how sure one can be of them.

Reads nothing and writes nothing: labels and probabilities in, numbers out. `evaluate` and `judge` share it, so that the same word
means the same number in both. Refuses answers that do not belong to the labels. One formula serves the point and the bootstrap:
every measure is computed from row weights, and a resample is a row of weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from groundswell.errors import ModelError
from groundswell.schema import LABELS

SUMMARY = ("accuracy", "macro_f1", "macro_recall", "roc_auc", "ece", "log_loss")
"""The measures of a whole: macro-averages are over the classes that were meant or said; ROC-AUC is one-vs-rest, averaged."""

PER_CLASS = ("precision", "recall", "f1", "roc_auc")

_CELLS = 4_000_000  # of a block of resamples: 32 MB


def scores(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 15, samples: int = 0, seed: int = 1) -> dict:
    """``{"rows", each of SUMMARY, "classes": {label: {each of PER_CLASS, "rows"}}}``; what is undefined is left out.

    With ``samples`` > 0 also ``"intervals"``: measure → [low, high], the bootstrap's 2.5 and 97.5 percentiles (Efron 1979)
    over so many resamples of the rows, for SUMMARY and, as ``f1_negative`` …, for the classes.
    """
    labels, probabilities = _checked(labels, probabilities)
    point = {name: float(values[0]) for name, values in measure(labels, probabilities, bins=bins).items()}
    found = {"rows": len(labels), **_defined({name: point[name] for name in SUMMARY}), "classes": {}}
    for place, label in enumerate(LABELS):
        own = _defined({name: point[f"{name}_{label}"] for name in PER_CLASS})
        found["classes"][label] = {"rows": int((labels == place).sum()), **own}
    if samples:
        found["intervals"] = intervals(labels, probabilities, bins=bins, samples=samples, seed=seed)
    return found


def intervals(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 15, samples: int, seed: int) -> dict[str, list[float]]:
    """Measure → [low, high], 95 %; a measure that no resample defines is left out."""
    blocks = [measure(labels, probabilities, weights=weights, bins=bins) for weights in resamples(len(labels), samples, seed)]
    found = {}
    for name in blocks[0]:
        values = np.concatenate([block[name] for block in blocks])
        values = values[np.isfinite(values)]
        if len(values):
            found[name] = [float(value) for value in np.percentile(values, [2.5, 97.5])]
    return found


def resamples(rows: int, samples: int, seed: int) -> Iterator[np.ndarray]:
    """Bootstrap weights in blocks (some, rows): how often each row was drawn. The same seed draws the same rows, for any model:
    a paired comparison asks `measure` twice with one block."""
    chance = np.random.default_rng(seed)
    block = max(1, _CELLS // max(1, rows))
    for start in range(0, samples, block):
        count = min(block, samples - start)
        drawn = chance.integers(0, rows, size=(count, rows)) + rows * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)


def measure(labels: np.ndarray, probabilities: np.ndarray, *, weights: np.ndarray | None = None, bins: int = 15) -> dict[str, np.ndarray]:
    """Every measure for every row of ``weights`` (resamples, rows), each an array (resamples,), NaN where undefined.

    None: one row of ones, the measures themselves. ``labels`` (rows,) are class numbers, ``probabilities`` (rows, classes).
    """
    labels, probabilities = _checked(labels, probabilities)
    weights = np.ones((1, len(labels))) if weights is None else weights
    total = weights.sum(axis=1)
    chosen = probabilities.argmax(axis=1)
    chances = np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, 1.0)
    found = _by_class(labels, chosen, weights)
    found["accuracy"] = weights @ (chosen == labels) / total
    found["log_loss"] = weights @ -np.log(chances) / total
    found["ece"] = _ece(labels, chosen, probabilities.max(axis=1), weights, bins)
    for place, label in enumerate(LABELS):
        found[f"roc_auc_{label}"] = _auc(probabilities[:, place], labels == place, weights)
    found["roc_auc"] = _mean_of_defined([found[f"roc_auc_{label}"] for label in LABELS])
    return found


def macro_f1(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(measure(labels, probabilities)["macro_f1"][0])


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Row counts (classes meant, classes said), int64."""
    labels, probabilities = _checked(labels, probabilities)
    cells = labels * len(LABELS) + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=len(LABELS) ** 2).reshape(len(LABELS), len(LABELS))


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int) -> list[dict]:
    """Per bin of confidence that has rows: its bounds, rows, mean confidence and accuracy."""
    labels, probabilities = _checked(labels, probabilities)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    places = _bin(confidence, bins)
    return [
        {
            "from": place / bins,
            "to": (place + 1) / bins,
            "rows": int((places == place).sum()),
            "confidence": float(confidence[places == place].mean()),
            "accuracy": float(right[places == place].mean()),
        }
        for place in np.unique(places).tolist()
    ]


def _by_class(labels: np.ndarray, chosen: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    found, f1s, recalls = {}, [], []
    for place, label in enumerate(LABELS):
        meant, said = weights @ (labels == place), weights @ (chosen == place)
        hit = weights @ ((labels == place) & (chosen == place))
        seen = meant + said > 0
        found[f"precision_{label}"] = _ratio(hit, said, seen)
        found[f"recall_{label}"] = _ratio(hit, meant, seen)
        found[f"f1_{label}"] = _ratio(2 * hit, meant + said, seen)
        recalls.append(found[f"recall_{label}"])
        f1s.append(found[f"f1_{label}"])
    return {**found, "macro_f1": _mean_of_defined(f1s), "macro_recall": _mean_of_defined(recalls)}


def _ratio(part: np.ndarray, whole: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """``part / whole``; 0 where a class was only meant or only said, NaN where it was neither (as scikit-learn counts)."""
    return np.where(seen, part / np.where(whole > 0, whole, 1.0), np.nan)


def _mean_of_defined(values: list[np.ndarray]) -> np.ndarray:
    stacked = np.stack(values)
    defined = np.isfinite(stacked)
    count = defined.sum(axis=0)
    return np.where(count > 0, np.where(defined, stacked, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _ece(labels: np.ndarray, chosen: np.ndarray, confidence: np.ndarray, weights: np.ndarray, bins: int) -> np.ndarray:
    """Expected calibration error with ``bins`` equal bins of confidence (Naeini et al. 2015)."""
    gaps = (chosen == labels) - confidence
    member = _bin(confidence, bins)[:, None] == np.arange(bins)
    return np.abs(weights @ (member * gaps[:, None])).sum(axis=1) / weights.sum(axis=1)


def _bin(confidence: np.ndarray, bins: int) -> np.ndarray:
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def _auc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of ``score`` for ``positive`` (rows,): the chance that a positive scores higher, ties half."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    positives = np.add.reduceat(weights[:, order] * positive[order], starts, axis=1)
    negatives = np.add.reduceat(weights[:, order] * ~positive[order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return np.where(pairs > 0, (positives * below).sum(axis=1) / np.where(pairs > 0, pairs, 1.0), np.nan)


def _defined(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if np.isfinite(value)}


def _checked(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    if probabilities.shape != (len(labels), len(LABELS)) or not len(labels):
        raise ModelError(
            f"metrics: expected probabilities of shape ({len(labels)}, {len(LABELS)}) for at least one label; found {probabilities.shape}"
        )
    if not np.isfinite(probabilities).all():
        raise ModelError("metrics: expected finite probabilities; found NaN or infinity: the model's export is broken")
    return labels, probabilities
