"""AdamW for fine-tuning on a CPU: fused over the layers, and over the table of word pieces only where a batch read it.

Reads and changes weights in memory; writes nothing. The table holds half of a small model's weights, and a step reads one or two rows of a
hundred: the others' steps are owed and paid, in one sum, when they are read again, so that the result is dense AdamW's to rounding
(Loshchilov & Hutter 2019 for AdamW). SparseAdam, the usual way, forgets what is owed and can't decay.
"""

from __future__ import annotations

import numpy as np
import torch

_BETAS, _EPSILON = (0.9, 0.999), 1e-8
_REMEMBERED = 400
"""Steps after which a gradient moves its row no more: (0.9 / sqrt 0.999)^400 is 6e-19."""

MAX_NORM = 1.0


class Optimiser:
    """One step for every weight of ``groups`` (``params``, ``lr``, ``weight_decay``): norm clipped at `MAX_NORM`, rates times a factor.

    ``table`` is the weight of the word pieces where its rows are to be stepped one by one; it is in one of ``groups`` then. It takes no
    gradient itself until `release`.
    """

    def __init__(self, groups: list[dict], table: torch.nn.Parameter | None = None):
        own = next((group for group in groups if any(weight is table for weight in group["params"])), None)
        self.rows = None if own is None else Rows(table, rate=own["lr"], weight_decay=own["weight_decay"])
        dense = [{**group, "params": [weight for weight in group["params"] if own is None or weight is not table]} for group in groups]
        self._rates = [group["lr"] for group in dense if group["params"]]
        dense = [group for group in dense if group["params"]]
        self._dense = torch.optim.AdamW(dense, betas=_BETAS, eps=_EPSILON, fused=True) if dense else None
        self._weights = [weight for group in dense for weight in group["params"]]

    def step(self, factor: float) -> torch.Tensor:
        """Change the weights by their gradients, which are gone afterwards; the norm that these had."""
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        if self.rows is not None:
            gradients.append(self.rows.gradient)
        norm = torch.nn.utils.get_total_norm(gradients)
        excess = (norm / MAX_NORM).clamp(min=1.0)
        if self._dense is not None:
            self._step_dense(factor, excess)
        if self.rows is not None:
            self.rows.step(factor, excess)
        return norm

    def _step_dense(self, factor: float, excess: torch.Tensor) -> None:
        for group, rate in zip(self._dense.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self._dense.grad_scale, self._dense.found_inf = excess, torch.zeros_like(excess)  # the fused kernel divides by it on its way
        self._dense.step()
        self._dense.zero_grad(set_to_none=True)

    def settle(self) -> None:
        """Pay every row what is owed to it: before anybody else reads the weights."""
        if self.rows is not None:
            self.rows.settle()

    def release(self) -> None:
        """The table learns as any other weight again."""
        if self.rows is not None:
            self.rows.settle()
            self.rows.table.requires_grad_(True)


class Rows:
    """AdamW over the rows of ``table`` (pieces, width) that a step read; what the others are owed is kept in three numbers a row.

    While a row's gradient is 0, dense AdamW moves it at step j by rate_j · sqrt(1 - b2^j) / (1 - b1^j) · (b1 / sqrt b2)^(j - s) · m / sqrt(v),
    where m and v are those of the last step s that read it, and shrinks it by 1 - rate_j · decay. The first factors do not hang on the
    row: `_owed` holds their sum for every s. Adam's epsilon is taken at s.
    """

    def __init__(self, table: torch.nn.Parameter, *, rate: float, weight_decay: float):
        self.table = table.requires_grad_(False)
        self._rate, self._decay = rate, weight_decay
        self._first, self._second = torch.zeros_like(table.data), torch.zeros_like(table.data)
        self._paid = torch.zeros(len(table), dtype=torch.int64)
        self._at = 0
        self._owed = np.zeros(1)
        self._shrunk = np.zeros(1)  # log of what has been left of a weight of 1 since step 0
        self._powers = (_BETAS[0] / np.sqrt(_BETAS[1])) ** np.arange(_REMEMBERED, 0, -1)

    def read(self, pieces: torch.Tensor) -> torch.Tensor:
        """The rows of ``pieces`` (m,), each there once, as a leaf (m, width) that takes a gradient; `step` is about them."""
        self._pieces = pieces
        self._pay(pieces)
        self._leaf = self.table.data[pieces].requires_grad_()
        return self._leaf

    @property
    def gradient(self) -> torch.Tensor:
        return self._leaf.grad

    def average(self, accelerator) -> None:
        """The mean of all processes' gradients, each of which read the same rows."""
        self._leaf.grad = accelerator.reduce(self._leaf.grad, reduction="mean")

    def step(self, factor: float, excess: torch.Tensor) -> None:
        """AdamW's step for the rows last read, their gradient divided by ``excess``; the others are owed theirs."""
        rate, number, pieces = self._rate * factor, self._at + 1, self._pieces
        self._note(rate)
        gradient = self._leaf.grad.div_(excess)
        first = self._first[pieces].lerp_(gradient, 1 - _BETAS[0])
        second = self._second[pieces].mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        spread = (second / (1 - _BETAS[1] ** number)).sqrt_().add_(_EPSILON)
        values = self._leaf.detach().mul_(1 - rate * self._decay)
        self.table.data[pieces] = values.addcdiv_(first, spread, value=-rate / (1 - _BETAS[0] ** number))
        self._first[pieces], self._second[pieces] = first, second
        self._paid[pieces] = number

    def settle(self) -> None:
        """Pay every row."""
        self._pay(torch.nonzero(self._paid < self._at).flatten())

    def _note(self, rate: float) -> None:
        """One step more: what it owes to rows that were last read s steps ago, for each s."""
        self._at += 1
        corrected = rate * np.sqrt(1 - _BETAS[1] ** self._at) / (1 - _BETAS[0] ** self._at)
        self._owed = np.append(self._owed * (1 - rate * self._decay), 0.0)
        since = self._owed[max(0, self._at - _REMEMBERED) : self._at]
        since += corrected * self._powers[len(self._powers) - len(since) :]
        self._shrunk = np.append(self._shrunk, self._shrunk[-1] + np.log1p(-rate * self._decay))

    def _pay(self, pieces: torch.Tensor) -> None:
        since = self._paid[pieces].numpy()
        late = since < self._at
        if not late.any():
            return
        pieces, since = pieces[torch.from_numpy(late)], since[late]
        first, second = self._first[pieces], self._second[pieces]
        last = torch.from_numpy(np.sqrt(1 - _BETAS[1] ** np.maximum(since, 1))).to(first.dtype)[:, None]
        spread = second.sqrt().add_(_EPSILON * last)
        left = _column(np.exp(self._shrunk[self._at] - self._shrunk[since]), first)
        self.table.data[pieces] = self.table.data[pieces].mul_(left).sub_(first.div(spread).mul_(_column(self._owed[since], first)))
        missed = self._at - since
        self._first[pieces] = first.mul_(_column(_BETAS[0] ** missed, first))
        self._second[pieces] = second.mul_(_column(_BETAS[1] ** missed, second))
        self._paid[pieces] = self._at


def _column(values: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(values).to(like.dtype)[:, None]
