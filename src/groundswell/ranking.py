"""Many approaches on the same rows: each one's measures with intervals, and what separates it from the best.

Reads and writes nothing. Every approach sees the same resamples of whole groups within strata, so differences are paired; its seeds are averaged
inside each resample: an interval speaks of other rows, not of another seed, whose spread stands beside it. A difference to the best is drawn as the
judge's is (`bootstrap`), its half rows for each class included, on which all seeds of a row answer alike: "indistinguishable" means the same to both.
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
_KINDS = 4
"""Of a row on which one of two models alone is right: which of them, and which of the wrong classes the other says."""
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
    labels, names = np.asarray(labels), list(answers)
    counts, present = _counts(labels, [one for by_seed in answers.values() for one in by_seed.values()], groups), np.unique(labels)
    points = _measures(counts.sum(axis=0, keepdims=True), present)
    means = {measure: _by_row(points[measure], answers)[0] for measure in MEASURES}
    resampled = {measure: _by_row(draws, answers) for measure, draws in _draws(counts, present, samples, seed).items()}
    measured, column = {name: {} for name in names}, 0
    for place, name in enumerate(names):
        for measure in MEASURES:
            by_seed = {str(one): _rounded(points[measure][0, column + at]) for at, one in enumerate(answers[name])}
            low, high = np.quantile(resampled[measure][:, place], [LEVEL / 2, 1 - LEVEL / 2])
            interval = {"mean": _rounded(means[measure][place]), "low": _rounded(low), "high": _rounded(high)}
            measured[name][measure] = {**interval, "by_seed": by_seed}
        column += len(answers[name])
    best = int(means["macro_f1"].argmax())
    differences = _differences(counts, [len(by_seed) for by_seed in answers.values()], best, present, samples, seed)
    return Ranking(measured, names[best], _against(names, best, means["macro_f1"], differences), samples)


def _against(names: list[str], best: int, points: np.ndarray, draws: np.ndarray) -> dict[str, dict]:
    """Row → its difference to the best, by the draws (samples, rows) of it."""
    found = {}
    for place, name in enumerate(names):
        difference = of_draws(float(points[place] - points[best]), draws[:, place])
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


def _draws(counts: np.ndarray, present: np.ndarray, samples: int, seed: int) -> dict[str, np.ndarray]:
    """Measure → (samples, answers) of the resamples; an answer is a row with a seed."""
    blocks = [_measures(weights @ counts, present) for weights, _ in _weights(counts[:, :CLASSES], samples, seed, unseen=0)]
    return {measure: np.concatenate([block[measure] for block in blocks]) for measure in MEASURES}


def _differences(counts: np.ndarray, seeds: list[int], best: int, present: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """(samples, rows): each row's macro-F1 minus the best's, drawn as `bootstrap.paired_differences` draws; ``seeds`` is how many each row has."""
    ends = CLASSES + 2 * CLASSES * np.cumsum(seeds)
    columns = [np.r_[0:CLASSES, end - 2 * CLASSES * count : end] for end, count in zip(ends, seeds, strict=True)]
    blocks = []
    for weights, unseen in _weights(counts[:, :CLASSES], samples, seed, unseen=1):
        drawn = weights @ counts
        means = [_macro_f1(drawn[:, own] + _half_rows(unseen, count)[0], present) for own, count in zip(columns, seeds, strict=True)]
        bests = _macro_f1(drawn[:, columns[best]] + _half_rows(unseen, seeds[best])[1], present)
        blocks.append(np.stack(means, axis=1) - bests[:, None])
        blocks[-1][:, best] = 0.0
    return np.concatenate(blocks)


def _half_rows(unseen: np.ndarray, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """What rows on which one of two alone is right add to the counts of the first and of the second, (k, columns of one with so many seeds).

    ``unseen`` (k, label, kind): how often each was drawn; the first is right in the first two kinds, and the other says one of the wrong classes.
    """
    added = []
    for right, wrong in ((slice(0, 2), slice(2, 4)), (slice(2, 4), slice(0, 2))):
        hits = unseen[:, :, right].sum(axis=2)
        said = hits.copy()
        for label in range(CLASSES):
            said[:, [other for other in range(CLASSES) if other != label]] += unseen[:, label, wrong]
        added.append(np.concatenate([unseen.sum(axis=2), *[hits, said] * seeds], axis=1))
    return added[0], added[1]


def _counts(labels: np.ndarray, said: list[np.ndarray], groups) -> np.ndarray:
    """For each group: how many rows each class has, then for each answer its hits by class and how often it said each class; float32."""
    _, number = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    groups = int(number.max()) + 1
    columns = [np.bincount(number, weights=labels == place, minlength=groups) for place in range(CLASSES)]
    for answer in said:
        columns += [np.bincount(number, weights=(labels == place) & (answer == place), minlength=groups) for place in range(CLASSES)]
        columns += [np.bincount(number, weights=answer == place, minlength=groups) for place in range(CLASSES)]
    return np.stack(columns, axis=1).astype(np.float32)


def _weights(of_class: np.ndarray, samples: int, seed: int, *, unseen: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """How often each group was drawn, in blocks (some, groups) of float32, within strata of a group's most frequent class; and how often each of
    the kinds of a stratum's ``unseen`` rows, which are drawn from beside its groups, (some, classes, kinds): see `bootstrap`."""
    random = np.random.default_rng(seed)
    strata = [np.flatnonzero(of_class.argmax(axis=1) == place) for place in range(CLASSES)]
    block = max(1, _BLOCK_CELLS // len(of_class))
    for start in range(0, samples, block):
        some = min(block, samples - start)
        weights, kinds = np.zeros((some, len(of_class)), dtype=np.float32), np.zeros((some, CLASSES, _KINDS), dtype=np.float32)
        for label, members in ((label, stratum) for label, stratum in enumerate(strata) if len(stratum)):
            width = len(members) + unseen
            drawn = random.integers(0, width, size=(some, len(members))) + width * np.arange(some)[:, None]
            often = np.bincount(drawn.ravel(), minlength=some * width).reshape(some, width)
            weights[:, members] = often[:, : len(members)]
            kinds[:, label] = random.multinomial(often[:, len(members) :].sum(axis=1), [1 / _KINDS] * _KINDS)
        yield weights, kinds


def _measures(counts: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    """Measure → (k, answers) of counts (k, columns as in `_counts`), over the classes ``present``; as `bootstrap.MEASURES` counts."""
    meant, hits, said = _cells(counts)
    return {
        "macro_f1": _mean_share(2 * hits, meant + said, present),
        "macro_recall": _mean_share(hits, np.broadcast_to(meant, hits.shape), present),
        "accuracy": hits.sum(axis=2) / meant.sum(axis=2),
    }


def _macro_f1(counts: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(k,) of counts (k, columns of one row's answers): the mean over its seeds."""
    meant, hits, said = _cells(counts)
    return _mean_share(2 * hits, meant + said, present).mean(axis=1)


def _cells(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of each class (k, 1, classes), and of every answer the hits and what it said, (k, answers, classes)."""
    counts = counts.astype(np.float64)
    cells = counts[:, CLASSES:].reshape(len(counts), -1, 2, CLASSES)
    return counts[:, None, :CLASSES], cells[:, :, 0], cells[:, :, 1]


def _mean_share(part: np.ndarray, whole: np.ndarray, present: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)[:, :, present].mean(axis=2)


def _rounded(value) -> float:
    return round(float(value), 6)
