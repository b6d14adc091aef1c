"""The levers of our fine-tuning loop, and what it is with each taken away: what `make bench-training` says that each buys.

Reads and writes nothing; while a lever is away, the library's own parts are replaced in this process.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext

import numpy as np

CHANGES: dict = {}
"""Of the train section, for as long as a lever that is a parameter is away."""


@contextmanager
def _with(**changes):
    CHANGES.update(changes)
    try:
        yield
    finally:
        CHANGES.clear()


@contextmanager
def _instead(owner, name: str, other):
    own = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, own)


def _batches(cut):
    from groundswell import batches

    return _instead(batches, "epoch", lambda lengths, size, chance: cut(lengths, size, chance))


def _any_order(lengths, size, chance):
    return np.array_split(chance.permutation(len(lengths)), -(-len(lengths) // size))


def _as_many_posts(lengths, size, chance):
    order = np.argsort(lengths, kind="stable")  # TIMED rows are fewer than are sorted together
    return list(chance.permutation(np.array_split(order, -(-len(order) // size)))) if len(order) % size == 0 else _any_order(lengths, size, chance)


def _dense():
    from groundswell import optimiser

    plain = optimiser.Optimiser
    return _instead(optimiser, "Optimiser", lambda groups, table: plain(groups, None))


def _bernoulli():
    import torch

    from groundswell.forward import Dropout

    return _instead(Dropout, "__call__", lambda self, values, share: torch.nn.functional.dropout(values, share))


def _whole_last_layer():
    from groundswell.forward import Network

    return _instead(Network, "answered", None)


def _frozen(*parts: str):
    """The model with these modules of DistilBERT frozen: not the same training, but what it would save."""
    from groundswell import encoder

    own = encoder.load_classifier

    def load(base: str):
        made = own(base)
        for part in parts:
            made.distilbert.get_submodule(part).requires_grad_(False)
        return made

    return _instead(encoder, "load_classifier", load)


LEVERS = {
    "bf16": ("fp32", lambda: _with(bf16="off")),
    "rows of like length together": ("batches in any order, padded to their longest", lambda: _batches(_any_order)),
    "as many word pieces a batch": ("32 posts in each, long or short", lambda: _batches(_as_many_posts)),
    "AdamW for the rows that were read": ("fused AdamW over the whole table of word pieces", _dense),
    "the last layer for one token": ("for all of them", _whole_last_layer),
    "dropout of 16 bits": ("torch's Bernoulli variables", _bernoulli),
    "32 posts a step": ("8 posts a step", lambda: _with(batch_size=8)),
    "not used: 64 posts a step": ("64 posts a step, another training", lambda: _with(batch_size=64)),
    "not used: frozen embeddings": ("embeddings frozen, another training", lambda: _frozen("embeddings")),
    "not used: frozen lower half": (
        "embeddings and three layers frozen, another training",
        lambda: _frozen("embeddings", *(f"transformer.layer.{number}" for number in range(3))),
    ),
}


def without(lever: str | None):
    """A context in which ``lever`` is away; nothing is, without one."""
    return LEVERS[lever][1]() if lever else nullcontext()
