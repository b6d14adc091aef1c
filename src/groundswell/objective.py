"""What fine-tuning makes small: cross-entropy with its options, and the price of two answers that differ.

Reads class numbers and logits, writes nothing. Label smoothing: Szegedy et al. 2016, Rethinking the Inception Architecture, section 7.
Adjusted logits: Menon et al. 2021, Long-tail learning via logit adjustment, section 5: what is learnt is as if every class were as frequent.
Distillation: Hinton et al. 2015, at temperature 1. Consistency: Liang et al. 2021, R-Drop; their weight α is twice ours, because the two
cross-entropies are averaged here, not summed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from groundswell.schema import LABELS


class Objective:
    """The loss of a batch as ``params`` (the train section) say; class weights are those of ``labels`` (n,), all the training rows'."""

    def __init__(self, labels: np.ndarray, params):
        import torch

        self.weight = torch.tensor(class_weights(labels), dtype=torch.float32) if params.class_weights == "balanced" else None
        self.shift = torch.tensor(np.log(class_shares(labels)), dtype=torch.float32) if params.class_weights == "adjusted" else None
        self.label_smoothing = params.label_smoothing
        self.consistency, self.distillation = params.consistency, params.distillation

    def __call__(self, answer: Callable, labels, taught=None):
        """A scalar tensor. ``answer()`` gives the batch's logits (n, classes), dropout and all; with consistency it is called twice.

        ``taught`` (n, classes) is what teachers say of the rows: with ``distillation`` its share of what is to be learnt.
        """
        logits = answer().float()
        if not self.consistency:
            return self.fit(logits, labels, taught)
        again = answer().float()
        fit = (self.fit(logits, labels, taught) + self.fit(again, labels, taught)) / 2
        return fit + self.consistency * disagreement(logits, again)

    def fit(self, logits, labels, taught=None):
        """Cross-entropy with the labels and, for its share, with what was taught."""
        found = self.cross_entropy(logits, labels)
        return found if taught is None else (1 - self.distillation) * found + self.distillation * self.cross_entropy(logits, taught)

    def cross_entropy(self, logits, labels):
        """Mean over the rows of a batch, of class numbers or of probabilities; with class weights a row counts as much as its class's weight."""
        from torch.nn.functional import cross_entropy

        if self.shift is not None:  # the network need not say how frequent a class is: it is told
            logits = logits + self.shift.to(logits.device)
        weight = None if self.weight is None else self.weight.to(logits.device)
        return cross_entropy(logits, labels, weight=weight, label_smoothing=self.label_smoothing)


def class_weights(labels: np.ndarray) -> np.ndarray:
    """One weight a class with which every class weighs the same, however many of ``labels`` it has; a class without rows gets a finite one."""
    counts = np.maximum(np.bincount(labels, minlength=len(LABELS)), 1)
    return len(labels) / (len(LABELS) * counts)


def class_shares(labels: np.ndarray) -> np.ndarray:
    """How frequent each class is, with a row added to each, so that none is 0: the sum is 1."""
    counts = np.bincount(labels, minlength=len(LABELS)) + 1
    return counts / counts.sum()


def disagreement(one, other):
    """Mean over the rows of the symmetric Kullback-Leibler divergence ½ (KL(p‖q) + KL(q‖p)) of two logits (n, classes), in nats; a scalar tensor."""
    one, other = one.log_softmax(dim=-1), other.log_softmax(dim=-1)
    return ((one.exp() - other.exp()) * (one - other)).sum(dim=-1).mean() / 2
