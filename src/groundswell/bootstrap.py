"""The paired bootstrap: how sure one may be that two models differ on rows that both have answered, by macro-F1, macro-recall, accuracy.

Pure numpy; reads and writes nothing. Whole groups (duplicates, one author's posts) are drawn, never parts of one, within strata of
their most frequent label. Groups that look alike (same labels, same answers of both) are drawn together as one multinomial number: the
same distribution as drawing them one by one, at a fraction of the work. Method: Efron & Tibshirani 1993, ch. 6 and 8 (clusters).

Where two models hardly ever differ, the plain bootstrap is too sure of it: 50 rows without a difference do not show that there is
none. So each class adds to what is drawn from half a row on which only the first is right and half a row on which only the second
is (Agresti & Min 2005, for paired proportions); the estimate itself is the rows' own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np

CLASSES = 3
_CELLS = CLASSES**3  # (label, answer of the first, answer of the second)
_POWER, _LEVEL = 0.8, 0.05


@dataclass(frozen=True)
class Difference:
    """A measure of the first model minus the second's: estimate, 95 % interval, standard error, two-sided p of no difference, one-sided bound."""

    estimate: float
    low: float
    high: float
    standard_error: float
    p_value: float
    lower_bound: float
    """With 95 % confidence the difference is no lower: the 5th percentile."""

    @property
    def smallest_detectable(self) -> float:
        """The true difference that rows like these show with 80 % power at the two-sided 5 % level."""
        z = NormalDist().inv_cdf
        return (z(1 - _LEVEL / 2) + z(_POWER)) * self.standard_error

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in asdict(self).items()}


def paired_differences(labels: np.ndarray, first: np.ndarray, second: np.ndarray, groups, *, samples: int, seed: int) -> dict[str, Difference]:
    """Measure of `MEASURES` → the `Difference` of two models' answers to the same rows, all from the same resamples.

    ``labels``, ``first`` and ``second`` are class numbers of shape (n,); ``groups`` n hashable names of what belongs together.
    Classes that no row has are left out of the means. n must be at least 1.
    """
    cells = (np.asarray(labels) * CLASSES + first) * CLASSES + second
    present = np.unique(labels)
    counts = np.zeros((samples, _CELLS))
    random = np.random.default_rng(seed)
    for groups_in_stratum, patterns, numbers in _strata(cells, groups):
        drawn = random.multinomial(groups_in_stratum, numbers / numbers.sum(), size=samples)
        counts += drawn @ patterns
    found = np.bincount(cells, minlength=_CELLS)[None, :].astype(float)
    return {
        name: of_draws(float(_difference(measure, found, present)[0]), _difference(measure, counts, present)) for name, measure in MEASURES.items()
    }


def paired_difference(labels: np.ndarray, first: np.ndarray, second: np.ndarray, groups, *, samples: int, seed: int) -> Difference:
    """`paired_differences` of macro-F1."""
    return paired_differences(labels, first, second, groups, samples=samples, seed=seed)["macro_f1"]


def of_draws(estimate: float, draws: np.ndarray) -> Difference:
    """The `Difference` whose bootstrap gave ``draws`` (samples,)."""
    low, high, bound = np.quantile(draws, [_LEVEL / 2, 1 - _LEVEL / 2, _LEVEL])
    tail = (1 + min((draws <= 0).sum(), (draws >= 0).sum())) / (1 + len(draws))  # never 0: Davison & Hinkley 1997, 4.2
    return Difference(estimate, float(low), float(high), float(draws.std(ddof=1)), min(1.0, 2 * float(tail)), float(bound))


def macro_f1(labels: np.ndarray, answers: np.ndarray) -> float:
    """Macro-F1 over the classes that ``labels`` has."""
    confusion = np.bincount(np.asarray(labels) * CLASSES + answers, minlength=CLASSES**2).reshape(1, CLASSES, CLASSES)
    return float(_macro_f1(confusion.astype(float), np.unique(labels))[0])


def _strata(cells: np.ndarray, groups):
    """For each stratum: how many groups it has, its kinds of groups as cell counts (kinds, cells), how many there are of each kind."""
    _, number = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    per_group = np.zeros((number.max() + 1, _CELLS), dtype=np.int64)
    np.add.at(per_group, (number, cells), 1)
    of_class = per_group.reshape(len(per_group), CLASSES, -1).sum(axis=2)
    stratum = of_class.argmax(axis=1)  # by labels alone: strata that hang on the answers would hold still what must vary
    for label in np.unique(stratum):
        patterns, numbers = np.unique(per_group[stratum == label], axis=0, return_counts=True)
        unseen = _half_rows(int(label))
        yield numbers.sum(), np.vstack([patterns, unseen]), np.r_[numbers, np.full(len(unseen), 1 / len(unseen))]


def _half_rows(label: int) -> np.ndarray:
    """The cells on which one model alone is right about ``label``, one row each; together they count as one row."""
    wrong = [answer for answer in range(CLASSES) if answer != label]
    cells = [(label * CLASSES + label) * CLASSES + other for other in wrong] + [(label * CLASSES + other) * CLASSES + label for other in wrong]
    return np.eye(_CELLS, dtype=np.int64)[cells]


def _difference(measure, counts: np.ndarray, present: np.ndarray) -> np.ndarray:
    cube = counts.reshape(-1, CLASSES, CLASSES, CLASSES)
    return measure(cube.sum(axis=3), present) - measure(cube.sum(axis=2), present)


def _macro_f1(confusion: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Macro-F1 of confusion matrices (k, label, answer), over the classes ``present``; a class without rows or answers counts 0."""
    return _mean_share(2 * _hits(confusion), confusion.sum(axis=1) + confusion.sum(axis=2), present)


def _macro_recall(confusion: np.ndarray, present: np.ndarray) -> np.ndarray:
    return _mean_share(_hits(confusion), confusion.sum(axis=2), present)


def _accuracy(confusion: np.ndarray, present: np.ndarray) -> np.ndarray:
    return _hits(confusion).sum(axis=1) / confusion.sum(axis=(1, 2))


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.einsum("kii->ki", confusion)


def _mean_share(part: np.ndarray, whole: np.ndarray, present: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)[:, present].mean(axis=1)


MEASURES = {"macro_f1": _macro_f1, "macro_recall": _macro_recall, "accuracy": _accuracy}
"""What two models are compared by; the first decides, and was chosen before anybody looked: it needs no correction."""
