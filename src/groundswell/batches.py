"""The steps of a training: which rows go together, and their word pieces as tensors.

Reads token ids and class numbers in memory; writes nothing. Rows of like length go together, so that little is computed for padding, and
every batch has about as many word pieces as any other, so that every step costs the same. Refuses rows that there are none of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from groundswell.errors import DatasetError

SORTED_AT_ONCE = 50
"""Batches whose rows are sorted by length together: enough for little padding, few enough that an epoch's order stays a random one."""


@dataclass(frozen=True)
class Tokenised:
    """Rows as the network reads them: token ids with the two special ones, class numbers, and what teachers say of them."""

    ids: list[list[int]]
    labels: np.ndarray
    taught: np.ndarray | None = None
    """Probabilities (rows, classes) of `approaches.teachers`; None: nobody was asked."""


@dataclass(frozen=True)
class Batch:
    """Tensors of n rows, padded to the longest: ids (n, length) int64, is_read (n, length) bool, labels (n,) int64; taught (n, classes)
    float32, or None."""

    ids: object
    is_read: object
    labels: object
    taught: object = None


class Rows:
    """Tokenised rows as one tensor on ``device``, made once; a batch of them is an index into it."""

    def __init__(self, rows: Tokenised, *, padding: int, device="cpu"):
        import torch

        if not rows.ids:
            raise DatasetError("a training or validation split has no rows: expected at least one: collect, label and prepare more")
        self.lengths = np.array([len(ids) for ids in rows.ids])
        flat = np.fromiter((piece for ids in rows.ids for piece in ids), dtype=np.int64, count=int(self.lengths.sum()))
        self._flat = torch.from_numpy(flat).to(device)
        self._starts = torch.from_numpy(np.cumsum(self.lengths) - self.lengths).to(device)
        self._ends = torch.from_numpy(np.cumsum(self.lengths)).to(device)
        self._labels = torch.from_numpy(np.asarray(rows.labels, dtype=np.int64)).to(device)
        self._taught = None if rows.taught is None else torch.from_numpy(np.asarray(rows.taught, dtype=np.float32)).to(device)
        self.padding = padding

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, places: np.ndarray, *, multiple: int = 1) -> Batch:
        """The rows at ``places``; their length is rounded up to a ``multiple``, so that there are few shapes."""
        import torch

        length = math.ceil(int(self.lengths[places].max()) / multiple) * multiple
        chosen = torch.from_numpy(places).to(self._flat.device, non_blocking=True)
        at = self._starts[chosen, None] + torch.arange(length, device=self._flat.device)
        is_read = at < self._ends[chosen, None]
        ids = torch.where(is_read, self._flat[at.clamp_(max=len(self._flat) - 1)], self.padding)
        return Batch(ids, is_read, self._labels[chosen], None if self._taught is None else self._taught[chosen])


def epoch(lengths: np.ndarray, batch_size: int, chance: np.random.Generator) -> list[np.ndarray]:
    """Places of rows by batch, every row once: ``batch_size`` rows a batch on average, about as many word pieces in each.

    A batch of short rows has more of them, one of long rows fewer. Rows that are sorted together are drawn by ``chance``, and so is the order.
    """
    steps = math.ceil(len(lengths) / batch_size)
    cuts = np.linspace(0, steps, max(1, round(steps / SORTED_AT_ONCE)) + 1).astype(int) * batch_size
    batches = []
    for part in np.split(chance.permutation(len(lengths)), cuts[1:-1]):
        batches += _of_like_length(part[np.argsort(lengths[part], kind="stable")], lengths, batch_size)
    return [batches[place] for place in chance.permutation(len(batches))]


def _of_like_length(rows: np.ndarray, lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """``rows``, sorted by length, cut where each batch has its share of all word pieces."""
    count = math.ceil(len(rows) / batch_size)
    read = np.cumsum(lengths[rows])
    cuts = np.searchsorted(read, read[-1] * np.arange(1, count) / count, side="right")
    return [part for part in np.split(rows, cuts) if len(part)]


def course(lengths: np.ndarray, *, batch_size: int, epochs: float, seed: int) -> list[list[np.ndarray]]:
    """The batches of each epoch; the last one is cut short where ``epochs`` is no whole number. The same seed gives the same batches."""
    chance = np.random.default_rng(seed)
    found = [epoch(lengths, batch_size, chance) for _ in range(math.ceil(epochs))]
    if epochs % 1:
        found[-1] = found[-1][: max(1, round(len(found[-1]) * (epochs % 1)))]
    return found


def by_length(lengths: np.ndarray, pieces: int) -> list[np.ndarray]:
    """Places of all rows, longest first, in batches of at most ``pieces`` word pieces, padding counted; for reading, not for learning."""
    order, batches, start = np.argsort(-lengths, kind="stable"), [], 0
    while start < len(order):
        count = max(1, pieces // int(lengths[order[start]]))
        batches.append(order[start : start + count])
        start += count
    return batches
