"""Answers: what everybody says to the same rows, and whether it was they who said it, to these rows, in this order of classes.

Reads exports and the baseline; writes nothing. Refuses (`JudgeRefused`) answers that are another model's, to other rows, in another
order of classes, or no probabilities: a comparison of such is wrong without looking wrong. Among the rows stand texts whose answers
each export knows by itself (``golden.json``), and some rows are asked a second time, alone.
"""

from __future__ import annotations

import os
from itertools import permutations

import numpy as np

from groundswell.bootstrap import macro_f1
from groundswell.contenders import Contender
from groundswell.errors import JudgeRefused
from groundswell.examples import Examples
from groundswell.predictor import Predictor
from groundswell.registry import CHALLENGER, CHAMPION
from groundswell.schema import LABELS

GOLDEN_TOLERANCE = 0.1
"""Of serving.loading too: int8 arithmetic differs between processors, by 0.02 where it was measured."""
_ASKED_TWICE = 8
_TWICE_TOLERANCE = 1e-4
_OTHER_ORDER = 0.2
"""macro-F1 that another order of the classes may bring: a model that guesses gets 0.1 from it, a permuted one 0.3 and more."""


def answers_of(rows: Examples, new: Contender, old: Contender | None, baseline) -> dict[str, np.ndarray]:
    """Probabilities (n, 3) of everybody for the same rows: what is served (int8), the challenger's fp32, the baseline."""
    threads = min(4, os.cpu_count() or 1)
    contenders = {CHALLENGER: new, **({CHAMPION: old} if old else {})}
    found = {name: _served(name, one, Predictor.load(one.folder, threads=threads), rows) for name, one in contenders.items()}
    found["baseline"] = baseline.predict(rows.texts)
    found["fp32"] = Predictor.load(new.folder, precision="fp32", threads=threads).predict(rows.texts)
    for name, answers in found.items():
        require_probabilities(name, answers, len(rows))
    for name in contenders:
        require_order_of_classes(name, rows.labels, found[name])
    if old:
        require_two_models(found[CHALLENGER], found[CHAMPION], is_identical=new.weights == old.weights)
    return found


def _served(name: str, one: Contender, predictor: Predictor, rows: Examples) -> np.ndarray:
    """The answers to ``rows``, those to the export's own texts and to some rows asked again having been right."""
    texts, known = one.golden
    said = predictor.predict([*texts, *rows.texts])
    own, answers = said[: len(texts)], said[len(texts) :]
    if len(texts) and not np.abs(own - known).max() <= GOLDEN_TOLERANCE:
        raise JudgeRefused(
            f"{name}: the answers to its golden texts are off by {np.abs(own - known).max():.2f}, at most {GOLDEN_TOLERANCE} is expected: "
            "these are another model's answers, or another order of classes"
        )
    places = np.unique(np.linspace(0, len(rows) - 1, _ASKED_TWICE).astype(int))
    require_same_rows(name, predictor.predict([rows.texts[place] for place in places]), answers[places])
    return answers


def require_same_rows(name: str, alone: np.ndarray, together: np.ndarray) -> None:
    """A text has one answer, alone or among others (docs/model.md); where two differ, one was given to another row."""
    off = np.abs(alone - together).max()
    if not off <= _TWICE_TOLERANCE:
        raise JudgeRefused(f"{name}: rows asked again have other answers (off by {off:.4f}): the first were to other rows, or in another order")


def require_probabilities(name: str, answers: np.ndarray, rows: int) -> None:
    if answers.shape != (rows, len(LABELS)):
        raise JudgeRefused(f"{name}: expected {rows} answers of {len(LABELS)} classes, found {answers.shape}: it did not answer the same rows")
    if not (np.isfinite(answers).all() and np.abs(answers.sum(axis=1) - 1).max() < 1e-3 and answers.min() >= 0):
        raise JudgeRefused(f"{name}: expected probabilities that sum to 1, found others (NaN, negative or another sum): its export is broken")


def require_order_of_classes(name: str, labels: np.ndarray, answers: np.ndarray) -> None:
    """Answers that fit the labels far better with the classes renamed come of a permuted label map, the model's or the data's."""
    said = answers.argmax(axis=1)
    own = macro_f1(labels, said)
    best, order = max((macro_f1(labels, np.array(order)[said]), order) for order in permutations(range(len(LABELS))))
    if best > own + _OTHER_ORDER:
        raise JudgeRefused(
            f"{name}: macro-F1 is {own:.3f}, and {best:.3f} with its {', '.join(LABELS)} taken for {', '.join(LABELS[place] for place in order)}: "
            "a label map is permuted, the model's or the data set's (prepare.label_map); nothing is decided on that"
        )


def require_two_models(challenger: np.ndarray, champion: np.ndarray, *, is_identical: bool) -> None:
    if not is_identical and np.array_equal(challenger, champion):
        raise JudgeRefused("challenger and champion have other weights and the same answers to the last bit: one's were read in place of the other's")
