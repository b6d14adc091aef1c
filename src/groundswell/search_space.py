"""What tuning may change of an approach, and how far: a range or a choice for each hyperparameter, a space a family of models.

Reads and writes nothing, and knows no Optuna: `suggested` asks whatever can suggest. The values that hold today belong to a space, wherever
they lie: it is widened to hold them, so that what is found can be compared with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from groundswell import grid
from groundswell.approaches.options import Value
from groundswell.params import CompareRow


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; ``is_log``: tried by their order of magnitude."""

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False

    def holding(self, value: Value) -> Range:
        low, high = min(self.low, value), max(self.high, value)
        return replace(self, low=low, high=high, is_log=self.is_log and value > 0, is_whole=self.is_whole and value == int(value))


@dataclass(frozen=True)
class Choice:
    """One of ``values``."""

    values: tuple[Value, ...]

    def holding(self, value: Value) -> Choice:
        return self if value in self.values else Choice((*self.values, value))


Space = dict[str, Range | Choice]


class Suggests(Protocol):
    """What of an Optuna trial is used."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...

    def suggest_categorical(self, name: str, choices) -> Value: ...


_TRAIN: Space = {
    "learning_rate": Range(2e-5, 5e-4, is_log=True),
    "batch_size": Choice((16, 32, 64)),
    "epochs": Range(2, 4, is_whole=True),
    "warmup_share": Range(0.0, 0.2),
    "weight_decay": Range(1e-3, 0.3, is_log=True),
    "layer_decay": Range(0.7, 1.0),
    "label_smoothing": Range(0.0, 0.15),
    "schedule": Choice(("linear", "cosine")),
    "class_weights": Choice(("none", "balanced")),
}
"""Of a DistilBERT, keys of the train section. Not tried: what changes the cost more than the result (consistency, max_length)."""

_NETWORK: Space = {
    "learning_rate": Range(3e-4, 1e-2, is_log=True),
    "hidden": Choice((64, 128, 256)),
    "dropout": Range(0.1, 0.6),
    "weight_decay": Range(1e-4, 0.3, is_log=True),
    "batch_size": Choice((16, 32, 64)),
}
_COUNTED: Space = {"min_df": Range(1, 5, is_whole=True), "ngram_max": Range(1, 3, is_whole=True)}
_MODEL: dict[str, Space] = {
    "naive_bayes": {"alpha": Range(0.01, 3.0, is_log=True)},
    "logistic": {"C": Range(0.03, 30.0, is_log=True)},
    "svm": {"C": Range(0.01, 10.0, is_log=True)},
    "forest": {"trees": Range(100, 600, is_whole=True), "min_leaf": Range(1, 5, is_whole=True)},
    **dict.fromkeys(grid.SEQUENCE_MODELS, _NETWORK),
    **dict.fromkeys(grid.TRANSFORMERS, _TRAIN),
}


def space_of(row: CompareRow, today: Mapping[str, Value]) -> Space:
    """What may be changed of ``row`` among the options that ``today`` names, each held open for today's value; empty: nothing."""
    whole = {**(_COUNTED if row.features in grid.COUNTED else {}), **_MODEL.get(row.model, {})}
    return {name: limits.holding(today[name]) for name, limits in whole.items() if name in today}


def values_in(space: Space, today: Mapping[str, Value]) -> dict[str, Value]:
    """``today``'s values of ``space``, whole where only whole numbers are tried."""
    whole = {name for name, limits in space.items() if isinstance(limits, Range) and limits.is_whole}
    return {name: int(today[name]) if name in whole else today[name] for name in space}


def suggested(trial: Suggests, space: Space) -> dict[str, Value]:
    """A value for every name of ``space``, in its order, as ``trial`` suggests."""
    return {name: _one(trial, name, limits) for name, limits in space.items()}


def _one(trial: Suggests, name: str, limits: Range | Choice) -> Value:
    if isinstance(limits, Choice):
        return trial.suggest_categorical(name, limits.values)
    if limits.is_whole:
        return trial.suggest_int(name, int(limits.low), int(limits.high), log=limits.is_log)
    return trial.suggest_float(name, limits.low, limits.high, log=limits.is_log)
