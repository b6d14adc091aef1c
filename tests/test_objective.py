"""The objective is the loss that its papers describe, number for number."""

import numpy as np
import pytest

from groundswell.objective import Objective, class_shares, class_weights, disagreement
from groundswell.params import TrainParams

pytestmark = pytest.mark.slow  # torch

LABELS = np.array([0] * 8 + [1] * 2 + [2] * 2)


def logits(seed):
    import torch

    return torch.randn((len(LABELS), 3), generator=torch.Generator().manual_seed(seed))


def loss(answers, **options):
    import torch

    answers = iter(answers)
    return Objective(LABELS, TrainParams(**options))(lambda: next(answers), torch.tensor(LABELS)).item()


def log_softmax(values):
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def test_by_itself_it_is_cross_entropy():
    said = log_softmax(logits(0).double().numpy())
    assert loss([logits(0)]) == pytest.approx(-said[np.arange(len(LABELS)), LABELS].mean(), abs=1e-6)


def test_balanced_classes_weigh_the_same():
    said = log_softmax(logits(0).double().numpy())
    each = -said[np.arange(len(LABELS)), LABELS]
    assert loss([logits(0)], class_weights="balanced") == pytest.approx(np.mean([each[place == LABELS].mean() for place in range(3)]), abs=1e-6)
    assert class_weights(np.array([0, 0, 2]))[[0, 2]].tolist() == [0.5, 1.0]
    assert np.isfinite(class_weights(np.array([0, 0]))).all()


def test_adjusted_logits_learn_what_is_left_when_the_shares_are_told():
    import torch

    assert class_shares(LABELS).tolist() == [9 / 15, 3 / 15, 3 / 15]
    assert (class_shares(np.array([0, 0])) > 0).all()
    shifted = logits(0) + torch.tensor(np.log(class_shares(LABELS)), dtype=torch.float32)
    assert loss([logits(0)], class_weights="adjusted") == pytest.approx(loss([shifted]), abs=1e-6)
    assert loss([logits(0), logits(0)], class_weights="adjusted", consistency=1.0) == pytest.approx(loss([shifted]), abs=1e-6)
    # rows that say nothing of their class: a network that answers the same to all should not learn which class is frequent
    same = torch.zeros(3, requires_grad=True)
    many = np.repeat(LABELS, 500)
    Objective(many, TrainParams(class_weights="adjusted"))(lambda: same.expand(len(many), 3), torch.tensor(many)).backward()
    assert same.grad.abs().max() < 1e-3


def test_smoothing_gives_every_label_its_share():
    said = log_softmax(logits(0).double().numpy())
    wanted = np.full((len(LABELS), 3), 0.3 / 3)
    wanted[np.arange(len(LABELS)), LABELS] += 0.7
    assert loss([logits(0)], label_smoothing=0.3) == pytest.approx(-(wanted * said).sum(axis=1).mean(), abs=1e-6)


@pytest.mark.parametrize("options", [{}, {"class_weights": "balanced"}, {"class_weights": "adjusted"}])
def test_teachers_have_their_share_of_what_is_learnt(options):
    import torch

    taught = logits(3).softmax(dim=1)
    params = TrainParams(distillation=0.4, **options)
    objective = Objective(LABELS, params)
    shift = objective.shift if objective.shift is not None else torch.zeros(3)
    weight = objective.weight if objective.weight is not None else torch.ones(3)
    said = (logits(0) + shift).log_softmax(dim=1)
    from_labels = objective.cross_entropy(logits(0), torch.tensor(LABELS)).item()
    from_teachers = -(weight * taught * said).sum(dim=1).mean().item()
    found = objective(lambda: logits(0), torch.tensor(LABELS), taught).item()
    assert found == pytest.approx(0.6 * from_labels + 0.4 * from_teachers, abs=1e-6)
    # a teacher that is sure of the label changes nothing
    sure = torch.eye(3)[torch.tensor(LABELS)]
    if not options:
        assert objective(lambda: logits(0), torch.tensor(LABELS), sure).item() == pytest.approx(from_labels, abs=1e-6)


def test_consistency_is_the_symmetric_divergence_of_two_passes():
    one, other = (np.exp(log_softmax(logits(seed).double().numpy())) for seed in (0, 1))
    apart = ((one * np.log(one / other)).sum(axis=1) + (other * np.log(other / one)).sum(axis=1)).mean() / 2
    assert disagreement(logits(0), logits(1)).item() == pytest.approx(apart, abs=1e-6)
    plain = (loss([logits(0)]) + loss([logits(1)])) / 2
    assert loss([logits(0), logits(1)], consistency=2.0) == pytest.approx(plain + 2 * apart, abs=1e-5)
    assert loss([logits(0), logits(0)], consistency=2.0) == pytest.approx(loss([logits(0)]), abs=1e-6)
