"""Batches: every row once an epoch, as many word pieces in one as in another, little padding, and the rows that were asked for."""

import numpy as np
import pytest

from groundswell.batches import Rows, Tokenised, by_length, course, epoch
from groundswell.errors import DatasetError

LENGTHS = np.random.default_rng(0).integers(5, 60, 3_333)


def test_an_epoch_has_every_row_once_in_the_steps_that_the_batch_size_says():
    batches = epoch(LENGTHS, 32, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(len(LENGTHS)))
    assert len(batches) == -(-len(LENGTHS) // 32)


def test_batches_cost_the_same_and_little_of_it_is_padding():
    batches = epoch(LENGTHS, 32, np.random.default_rng(1))
    read = np.array([LENGTHS[rows].sum() for rows in batches])
    cost = np.array([len(rows) * LENGTHS[rows].max() for rows in batches])
    share = 32 * LENGTHS.mean()
    assert cost.max() < 1.4 * share
    assert np.median(read) == pytest.approx(share, rel=0.1)
    assert cost.sum() < 1.06 * read.sum()
    sizes = [len(rows) for rows in batches]
    assert min(sizes) < 24 < 48 < max(sizes), "short rows come in larger batches"


def test_the_order_of_an_epoch_is_not_that_of_the_lengths():
    means = [LENGTHS[rows].mean() for rows in epoch(LENGTHS, 32, np.random.default_rng(1))]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


@pytest.mark.parametrize("batch_size", [1, 7, 5_000])
def test_any_batch_size_loses_no_row(batch_size):
    batches = epoch(LENGTHS, batch_size, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(len(LENGTHS)))
    assert all(len(rows) for rows in batches)


def test_the_same_seed_gives_the_same_course_and_epochs_differ():
    first, second = course(LENGTHS, batch_size=32, epochs=2, seed=3)
    again = course(LENGTHS, batch_size=32, epochs=2, seed=3)
    assert all(np.array_equal(one, other) for one, other in zip(first + second, again[0] + again[1], strict=True))
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[0], course(LENGTHS, batch_size=32, epochs=2, seed=4)[0][0])


def test_half_an_epoch_is_half_its_steps():
    assert [len(batches) for batches in course(LENGTHS, batch_size=32, epochs=1.5, seed=3)] == [105, 52]
    assert [len(batches) for batches in course(LENGTHS, batch_size=32, epochs=0.001, seed=3)] == [1]


def test_an_evaluation_reads_every_row_and_keeps_its_budget():
    batches = by_length(LENGTHS, 1_000)
    assert sorted(np.concatenate(batches)) == list(range(len(LENGTHS)))
    assert max(len(rows) * LENGTHS[rows].max() for rows in batches) <= 1_000
    assert [len(rows) for rows in by_length(np.array([50, 60]), 10)] == [1, 1], "a row longer than the budget is read alone"


@pytest.mark.slow
def test_a_batch_is_its_rows_padded_to_the_longest():
    rows = Rows(Tokenised([[5, 6, 7], [8], [9, 10]], np.array([2, 0, 1])), padding=1)
    batch = rows.batch(np.array([2, 1]))
    assert batch.ids.tolist() == [[9, 10], [8, 1]]
    assert batch.is_read.tolist() == [[True, True], [True, False]]
    assert batch.labels.tolist() == [1, 0]
    assert rows.batch(np.array([0]), multiple=8).ids.tolist() == [[5, 6, 7, 1, 1, 1, 1, 1]]


@pytest.mark.slow
def test_a_split_without_rows_is_refused():
    with pytest.raises(DatasetError, match="no rows"):
        Rows(Tokenised([], np.array([])), padding=0)
