"""What more rows of the same tweets buy on Kaggle's game tweets: edits, near words, and the five variants that the set ships with each.

``make bench-augmentation``, or ``python benchmarks/augmentation.py PATH [--folds 3] [--rows N]``. PATH is the folder with
twitter_training.csv and twitter_validation.csv; by default the one in ``shared``. Of each tweet the first row is judged, by the baseline,
in the fold that its group (tweet id, near duplicates) is in; what is added is made of the other folds. Differences are paired, by group.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
from corpora import games
from harness import Measure, finish
from learners import asked, baseline, page, speaks

from groundswell.approaches import Labelled, Surroundings
from groundswell.approaches.augmentation import augmented
from groundswell.bootstrap import macro_f1, paired_differences
from groundswell.params import CompareRow, TrainParams
from groundswell.text import fingerprint

KINDS = ("none", "edits", "synonyms", "shipped")


def main(arguments: argparse.Namespace) -> int:
    speaks()
    found = games(arguments.path)
    rows, ids = found.rows.part(range(found.training)), found.ids[: found.training]
    firsts = np.array(sorted({name: place for place, name in reversed(list(enumerate(ids)))}.values()))
    firsts = firsts[: arguments.rows or None]
    fold = folds(rows.groups, arguments.folds)
    answers = {kind: np.full(len(rows), -1) for kind in KINDS}
    learnt = dict.fromkeys(KINDS, 0)
    for number in range(arguments.folds):
        judged = firsts[fold[firsts] == number]
        for kind in KINDS:
            learn = learning(kind, rows, firsts[fold[firsts] != number], {ids[at] for at in firsts}, ids, fold != number, judged)
            learnt[kind] += len(learn) // arguments.folds
            answers[kind][judged] = baseline(learn, [rows.texts[at] for at in judged]).argmax(axis=1)
            logging.info("fold %d, %s: %d rows to learn from", number, kind, len(learn))
    table = {kind: against_none(rows, firsts, answers, kind) for kind in KINDS}
    head = ["added", "rows learnt from", "macro-F1", "against none (95 %)"]
    told = [[kind, f"{learnt[kind]:,}", f"{one['macro_f1']:.4f}", said(kind, one["difference"])] for kind, one in table.items()]
    page(
        "augmentation", "Augmentation on the game tweets", {f"{len(firsts):,} tweets, {arguments.folds} grouped folds, the baseline.": [head, *told]}
    )
    measures = [Measure(f"{kind}: macro-F1", round(one["macro_f1"], 4), f"of {learnt[kind]:,} rows") for kind, one in table.items()]
    return finish("augmentation", measures, also={"table": table, "learnt": learnt})


def folds(groups: list[str], count: int) -> np.ndarray:
    """Each row's fold, whole groups, drawn once and for all."""
    names, number = np.unique(groups, return_inverse=True)
    return (np.random.default_rng(1).permutation(len(names)) % count)[number]


def learning(kind: str, rows: Labelled, firsts: np.ndarray, wanted: set[str], ids: list[str], is_outside: np.ndarray, judged: np.ndarray) -> Labelled:
    """What is learnt from: first rows outside the fold, and what ``kind`` adds to them."""
    if kind == "shipped":
        return rows.part([at for at in np.flatnonzero(is_outside).tolist() if ids[at] in wanted])
    around = Surroundings(1, TrainParams(), Path(), judged=frozenset(fingerprint(rows.texts[at]) for at in judged))
    return augmented(rows.part(firsts.tolist()), CompareRow(name=kind, features="tfidf", model="logistic", augmentation=kind), 1, around)


def against_none(rows: Labelled, places: np.ndarray, answers: dict[str, np.ndarray], kind: str) -> dict:
    """Macro-F1 of ``kind``, and what separates it from nothing added."""
    labels, groups = rows.labels[places], [rows.groups[at] for at in places]
    found = paired_differences(labels, answers[kind][places], answers["none"][places], groups, samples=2000, seed=1)["macro_f1"]
    return {"macro_f1": macro_f1(labels, answers[kind][places]), "difference": found.as_dict()}


def said(kind: str, difference: dict) -> str:
    return "" if kind == "none" else f"{difference['estimate']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f})"


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    return asked(__doc__, words, corpus=("games",), folds=3, rows=0)


if __name__ == "__main__":
    sys.exit(main(parsed()))
