"""What the difference of two loops' macro-F1 could be, over rows and seeds."""

from __future__ import annotations

import numpy as np

from groundswell.bootstrap import macro_f1

RESAMPLES = 2000


def difference(labels: np.ndarray, ours: list[np.ndarray], theirs: list[np.ndarray], *, resamples: int = RESAMPLES) -> tuple[float, float]:
    """95 % of what the difference of mean macro-F1 could be: rows, and the seeds of each, drawn again with replacement."""
    chance, found = np.random.default_rng(1), []
    for _ in range(resamples):
        rows = chance.integers(0, len(labels), len(labels))
        drawn = [[each[place][rows] for place in chance.integers(0, len(each), len(each))] for each in (ours, theirs)]
        means = [np.mean([macro_f1(labels[rows], said) for said in each]) for each in drawn]
        found.append(means[0] - means[1])
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
