"""Ranking: measures are scikit-learn's, seeds are averaged, pairs are paired, equals are equal, and chance finds nobody worse too often."""

import numpy as np
import pytest

from groundswell.bootstrap import paired_difference
from groundswell.ranking import ranked


def answers_of(labels, right, random):
    return np.where(random.random(len(labels)) < right, labels, (labels + random.integers(1, 3, len(labels))) % 3)


@pytest.fixture(scope="module")
def world():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 900)
    return labels, [f"author {number}" for number in random.integers(0, 500, 900)], random


@pytest.mark.slow
def test_measures_are_those_of_scikit_learn_and_the_mean_is_over_seeds(world):
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    labels, groups, random = world
    by_seed = {seed: answers_of(labels, 0.6 + seed / 20, random) for seed in (1, 2, 3)}
    found = ranked(labels, groups, {"one": by_seed}, samples=100).measured["one"]
    theirs = {
        "macro_f1": lambda said: f1_score(labels, said, average="macro"),
        "macro_recall": lambda said: recall_score(labels, said, average="macro"),
        "accuracy": lambda said: accuracy_score(labels, said),
    }
    for measure, of in theirs.items():
        expected = {str(seed): of(said) for seed, said in by_seed.items()}
        assert found[measure]["by_seed"] == pytest.approx(expected, abs=1e-6)
        assert found[measure]["mean"] == pytest.approx(np.mean(list(expected.values())), abs=1e-6)
        assert found[measure]["low"] < found[measure]["mean"] < found[measure]["high"]


def test_equals_are_indistinguishable_and_the_worse_is_worse(world):
    labels, groups, random = world
    good, poor = answers_of(labels, 0.8, random), answers_of(labels, 0.6, random)
    found = ranked(labels, groups, {"poor": {1: poor}, "good": {1: good}, "same": {1: good.copy()}}, samples=400)
    assert found.best == "good"
    assert {name: one["says"] for name, one in found.against_best.items()} == {"good": "best", "same": "indistinguishable", "poor": "worse"}
    assert found.against_best["same"]["p_value"] > 0.9
    assert found.against_best["poor"]["high"] < 0


def test_a_difference_is_the_paired_bootstraps(world):
    labels, groups, random = world
    first, second = answers_of(labels, 0.75, random), answers_of(labels, 0.7, random)
    best, other = ("a", "b") if ranked(labels, groups, {"a": {1: first}, "b": {1: second}}, samples=100).best == "a" else ("b", "a")
    ours = ranked(labels, groups, {"a": {1: first}, "b": {1: second}}, samples=4000).against_best[other]
    answers = {"a": first, "b": second}
    theirs = paired_difference(labels, answers[other], answers[best], groups, samples=4000, seed=1)
    assert ours["estimate"] == pytest.approx(theirs.estimate, abs=1e-6)
    assert (ours["low"], ours["high"]) == pytest.approx((theirs.low, theirs.high), abs=0.004)


@pytest.mark.parametrize("lost", [0, 3, 6])
def test_few_rows_and_few_differences_are_as_unsure_as_to_the_judge(lost):
    """60 rows on which two hardly ever differ do not show that they are alike: without half rows the interval would be too short, or nothing."""
    labels = np.arange(60) % 3
    best, other = labels.copy(), labels.copy()
    other[:lost] = (labels[:lost] + 1) % 3
    best[30:33], other[30:33] = (labels[30:33] + 1) % 3, (labels[30:33] + 1) % 3
    ours = ranked(labels, np.arange(60), {"best": {1: best, 2: best}, "other": {1: other}}, samples=8000).against_best["other"]
    theirs = paired_difference(labels, other, best, np.arange(60), samples=8000, seed=1)
    assert ours["low"] < ours["estimate"] < ours["high"]
    assert (ours["low"], ours["high"]) == pytest.approx((theirs.low, theirs.high), abs=0.012)  # counts are whole numbers: a quantile may jump
    assert ours["p_value"] == pytest.approx(theirs.p_value, abs=0.02)
    assert ours["estimate"] == pytest.approx(theirs.estimate, abs=1e-6), "the estimate is the rows' own"


def test_groups_that_repeat_widen_the_interval(world):
    labels, _, random = world
    said = answers_of(labels, 0.7, random)
    six_times = ranked(np.repeat(labels, 6), np.repeat(np.arange(900), 6), {"one": {1: np.repeat(said, 6)}}, samples=400).measured["one"]["macro_f1"]
    alone = ranked(labels, np.arange(900), {"one": {1: said}}, samples=400).measured["one"]["macro_f1"]
    blind = ranked(np.repeat(labels, 6), np.arange(5400), {"one": {1: np.repeat(said, 6)}}, samples=400).measured["one"]["macro_f1"]
    width = [one["high"] - one["low"] for one in (six_times, alone, blind)]
    assert width[0] == pytest.approx(width[1], rel=0.15)
    assert width[2] < 0.6 * width[0]


def test_holm_is_over_all_rows_but_the_best_and_resamples_suffice_for_them(world):
    labels, groups, random = world
    answers = {"best": {1: answers_of(labels, 0.9, random)}, **{f"row {number}": {1: answers_of(labels, 0.5, random)} for number in range(30)}}
    found = ranked(labels, groups, answers, samples=100)
    assert found.samples >= 80 * 31
    assert {found.against_best[f"row {number}"]["says"] for number in range(30)} == {"worse"}
    assert found.against_best["row 0"]["p_holm"] == pytest.approx(30 * found.against_best["row 0"]["p_value"], rel=0.01)


def test_whoever_is_shown_alone_to_be_worse_is_not_so_as_one_of_many():
    labels = np.arange(300) % 3
    best, other = labels.copy(), labels.copy()
    best[:3], other[10:22] = (labels[:3] + 1) % 3, (labels[10:22] + 1) % 3
    alone = ranked(labels, np.arange(300), {"best": {1: best}, "other": {1: other}}, samples=2000).against_best["other"]
    assert alone["says"] == "worse" and 0.005 < alone["p_value"] == alone["p_holm"] < 0.05
    among = ranked(labels, np.arange(300), {"best": {1: best}, **{f"row {place}": {1: other} for place in range(12)}}, samples=2000)
    assert {one["says"] for one in among.against_best.values()} == {"best", "indistinguishable"}


def test_rows_are_drawn_within_classes():
    labels = np.arange(300) % 3
    found = ranked(labels, np.arange(300), {"blind to one class": {1: np.where(labels == 1, 0, labels)}}, samples=200).measured
    accuracy = found["blind to one class"]["accuracy"]
    assert accuracy["low"] == accuracy["mean"] == accuracy["high"] == pytest.approx(2 / 3, abs=1e-6)


def test_the_best_is_so_by_macro_f1():
    labels = np.repeat([0, 0, 0, 0, 0, 0, 0, 0, 1, 2], 20)
    most = np.zeros(200, dtype=int)
    fair = np.where(np.arange(200) < 60, (labels + 1) % 3, labels)  # right less often, of every class
    found = ranked(labels, np.arange(200), {"most": {1: most}, "fair": {1: fair}}, samples=100)
    assert found.best == "fair" and found.measured["fair"]["accuracy"]["mean"] < found.measured["most"]["accuracy"]["mean"]


@pytest.mark.slow
def test_among_equals_few_are_called_worse():
    """Twelve rows that are equally good: chosen as best after the fact, one still calls another worse in few comparisons only."""
    random = np.random.default_rng(5)
    wrong = 0
    for _ in range(60):
        labels = random.integers(0, 3, 600)
        answers = {f"row {number}": {1: answers_of(labels, 0.7, random)} for number in range(12)}
        found = ranked(labels, np.arange(600), answers, samples=200)
        wrong += any(one["says"] == "worse" for one in found.against_best.values())
    assert wrong <= 15  # the winner's curse: more than Holm's 5 %, for the best was chosen on these rows
