"""Tests of significance that the judge reports: McNemar's, and Holm's correction for having tested several measures.

Reads and writes nothing.
"""

from __future__ import annotations

import numpy as np


def mcnemar_mid_p(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided mid-p of McNemar's test that two models are right equally often on the same rows (Fagerland, Lydersen and Laake 2013).

    Takes rows for independent, which those of one author are not: it stands beside the clustered bootstrap, not in its place.
    """
    one, other = int(((first == labels) & (second != labels)).sum()), int(((first != labels) & (second == labels)).sum())
    together, fewer = one + other, min(one, other)
    if not together:
        return 1.0
    ways = so_far = 1  # to have none of them on the one side, and of at most so many as are counted
    for count in range(1, fewer + 1):
        ways = ways * (together - count + 1) // count
        so_far += ways
    at = ways / 2**together
    return 1 - at / 2 if one == other else 2 * so_far / 2**together - at


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """The p-values adjusted so that one error in the whole family stays as rare as one alone (Holm 1979), by the same names."""
    adjusted, highest = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}
