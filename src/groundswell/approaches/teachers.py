"""Teachers: what other approaches say of the rows that a network is about to learn, so that it learns more than the label of each.

Reads rows in memory; writes nothing that is kept. Each teacher is a row of the comparison, learns once a fold, and is asked only about groups
that it has not seen: on its own rows it would repeat their labels. Distillation: Hinton et al. 2015; from answers of cross-fitting as here,
Dao et al. 2021, Knowledge Distillation as Semiparametric Inference, section 4.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from groundswell.approaches.base import Labelled, Surroundings
from groundswell.batches import Tokenised
from groundswell.folds import Rows, cut
from groundswell.params import CompareRow, TrainParams, usual_rows
from groundswell.schema import LABELS

log = logging.getLogger(__name__)


def taught(rows: Tokenised, learn: Labelled, params: TrainParams, scratch: Path) -> Tokenised:
    """``rows``, the word pieces of ``learn``, with what the teachers say of each, where ``params`` want teachers."""
    return replace(rows, taught=answers(learn, params, scratch)) if params.distillation else rows


def answers(learn: Labelled, params: TrainParams, scratch: Path) -> np.ndarray:
    """Probabilities, float64 (n, 3), that the mean of ``params.teachers`` gives to every row of ``learn``, none of them having learnt its group.

    `DatasetError` where there are fewer groups than ``params.teacher_folds``.
    """
    rows = Rows(learn.texts, learn.labels, learn.groups, ~learn.is_added)
    of_row = cut(rows, params.teacher_folds).of_row
    by_name = {row.name: row for row in usual_rows()}
    found = np.zeros((len(learn), len(LABELS)))
    begun = time.monotonic()
    for number, name in enumerate(params.teachers):
        for fold in range(params.teacher_folds):
            asked = np.flatnonzero(of_row == fold)
            found[asked] += _said(by_name[name], learn, np.flatnonzero(of_row != fold), asked, params, scratch) / len(params.teachers)
            done, all_of_them = number * params.teacher_folds + fold + 1, len(params.teachers) * params.teacher_folds
            seconds = time.monotonic() - begun
            log.info("teachers: %d/%d, %s, %.0f s left", done, all_of_them, name, seconds * (all_of_them - done) / done)
    return found


def _said(row: CompareRow, learn: Labelled, learnt: np.ndarray, asked: np.ndarray, params: TrainParams, scratch: Path) -> np.ndarray:
    from groundswell.approaches import make

    # a DistilBERT that teaches is not taught itself
    around = Surroundings(threads=params.threads or os.cpu_count() or 1, train=params.model_copy(update={"distillation": 0.0}), scratch=scratch)
    approach = make(row, params.seed, around)
    approach.fit(learn.part(learnt))
    return approach.predict([learn.texts[place] for place in asked])
