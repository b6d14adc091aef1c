"""The judge's benchmark: its simulated pairs differ by what it says, and a handful of them end as they should."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from benchmarks import judge  # noqa: E402
from groundswell.bootstrap import macro_f1  # noqa: E402
from groundswell.verdict import PROMOTE  # noqa: E402


def test_the_true_difference_of_a_pair_is_what_was_asked_for():
    labels, answers, authors = judge.pair(60_000, judge.POINTS, seed=1)
    found = {name: macro_f1(labels, probabilities.argmax(axis=1)) for name, probabilities in answers.items()}
    assert abs(found["champion"] - judge.CHAMPION) < 0.005
    assert abs(found["challenger"] - found["champion"] - judge.POINTS) < 0.004
    assert len(authors) == 60_000 > 2 * len(set(authors))
    assert all(np.allclose(probabilities.sum(axis=1), 1) for probabilities in answers.values())


def test_equals_are_not_promoted_and_the_far_better_are():
    assert [judge.judged(500, 0.0, seed)[0] for seed in range(12)].count(PROMOTE) <= 1
    assert [judge.judged(500, 0.1, seed)[0] for seed in range(12)].count(PROMOTE) >= 11
