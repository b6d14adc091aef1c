"""What tuning fits: a DistilBERT by `finetune`, or any row of the comparison, on one split, answering the other.

Reads the rows it is given, writes checkpoints into a folder that is gone afterwards. A fit is a function of values, seed and rows. What learns
by epochs is looked at meanwhile: a DistilBERT by its validation rows, a row of the comparison by those that it holds out of training.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from groundswell.approaches.base import Labelled, Observe, Surroundings
from groundswell.examples import Examples
from groundswell.params import CompareRow, TrainParams
from groundswell.search_space import Value


@dataclass(frozen=True)
class Learner:
    """Something with hyperparameters: ``today``'s values, and a fit that gives probabilities (n, 3) for the validation rows."""

    today: dict[str, Value]
    fit: Callable[[Mapping[str, Value], int, Observe], np.ndarray]


def learner(row: CompareRow, train: Examples, validation: Examples, surroundings: Surroundings) -> Learner:
    """Of ``row``: the train section under the row's options for a ``distilbert``, the row's own options for another.

    `ParamsError` for an option that the row's model does not have.
    """
    if row.model == "distilbert":
        return _network(row, train, validation, surroundings)
    return _approach(row, train, validation, surroundings)


def _network(row: CompareRow, train: Examples, validation: Examples, surroundings: Surroundings) -> Learner:
    from groundswell.approaches import values_of

    mine = values_of(row, surroundings.train)
    base = _updated(surroundings.train, {name: value for name, value in mine.items() if name in TrainParams.model_fields})

    def fit(values: Mapping[str, Value], seed: int, observe: Observe) -> np.ndarray:
        with tempfile.TemporaryDirectory(dir=surroundings.scratch) as box:
            rows = _labelled(train, row, seed, surroundings)
            return _finetuned(rows, validation, _updated(base, {**values, "seed": seed}), Path(box), observe)

    return Learner(base.model_dump(), fit)


def _updated(params: TrainParams, values: Mapping[str, Value]) -> TrainParams:
    return TrainParams.model_validate({**params.model_dump(), **values})


def _finetuned(train: Labelled, validation: Examples, params: TrainParams, folder: Path, observe: Observe) -> np.ndarray:
    from groundswell.approaches import teachers
    from groundswell.encoder import load
    from groundswell.export import torch_probabilities
    from groundswell.finetune import Tokenised, finetune, prepare_torch

    prepare_torch(params)
    tokenizer, model = load(params)
    rows = [Tokenised(tokenizer(part.texts, truncation=True, max_length=params.max_length)["input_ids"], part.labels) for part in (train, validation)]
    rows[0] = teachers.taught(rows[0], train, params, folder)
    finetune(model, tokenizer, *rows, params=params, folder=folder / "checkpoints", observe=observe)
    order = np.argsort([len(ids) for ids in rows[1].ids], kind="stable")  # batches of like lengths: a third of the work
    said = torch_probabilities(model, tokenizer, [validation.texts[place] for place in order], 1.0, params.max_length)
    return said[np.argsort(order)]


def _approach(row: CompareRow, train: Examples, validation: Examples, surroundings: Surroundings) -> Learner:
    from groundswell.approaches import make, values_of

    def fit(values: Mapping[str, Value], seed: int, observe: Observe) -> np.ndarray:
        scratch = Path(tempfile.mkdtemp(dir=surroundings.scratch))
        try:
            tried = row.model_copy(update={"options": {**row.options, **values}})
            around = replace(surroundings, scratch=scratch, observe=observe)
            approach = make(tried, seed, around)
            approach.fit(_labelled(train, tried, seed, around))
            return approach.predict(validation.texts)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    return Learner(values_of(row, surroundings.train), fit)


def _labelled(train: Examples, row: CompareRow, seed: int, surroundings: Surroundings) -> Labelled:
    from groundswell.approaches.augmentation import augmented

    rows = Labelled(train.texts, train.labels, train.table["group"].to_pylist())
    return augmented(rows, row, seed, surroundings) if row.augmentation != "none" else rows
