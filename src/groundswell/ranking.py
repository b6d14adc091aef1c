"""Many approaches on the same rows: each one's measures with intervals, and what separates it from the best.

Reads and writes nothing. Every approach sees the same resamples of whole groups within strata, as in `bootstrap`, so differences are paired;
its seeds are averaged inside each resample: an interval speaks of other rows, not of another seed, whose spread stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from groundswell.bootstrap import CLASSES, of_draws
from groundswell.significance import holm

MEASURES = ("macro_f1", "macro_recall", "accuracy")
LEVEL = 0.05
_BLOCK_CELLS = 20_000_000
"""Of a block of resamples times groups, in float32: 80 MB."""
_SAMPLES_A_ROW = 80
"""A bootstrap's p can't be below 2 / (samples + 1): with fewer samples than this for each row Holm could call nobody worse."""


@dataclass(frozen=True)
class Ranking:
    """What `ranked` found: row → measure → ``{"mean", "low", "high", "by_seed"}``; the best row; row → what it is against the best."""

    measured: dict[str, dict[str, dict]]
    best: str
    against_best: dict[str, dict]
    samples: int
    """How many resamples were drawn: p can't be below 2 / (samples + 1)."""


def ranked(labels: np.ndarray, groups, answers: dict[str, dict[int, np.ndarray]], *, samples: int, seed: int = 1) -> Ranking:
    """Rank rows by macro-F1. ``labels`` (n,) are class numbers, ``groups`` n names, ``answers`` row → seed → class numbers (n,).

    The difference to the best is the row's measure minus the best's; p two-sided, adjusted by Holm over all rows but the best, which was chosen
    on these very rows: the second best is a little nearer to it than it looks. At least one row and n >= 1.
    """
    samples = max(samples, _SAMPLES_A_ROW * len(answers))
    points, draws = _both(labels, groups, answers, samples, seed)
    names = list(answers)
    means = {measure: _by_row(points[measure], answers)[0] for measure in MEASURES}
    resampled = {measure: _by_row(draws[measure], answers) for measure in MEASURES}
    measured = {name: {} for name in names}
    column = 0
    for place, name in enumerate(names):
        for measure in MEASURES:
            by_seed = {str(one): _rounded(points[measure][0, column + at]) for at, one in enumerate(answers[name])}
            low, high = np.quantile(resampled[measure][:, place], [LEVEL / 2, 1 - LEVEL / 2])
            interval = {"mean": _rounded(means[measure][place]), "low": _rounded(low), "high": _rounded(high)}
            measured[name][measure] = {**interval, "by_seed": by_seed}
        column += len(answers[name])
    best = int(means["macro_f1"].argmax())
    return Ranking(measured, names[best], _against(names, best, means["macro_f1"], resampled["macro_f1"]), samples)


def _against(names: list[str], best: int, points: np.ndarray, draws: np.ndarray) -> dict[str, dict]:
    found = {}
    for place, name in enumerate(names):
        difference = of_draws(float(points[place] - points[best]), draws[:, place] - draws[:, best])
        found[name] = {key: _rounded(getattr(difference, key)) for key in ("estimate", "low", "high", "p_value")}
    adjusted = holm({name: one["p_value"] for name, one in found.items() if name != names[best]})
    for name, one in found.items():
        one["p_holm"] = _rounded(adjusted.get(name, 1.0))
        one["says"] = "best" if name == names[best] else "worse" if one["p_holm"] < LEVEL else "indistinguishable"
    return found


def _by_row(values: np.ndarray, answers: dict) -> np.ndarray:
    """(…, answers of all seeds) → (…, rows): the mean over a row's seeds."""
    starts = np.cumsum([0, *(len(by_seed) for by_seed in answers.values())])[:-1]
    return np.add.reduceat(values, starts, axis=1) / np.array([len(by_seed) for by_seed in answers.values()])


def _both(labels, groups, answers, samples: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Measure → (1, answers) as found, and measure → (samples, answers) of the resamples; an answer is a row with a seed."""
    labels = np.asarray(labels)
    said = [one for by_seed in answers.values() for one in by_seed.values()]
    _, number = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    counts = _counts(labels, said, number)
    present = np.unique(labels)
    points = _measures(counts.sum(axis=0, keepdims=True), present)
    blocks = [_measures(weights @ counts, present) for weights in _weights(counts[:, :CLASSES], samples, seed)]
    return points, {measure: np.concatenate([block[measure] for block in blocks]) for measure in MEASURES}


def _counts(labels: np.ndarray, said: list[np.ndarray], number: np.ndarray) -> np.ndarray:
    """For each group: how many rows each class has, then for each answer its hits by class and how often it said each class; float32."""
    groups = int(number.max()) + 1
    columns = [np.bincount(number, weights=labels == place, minlength=groups) for place in range(CLASSES)]
    for answer in said:
        columns += [np.bincount(number, weights=(labels == place) & (answer == place), minlength=groups) for place in range(CLASSES)]
        columns += [np.bincount(number, weights=answer == place, minlength=groups) for place in range(CLASSES)]
    return np.stack(columns, axis=1).astype(np.float32)


def _weights(of_class: np.ndarray, samples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each group was drawn, in blocks (some, groups) of float32: within strata of a group's most frequent class."""
    random = np.random.default_rng(seed)
    strata = [np.flatnonzero(of_class.argmax(axis=1) == place) for place in range(CLASSES)]
    block = max(1, _BLOCK_CELLS // len(of_class))
    for start in range(0, samples, block):
        some = min(block, samples - start)
        weights = np.zeros((some, len(of_class)), dtype=np.float32)
        for members in (stratum for stratum in strata if len(stratum)):
            drawn = random.integers(0, len(members), size=(some, len(members))) + len(members) * np.arange(some)[:, None]
            weights[:, members] = np.bincount(drawn.ravel(), minlength=some * len(members)).reshape(some, len(members))
        yield weights


def _measures(counts: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    """Measure → (k, answers) of counts (k, columns as in `_counts`), over the classes ``present``; as `bootstrap.MEASURES` counts."""
    counts = counts.astype(np.float64)
    meant = counts[:, None, :CLASSES]
    cells = counts[:, CLASSES:].reshape(len(counts), -1, 2, CLASSES)
    hits, said = cells[:, :, 0], cells[:, :, 1]
    return {
        "macro_f1": _mean_share(2 * hits, meant + said, present),
        "macro_recall": _mean_share(hits, np.broadcast_to(meant, hits.shape), present),
        "accuracy": hits.sum(axis=2) / meant.sum(axis=2),
    }


def _mean_share(part: np.ndarray, whole: np.ndarray, present: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)[:, :, present].mean(axis=2)


def _rounded(value) -> float:
    return round(float(value), 6)
