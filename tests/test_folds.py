"""Folds: groups are never cut, every row has a fold, classes are shared out, smaller parts lie in larger ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell import folds
from groundswell.errors import DatasetError
from groundswell.folds import Rows


def rows_of(labels, groups, may_judge=None):
    labels = np.array(labels)
    texts = [f"text {number}" for number in range(len(labels))]
    return Rows(texts, labels, [f"group {name}" for name in groups], np.ones(len(labels), bool) if may_judge is None else np.array(may_judge))


some_rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 25), st.booleans()), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(some_rows, st.integers(2, 4), st.sampled_from([0.1, 0.5, 1.0]), st.integers(1, 3))
def test_what_is_learnt_shares_no_group_with_what_judges(drawn, count, share, seed):
    rows = rows_of(*zip(*drawn, strict=True))
    if len({group for _, group, judges in drawn if judges}) < count:
        with pytest.raises(DatasetError, match="folds need as many groups"):
            folds.cut(rows, count)
        return
    cut = folds.cut(rows, count)
    judged = [cut.judged(rows, fold) for fold in range(count)]
    assert sorted(np.concatenate(judged)) == np.flatnonzero(rows.may_judge).tolist()
    for fold in range(count):
        learnt = cut.learnt(rows, fold, share, seed)
        assert not {rows.groups[at] for at in learnt} & {rows.groups[at] for at in np.flatnonzero(cut.of_row == fold)}
        whole = {rows.groups[at] for at in cut.learnt(rows, fold, 1.0, seed)}
        assert {rows.groups[at] for at in learnt} <= whole
        assert len(learnt) >= share * sum(cut.of_row != fold) - 0.5


def test_the_same_rows_are_cut_the_same_way_and_others_have_another_digest():
    rows = rows_of([0, 1, 2] * 40, list(range(120)))
    one, again = folds.cut(rows, 3), folds.cut(rows, 3)
    assert (one.of_row == again.of_row).all()
    assert one.digest == again.digest
    assert one.digest != folds.cut(rows_of([1, 1, 2] + [0, 1, 2] * 39, list(range(120))), 3).digest
    assert one.digest != folds.cut(rows, 4).digest


def test_every_fold_has_its_share_of_every_class():
    chance = np.random.default_rng(1)
    labels = chance.choice(3, size=1500, p=[0.1, 0.3, 0.6])
    groups = np.concatenate([np.zeros(60, int), chance.integers(1, 900, 1440)])  # one author wrote a lot
    cut = folds.cut(rows_of(labels, groups), 3)
    for label in range(3):
        counts = np.bincount(cut.of_row[labels == label], minlength=3)
        assert counts.max() - counts.min() <= 0.1 * counts.sum() / 3 + 2
    assert np.bincount(cut.of_row).max() < 1.05 * 500


def test_smaller_parts_lie_in_larger_ones_and_another_seed_draws_others():
    rows = rows_of([0, 1, 2] * 60, [number // 2 for number in range(180)])
    cut = folds.cut(rows, 3)
    tenth, half, whole = (set(cut.learnt(rows, 0, share, 1)) for share in (0.1, 0.5, 1.0))
    assert tenth < half < whole
    assert set(cut.learnt(rows, 0, 0.1, 2)) != tenth


def test_what_may_not_judge_is_learnt_from_only():
    rows = rows_of([0, 1, 2] * 30, list(range(90)), [number % 2 == 0 for number in range(90)])
    cut = folds.cut(rows, 3)
    assert all(at % 2 == 0 for fold in range(3) for at in cut.judged(rows, fold))
    assert any(at % 2 for at in cut.learnt(rows, 0, 1.0, 1))


def test_folds_on_disk_name_nobody_and_are_of_their_rows_only(tmp_path):
    rows = rows_of([0, 1, 2] * 10, list(range(30)))
    cut = folds.cut(rows, 3)
    folds.write(cut, tmp_path / "folds.parquet")
    again = folds.read(tmp_path / "folds.parquet", rows)
    assert (again.of_row == cut.of_row).all()
    assert again.digest == cut.digest
    assert b"group" not in (tmp_path / "folds.parquet").read_bytes()
    with pytest.raises(DatasetError, match="folds of other rows"):
        folds.read(tmp_path / "folds.parquet", rows_of([1, 1, 2] + [0, 1, 2] * 9, list(range(30))))
