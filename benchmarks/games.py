"""Kaggle's game tweets ("Twitter Entity Sentiment Analysis"): the leaky number as it is published, and the honest one, side by side.

``make bench-games``, or ``python benchmarks/games.py PATH [--rows 12000] [--seeds 1]``. PATH is the folder with twitter_training.csv and
twitter_validation.csv; by default the one in ``shared``. Three classes. Every tweet of the validation file is in the training file, as itself or as
a variant of it. Leaky: learnt with those tweets in. Honest: with all rows out whose tweet or near duplicate is judged, and as many others in.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from corpora import Games, games
from harness import Measure, finish
from learners import asked, baseline, cells, difference, network, page, points, shipped, speaks, summary

from groundswell.approaches import Labelled

FLATTERY = 0.2
"""The leak is worth at least so much accuracy to a linear model: with less, it is not shut out of the honest rows, or not in the leaky ones."""


def main(arguments: argparse.Namespace) -> int:
    speaks()
    found = games(arguments.path)
    judge = found.rows.part(range(found.training, len(found.rows)))
    whole, few = sides(found), sides(found, rows=arguments.rows)
    said = {f"linear, {side}": [baseline(learn, judge.texts)] for side, learn in whole.items()}
    said |= {f"linear, {side}, as many rows as the network": [baseline(learn, judge.texts)] for side, learn in few.items()}
    for side, learn in few.items():
        params = [shipped().model_copy(update={"seed": seed, "threads": arguments.threads}) for seed in range(1, arguments.seeds + 1)]
        said[f"network, {side}"] = [network(learn, judge.texts, each)["int8"] for each in params]
    table = {name: summary(judge.labels, answers) for name, answers in said.items()}
    apart = {model: difference(judge.labels, said[f"{model}, leaky"], said[f"{model}, honest"], "accuracy") for model in ("linear", "network")}
    rows = {"judged": len(judge), **{side: len(learn) for side, learn in whole.items()}, "network": arguments.rows}
    head = [["learnt", "accuracy", "macro-F1"], *([name, *cells(row, ("accuracy", "macro_f1"))] for name, row in table.items())]
    flattered = "; ".join(f"{model} {points(each)}" for model, each in apart.items())
    words = f"{len(judge):,} rows of the validation file, three classes. Points of accuracy that the leak is worth: {flattered}."
    page("games", "Game tweets, with the leak and without", {words: head})
    return finish("games", measures(table, apart), also={"table": table, "flattery": apart, "rows": rows, "seeds": arguments.seeds})


def sides(found: Games, rows: int = 0, seed: int = 1) -> dict[str, Labelled]:
    """leaky and honest → what is learnt from; with ``rows`` so many on either side, of which the leaky one has all the judged tweets' own."""
    judged_ids, judged_groups = set(found.ids[found.training :]), set(found.rows.groups[found.training :])
    training = range(found.training)
    honest = [at for at in training if found.rows.groups[at] not in judged_groups]
    leak = [at for at in training if found.ids[at] in judged_ids]
    if not rows:
        return {"leaky": found.rows.part(training), "honest": found.rows.part(honest)}
    drawn = np.random.default_rng(seed).permutation(honest).tolist()
    leaky = (leak + drawn)[:rows]
    return {"leaky": found.rows.part(sorted(leaky)), "honest": found.rows.part(sorted(drawn[:rows]))}


def measures(table: dict, apart: dict) -> list[Measure]:
    found = [Measure(f"{name}: {measure}", row[measure]["mean"], "") for name, row in table.items() for measure in ("accuracy", "macro_f1")]
    found.append(Measure("linear: leaky less honest accuracy", apart["linear"]["estimate"], "", floor=FLATTERY))
    found.append(Measure("network: leaky less honest accuracy", apart["network"]["estimate"], ""))
    return found


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    return asked(__doc__, words, corpus=("games",), rows=12_000, seeds=1, threads=0)


if __name__ == "__main__":
    sys.exit(main(parsed()))
