"""How a small network learns: AdamW on batches, and back to the weights of the epoch that did best on rows held out.

What a batch is and how good the network is, the caller says: sequence models and the head of a frozen encoder learn by one loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from groundswell.approaches.base import HELD_OUT_F1, Observe, unheard
from groundswell.schema import LABELS

log = logging.getLogger(__name__)

_LONGEST_STEP = 1.0  # norm of the gradients: a recurrent network's leap now and then (Pascanu et al. 2013)

Batch = tuple[tuple[Tensor, ...], Tensor]
"""What a network is given, and the class numbers that it should have said."""


def descend(
    network: nn.Module,
    epoch: Callable[[], Iterable[Batch]],
    quality: Callable[[], float] | None,
    *,
    epochs: int,
    patience: int,
    learning_rate: float,
    weight_decay: float,
    weight: Tensor | None = None,
    observe: Observe = unheard,
) -> int:
    """Train ``network`` in place for ``epochs``, or until ``patience`` of them were no better; the number of the epoch that was kept.

    ``epoch()`` gives the batches of one; ``quality()`` tells how good the network is now, higher is better (None: the last epoch is
    kept). ``patience`` 0 never stops early. ``weight`` (3,): what an error on each class costs. ``observe`` hears of each epoch's quality.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=weight_decay, fused=True)
    best, kept, weights = -np.inf, 0, None
    for number in range(1, epochs + 1):
        loss = _pass(network, epoch(), optimizer, trained, weight)
        found = quality() if quality else np.inf
        log.info("epoch %d of %d: loss %.4f%s", number, epochs, loss, f", {found:.4f} on rows held out" if quality else "")
        if quality:
            observe(number, {"loss": loss, HELD_OUT_F1: found})
        if found > best or not quality:
            best, kept = found, number
            weights = {name: value.clone() for name, value in network.state_dict().items()} if quality else None
        elif patience and number - kept >= patience:
            break
    if weights:
        network.load_state_dict(weights)
    network.eval()
    return kept


def _pass(network: nn.Module, batches: Iterable[Batch], optimizer, trained: list, weight: Tensor | None) -> float:
    """One epoch; its mean loss a batch."""
    network.train()
    losses = []
    for given, labels in batches:
        loss = nn.functional.cross_entropy(network(*given), labels, weight=weight)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, _LONGEST_STEP)
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return float(np.mean(losses))


def balance(labels: np.ndarray) -> Tensor:
    """What an error on each class costs, so that every class weighs the same, however many rows it has: float32 (3,)."""
    counts = np.maximum(np.bincount(labels, minlength=len(LABELS)), 1)
    return torch.tensor(len(labels) / (len(LABELS) * counts), dtype=torch.float32)
