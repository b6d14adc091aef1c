"""The measures are scikit-learn's, and the intervals are a bootstrap's."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_recall_fscore_support, recall_score, roc_auc_score

from groundswell import metrics
from groundswell.errors import ModelError
from groundswell.schema import LABELS


@pytest.fixture
def answers():
    """600 labels and answers that are right more often than not, in coarse steps so that scores tie."""
    chance = np.random.default_rng(5)
    labels = chance.choice(3, size=600, p=[0.2, 0.5, 0.3])
    raw = chance.dirichlet([1, 1, 1], size=600) + 0.7 * np.eye(3)[labels]
    raw = np.round(raw, 1) + 0.05
    return labels, raw / raw.sum(axis=1, keepdims=True)


def test_they_are_scikit_learns(answers):
    labels, said = answers
    found, chosen = metrics.scores(labels, said), said.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, chosen))
    assert found["macro_f1"] == pytest.approx(f1_score(labels, chosen, average="macro"))
    assert found["macro_recall"] == pytest.approx(recall_score(labels, chosen, average="macro"))
    assert found["roc_auc"] == pytest.approx(roc_auc_score(labels, said, multi_class="ovr"))
    assert found["log_loss"] == pytest.approx(log_loss(labels, said))
    for place, values in enumerate(zip(*precision_recall_fscore_support(labels, chosen), strict=True)):
        own = found["classes"][LABELS[place]]
        assert (own["precision"], own["recall"], own["f1"], own["rows"]) == pytest.approx(values)


def test_a_resample_is_measured_as_its_rows_would_be(answers):
    labels, said = answers
    [weights] = metrics.resamples(len(labels), 7, seed=3)
    together = metrics.measure(labels, said, weights=weights)
    for number, row in enumerate(weights):
        rows = np.repeat(np.arange(len(labels)), row.astype(int))
        alone = metrics.measure(labels[rows], said[rows])
        for name, values in together.items():
            assert values[number] == pytest.approx(alone[name][0]), name


def test_ece_is_the_gap_between_confidence_and_accuracy():
    said = np.tile([0.8, 0.1, 0.1], (100, 1))
    labels = np.r_[np.zeros(60, dtype=int), np.ones(40, dtype=int)]
    assert metrics.scores(labels, said)["ece"] == pytest.approx(0.2)
    [only] = metrics.reliability(labels, said, 10)
    assert (only["rows"], only["confidence"], only["accuracy"]) == (100, pytest.approx(0.8), pytest.approx(0.6))


def test_intervals_hold_the_point_and_narrow_with_rows(answers):
    labels, said = answers
    few = metrics.scores(labels[:60], said[:60], samples=400)
    many = metrics.scores(labels, said, samples=400)
    for found in (few, many):
        for name in metrics.SUMMARY:
            low, high = found["intervals"][name]
            assert low <= high
            if name != "ece":  # a resample's ECE is larger than the rows' own: the bias of binning
                assert low <= found[name] <= high, name
    width = {size: np.diff(found["intervals"]["macro_f1"])[0] for size, found in (("few", few), ("many", many))}
    assert width["many"] < 0.6 * width["few"]


def test_the_interval_of_accuracy_is_the_binomials(answers):
    labels, said = answers
    found = metrics.scores(labels, said, samples=4000)
    share = found["accuracy"]
    half = 1.96 * np.sqrt(share * (1 - share) / len(labels))
    assert found["intervals"]["accuracy"] == pytest.approx([share - half, share + half], abs=0.006)


def test_the_same_seed_gives_the_same_intervals(answers):
    one, same, other = (metrics.intervals(*answers, samples=100, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_blocks_do_not_change_the_number_of_resamples(monkeypatch):
    monkeypatch.setattr(metrics, "_CELLS", 500)
    blocks = list(metrics.resamples(100, 23, seed=1))
    assert [len(block) for block in blocks] == [5, 5, 5, 5, 3]
    assert all((block.sum(axis=1) == 100).all() for block in blocks)


def test_a_class_that_nobody_meant_or_said_counts_for_nothing():
    labels, said = np.array([0, 0, 2, 2]), np.array([[0.8, 0.1, 0.1], [0.7, 0.1, 0.2], [0.1, 0.1, 0.8], [0.6, 0.1, 0.3]])
    found = metrics.scores(labels, said, samples=50)
    assert found["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert "f1" not in found["classes"]["neutral"]
    assert "roc_auc" not in found["classes"]["neutral"]
    assert "f1_neutral" not in found["intervals"]


def test_confusion_counts_meant_by_said():
    said = np.eye(3)[[0, 1, 1, 2]] * 0.9 + 0.05
    assert metrics.confusion(np.array([0, 0, 1, 2]), said).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("said", [np.zeros((2, 3)), np.zeros((3, 2)), np.full((3, 3), np.nan)])
def test_answers_that_do_not_fit_are_refused(said):
    with pytest.raises(ModelError, match="expected"):
        metrics.scores(np.array([0, 1, 2]), said)


def test_no_rows_are_refused():
    with pytest.raises(ModelError, match="at least one label"):
        metrics.scores(np.array([], dtype=int), np.zeros((0, 3)))
