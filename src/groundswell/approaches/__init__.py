"""Approaches to sentiment behind one contract: a `CompareRow` becomes something that learns from rows and answers texts.

`make` builds one; each family is a module of this package, imported only when a row asks for it. What is learnt, cleaning's tables and
vocabularies included, is learnt from the rows given to `fit` and nothing else: a fold that judges is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from groundswell import grid
from groundswell.approaches.base import Approach, Labelled, Surroundings
from groundswell.approaches.options import Value
from groundswell.errors import ParamsError
from groundswell.params import CompareRow, TrainParams

__all__ = ["VERSION", "Approach", "Labelled", "Surroundings", "check", "family_of", "make", "values_of"]

VERSION = 1
"""Goes up when an approach of the same row answers otherwise than before: what `compare` kept of it counts no more."""

_FAMILY = {
    "vader": "lexicon",
    **dict.fromkeys(("naive_bayes", *grid.LINEAR, "forest"), "classical"),
    **dict.fromkeys(grid.SEQUENCE_MODELS, "networks"),
    **dict.fromkeys(grid.TRANSFORMERS, "transformers"),
}


def make(row: CompareRow, seed: int, surroundings: Surroundings) -> Approach:
    """A fresh approach for ``row``; `ParamsError` for an option that its features and model do not have."""
    return import_module(f"groundswell.approaches.{family_of(row.model)}").make(row, seed, surroundings)


def check(rows: Iterable[CompareRow], train: TrainParams, vectors: Path | None) -> None:
    """`ParamsError` for the first of ``rows`` that `make` would refuse, or that reads a file of ``vectors`` which is not there."""
    for row in rows:
        values_of(row, train)
        if row.features == "vectors" and not (vectors and vectors.is_file()):
            raise ParamsError(f"compare.vectors: {row.name} reads a file of word vectors: expected one, found {vectors or 'none named'}")


def family_of(model: str) -> str:
    """The module of this package that builds ``model``: models of one family take alike long."""
    return _FAMILY[model]


def values_of(row: CompareRow, train: TrainParams) -> dict[str, Value]:
    """Every option that ``row`` has with the value that holds for it: its own, the train section's, or the default; `ParamsError` as `make`."""
    return import_module(f"groundswell.approaches.{family_of(row.model)}").values_of(row, train)
