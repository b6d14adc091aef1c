"""What `make bench-training` computes itself: the interval of a difference, and levers that are put back."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from loops import levers
from loops.scores import difference


def _answers(labels, share, seed):
    chance = np.random.default_rng(seed)
    return np.where(chance.random(len(labels)) < share, labels, (labels + 1) % 3)


def test_the_interval_sees_a_difference_that_is_there_and_none_that_is_not():
    labels = np.random.default_rng(0).integers(0, 3, 2_000)
    good, same, worse = ([_answers(labels, share, seed) for seed in seeds] for share, seeds in ((0.7, (1, 2)), (0.7, (3, 4)), (0.6, (5, 6))))
    low, high = difference(labels, good, same, resamples=200)
    assert low < 0 < high < 0.06
    low, high = difference(labels, good, worse, resamples=200)
    assert 0.04 < low < 0.1 < high < 0.16


@pytest.mark.slow
@pytest.mark.parametrize("lever", levers.LEVERS)
def test_a_lever_that_was_away_is_back(lever):
    """Torch is imported by what some levers replace."""
    from groundswell import batches, encoder, forward, optimiser

    def whole():
        return (
            batches.epoch,
            encoder.load_classifier,
            optimiser.Optimiser,
            forward.Network.answered,
            forward.Dropout.__call__,
            dict(levers.CHANGES),
        )

    before = whole()
    with levers.without(lever):
        assert whole() != before
    assert whole() == before
