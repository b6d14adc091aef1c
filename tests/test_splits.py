"""No key on two sides, later rows judge, only those judge who may; random inputs included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import DatasetError
from groundswell.splits import SPLITS, assign, boundaries, leaked, shuffled

ROW = st.tuples(
    st.integers(0, 9),  # window
    st.booleans(),  # may train
    st.booleans(),  # may judge
    st.integers(0, 12),  # cluster
    st.none() | st.sampled_from(["anna", "bert", "cleo"]),
)


@given(st.lists(ROW, max_size=80), st.tuples(st.integers(1, 4), st.integers(5, 9)))
def test_what_no_split_may_break(rows, starts):
    windows, may_train, may_judge, clusters, authors = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [], [])
    keyings = {"duplicates": clusters, "author": authors}
    split, left_out = assign(windows, starts, may_train, may_judge, keyings)
    for window, train, judge, where in zip(windows, may_train, may_judge, split, strict=True):
        if where == "train":
            assert train and window < starts[0]
        elif where:
            assert judge and window >= starts[0]
            assert (where == "test") == (window >= starts[1])
    assert leaked(split, keyings) == {"duplicates": 0, "author": 0}
    assert split.count(None) == sum(sum(counts.values()) for counts in left_out.values()), "nothing is left out silently"


@given(st.lists(ROW, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows, rng):
    order = list(range(len(rows)))
    rng.shuffle(order)

    def split_of(rows):
        windows, may_train, may_judge, clusters, authors = zip(*rows, strict=True)
        return assign(windows, (3, 6), may_train, may_judge, {"duplicates": clusters, "author": authors})[0]

    straight, mixed = split_of(rows), split_of([rows[place] for place in order])
    assert mixed == [straight[place] for place in order]


def test_a_key_stays_where_it_weighs_most():
    windows = [0] * 10 + [1] * 2 + [2] * 5
    authors = ["anna"] * 2 + [None] * 8 + ["anna", None] + ["anna"] + [None] * 4
    split, left_out = assign(windows, (1, 2), [True] * 17, [True] * 17, {"author": authors})
    assert [split[place] for place in (0, 1, 10, 12)] == [None, None, "validation", None], "2 of 10, 1 of 2, 1 of 5"
    assert left_out == {"author_in_two_periods": {"train": 2, "test": 1}}


def test_in_a_tie_the_latest_period_keeps():
    split, _ = assign([0, 1, 2], (1, 2), [True] * 3, [True] * 3, {"duplicates": ["a", "b", "a"]})
    assert split == [None, "validation", "test"]


def test_rows_that_may_not_judge_stay_in_training():
    split, left_out = assign([0, 1, 2], (1, 2), [True, True, True], [False, False, True], {})
    assert split == ["train", None, "test"]
    assert left_out == {"may_not_judge": {"validation": 1}}


def test_boundaries_lie_between_windows_and_meet_the_shares_of_rows_that_may_judge():
    windows = [day for day in range(10) for _ in range(10)] + [9] * 500
    may_judge = [True] * 100 + [False] * 500
    assert boundaries(windows, may_judge, validation_share=0.1, test_share=0.2) == (7, 8)
    assert boundaries(windows, may_judge, validation_share=0.14, test_share=0.16) == (7, 8)


def test_every_split_has_a_window_whatever_the_shares():
    assert boundaries([1, 2, 3], [True] * 3, validation_share=0.9, test_share=0.9) == (2, 3)
    assert boundaries([1] * 50 + [2] + [3] * 50, [True] * 101, validation_share=0, test_share=0) == (2, 3)


def test_fewer_than_three_windows_are_refused():
    with pytest.raises(DatasetError, match="2 rows .* in 2 window.* needs 3"):
        boundaries([1, 2, 3], [True, True, False], validation_share=0.1, test_share=0.1)


def test_shuffled_is_seeded_and_has_the_shares():
    split = shuffled(100, validation_share=0.1, test_share=0.2, seed=1)
    assert [split.count(name) for name in SPLITS] == [70, 10, 20]
    assert split == shuffled(100, validation_share=0.1, test_share=0.2, seed=1) != shuffled(100, validation_share=0.1, test_share=0.2, seed=2)


def test_leaked_counts_judging_rows_seen_earlier():
    split = ["train", "validation", "test", "test", None]
    assert leaked(split, {"text": ["a", "a", "b", "a", "a"], "author": [None, None, None, None, None]}) == {"text": 2, "author": 0}
    assert leaked(["validation", "test"], {"text": ["a", "a"]}) == {"text": 1}, "validation tunes, so test must not repeat it"
