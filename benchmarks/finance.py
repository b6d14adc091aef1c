"""Financial PhraseBank (Malo et al. 2014) at its agreement levels: every sentence judged once, by what did not learn from its like.

``make bench-finance``, or ``python benchmarks/finance.py PATH [--folds 5] [--seeds 1]``. PATH is all-data.csv (the level >= 50 %), one
Sentences_*.txt, or a folder with them; by default the CSV in ``shared``. Folds are cut by groups of near duplicates.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from corpora import finance
from harness import Measure, finish
from learners import asked, baseline, cells, difference, network, page, points, shipped, speaks, summary

from groundswell.approaches import Labelled


def main(arguments: argparse.Namespace) -> int:
    speaks()
    levels = finance(arguments.path)
    found, status = {}, 0
    for level, rows in levels.items():
        found[level] = judged(rows, arguments.folds, arguments.seeds, arguments.threads)
        facts = {"levels": found, "folds": arguments.folds, "seeds": arguments.seeds}
        page("finance", "Financial PhraseBank", sections(found, arguments.folds))
        status = finish("finance", measures(found), also=facts)  # after every level: a kill leaves what was done
    return status


def judged(rows: Labelled, folds: int, seeds: int, threads: int) -> dict:
    """Linear and network on ``rows``: their table, and how far the network is ahead in macro-F1."""
    params = [shipped().model_copy(update={"seed": seed, "threads": threads}) for seed in range(1, seeds + 1)]
    said = {"linear": [np.zeros((len(rows), 3))], "network": [np.zeros((len(rows), 3)) for _ in params]}
    for learn, judge in cut(rows, folds):
        texts = [rows.texts[at] for at in judge]
        said["linear"][0][judge] = baseline(rows.part(learn), texts)
        for place, each in enumerate(params):
            said["network"][place][judge] = network(rows.part(learn), texts, each)["int8"]
    counts = {"rows": len(rows), "groups": len(set(rows.groups)), "conflicting_texts": conflicting(rows)}
    table = {name: summary(rows.labels, answers) for name, answers in said.items()}
    return {**counts, "table": table, "network_less_linear": difference(rows.labels, said["network"], said["linear"], "macro_f1")}


def sections(levels: dict, folds: int) -> dict[str, list]:
    lines = [["annotators who agree", "rows", "", "accuracy", "macro-F1", "network less linear, points of macro-F1"]]
    for level, told in levels.items():
        for name, row in told["table"].items():
            ahead = points(told["network_less_linear"]) if name == "network" else ""
            lines.append([level, f"{told['rows']:,}", name, *cells(row, ("accuracy", "macro_f1")), ahead])
    return {f"Every row judged once, in {folds} folds that cut no group of near duplicates.": lines}


def cut(rows: Labelled, folds: int, seed: int = 1) -> list[tuple[list[int], list[int]]]:
    """(places to learn from, places to judge) of each fold: classes in like shares, no group on two sides."""
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return [(learn.tolist(), judge.tolist()) for learn, judge in splitter.split(rows.texts, rows.labels, rows.groups)]


def conflicting(rows: Labelled) -> int:
    """Texts that bear two labels."""
    labels: dict[str, set] = {}
    for text, label in zip(rows.texts, rows.labels.tolist(), strict=True):
        labels.setdefault(text, set()).add(label)
    return sum(len(each) > 1 for each in labels.values())


def measures(levels: dict) -> list[Measure]:
    found = []
    for level, told in levels.items():
        for name, row in told["table"].items():
            found += [
                Measure(f"{level} agree, {name}: {measure}", row[measure]["mean"], f"{told['rows']:,} rows") for measure in ("accuracy", "macro_f1")
            ]
        # the platform's own rule for a challenger: no network below its floor
        found.append(Measure(f"{level} agree: network less linear", told["network_less_linear"]["estimate"], "macro-F1", floor=0.0))
    return found


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    return asked(__doc__, words, corpus=("finance", "all-data.csv"), folds=5, seeds=1, threads=0)


if __name__ == "__main__":
    sys.exit(main(parsed()))
