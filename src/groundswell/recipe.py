"""How fine-tuning walks: the learning rate of each layer and step, what is decayed, and the mean of the last weights.

Reads and changes a model in memory; writes nothing. Layer-wise rates: Howard & Ruder 2018, section 3.2, and Sun et al. 2019, How to
Fine-Tune BERT, section 5.3.2. Averaging: Polyak & Juditsky 1992; for networks, Izmailov et al. 2018.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

AVERAGED_EVERY = 10
"""Steps between two weights that go into the mean: neighbours differ too little to be worth a pass over all weights."""

_LAYER = re.compile(r"\btransformer\.layer\.(\d+)\.")


def parameter_groups(model, params) -> list[dict]:
    """What an optimiser takes: ``[{"params", "lr", "weight_decay"}]``, every weight that learns in one group.

    The head learns with ``params.learning_rate``, each layer below it with ``params.layer_decay`` times the rate above, the embeddings with the
    least. Biases and norms are not decayed: shrinking those restrains nothing, it only moves what the network computes.
    """
    layers = model.config.n_layers
    groups: dict[tuple[int, bool], list] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            groups.setdefault((_height(name, layers), weight.ndim > 1), []).append(weight)
    return [
        {
            "params": weights,
            "lr": params.learning_rate * params.layer_decay ** (layers + 1 - height),
            "weight_decay": params.weight_decay if is_decayed else 0.0,
        }
        for (height, is_decayed), weights in sorted(groups.items(), key=lambda group: group[0])
    ]


def _height(name: str, layers: int) -> int:
    """0 for the embeddings, then the layers from 1 on, and the head above them."""
    if match := _LAYER.search(name):
        return int(match[1]) + 1
    return 0 if "embeddings." in name else layers + 1


def rate_factor(step: int, steps: int, params) -> float:
    """What the learning rates are multiplied by in step ``step`` of 0 … ``steps`` - 1: up to 1 over ``warmup_share``, then down to 0.

    ``params.schedule``: linear, or half a cosine (Loshchilov & Hutter 2017, without restarts).
    """
    warmup = math.ceil(params.warmup_share * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    left = (steps - step) / max(1, steps - warmup)
    return left if params.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2


class Averaged:
    """The mean of a model's weights over the last ``params.average_last`` of ``steps``; with 0 there is none, and nothing is kept."""

    def __init__(self, model, params, steps: int):
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.start = steps - math.floor(params.average_last * steps)
        self.steps = steps
        self.count = 0
        self.mean: list = []

    @property
    def is_awaited(self) -> bool:
        """Whether there will be a mean and is none yet."""
        return self.start < self.steps and not self.mean

    def takes(self, step: int) -> bool:
        """Whether the weights after ``step`` of 1 … steps go into the mean."""
        return step > self.start and (self.steps - step) % AVERAGED_EVERY == 0

    def after(self, step: int) -> None:
        """Take the weights in after ``step``, if it is one that counts."""
        if not self.takes(step):
            return
        self.count += 1
        if not self.mean:
            self.mean = [weight.detach().clone() for weight in self.weights]
            return
        for mean, weight in zip(self.mean, self.weights, strict=True):
            mean.lerp_(weight.detach(), 1 / self.count)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The model with the mean for its weights, as far as there is one: what is evaluated and kept. Its own are back afterwards."""
        if not self.mean:
            yield
            return
        own = [weight.detach().clone() for weight in self.weights]
        self._put(self.mean)
        try:
            yield
        finally:
            self._put(own)

    def _put(self, values: list) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.data.copy_(value)
