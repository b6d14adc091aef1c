import numpy as np
import pytest
import torch
from torch import nn

from groundswell.approaches.descent import balance, descend

pytestmark = pytest.mark.slow

GIVEN = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
LABELS = GIVEN[:, :3].argmax(dim=1)
HOW = {"epochs": 8, "patience": 2, "learning_rate": 0.05, "weight_decay": 0.1}


def epoch():
    return [((GIVEN[places],), LABELS[places]) for places in torch.arange(64).split(16)]


def network() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(4, 3)


def test_it_learns():
    learnt = network()
    assert descend(learnt, epoch, None, **HOW) == 8
    assert (learnt(GIVEN).argmax(dim=1) == LABELS).float().mean() > 0.9
    assert not learnt.training


@pytest.mark.parametrize(
    ("said", "patience", "kept", "asked"),
    [
        ([0.1, 0.5, 0.3, 0.5, 0.9], 2, 2, 4),  # as good as before is no better
        ([0.1, 0.5, 0.3, 0.6, 0.2, 0.1, 0.9], 2, 4, 6),
        ([0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2], 0, 1, 8),
    ],
)
def test_the_weights_of_the_best_epoch_are_kept(said, patience, kept, asked):
    learnt, seen = network(), []

    def quality() -> float:
        seen.append(learnt.weight.detach().clone())
        return said[len(seen) - 1]

    assert descend(learnt, epoch, quality, **{**HOW, "patience": patience}) == kept
    assert len(seen) == asked
    assert torch.equal(learnt.weight, seen[kept - 1])
    assert not torch.equal(seen[0], seen[1])


def test_what_does_not_learn_stays_as_it_is():
    model = nn.Sequential(nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 3))
    before = model[0].weight.clone()
    descend(model, epoch, None, **HOW)
    assert torch.equal(model[0].weight, before)


def test_a_rare_class_is_learnt_where_errors_on_it_cost_more():
    rare = torch.where(LABELS == 2, 2, 0)
    rare[torch.nonzero(rare == 2)[3:]] = 0  # three rows of the class
    said = []
    for weight in (None, balance(rare.numpy())):
        learnt = network()
        descend(learnt, lambda: [((GIVEN,), rare)], None, weight=weight, **HOW)
        said.append(int((learnt(GIVEN).argmax(dim=1) == 2).sum()))
    assert said[0] < said[1]


def test_every_class_weighs_the_same():
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    weight = balance(labels).numpy()
    assert np.bincount(labels) * weight == pytest.approx([100 / 3] * 3)
    assert np.isfinite(balance(np.array([1, 1])).numpy()).all()
