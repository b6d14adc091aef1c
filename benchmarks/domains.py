"""One topic's model on another topic's data: tweets, game tweets and financial sentences, each learnt and each judged by all three.

``make bench-domains``, or ``python benchmarks/domains.py [--rows 3600] [--judged 1200] [--seeds 1]``. As many rows of each, so that what
differs is where they come from. Reads the three corpora of ``shared``; game tweets by their first row alone, without the made variants.
A model is worth what the diagonal says on its own kind of text only.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from corpora import finance, games, some, tweets
from harness import Measure, finish, shared
from learners import asked, baseline, cells, network, page, shipped, speaks, summary

from groundswell.approaches import Labelled
from groundswell.approaches.base import held_out


def main(arguments: argparse.Namespace) -> int:
    speaks()
    corpora = {"tweets": tweets(shared("tweets", "tweets.csv")).learn, "games": originals(), "finance": phrases()}
    parts = {name: split(rows, arguments.rows, arguments.judged) for name, rows in corpora.items()}
    texts = [text for _, judge in parts.values() for text in judge.texts]
    found: dict[str, dict] = {"linear": {}, "network": {}}
    for name, (learn, _) in parts.items():
        seeds = [shipped().model_copy(update={"seed": seed, "threads": arguments.threads}) for seed in range(1, arguments.seeds + 1)]
        said = {"linear": [baseline(learn, texts)], "network": [network(learn, texts, params)["int8"] for params in seeds]}
        for model, answers in said.items():
            found[model][name] = row(parts, answers)
    rows = {name: {"learnt": len(learn), "judged": len(judge)} for name, (learn, judge) in parts.items()}
    page("domains", "One topic's model on another topic's data", sections(found, rows))
    return finish("domains", measures(found), also={"table": found, "rows": rows, "seeds": arguments.seeds})


def originals() -> Labelled:
    """The first row of every tweet of the training file."""
    found = games(shared("games"))
    return found.rows.part([at for at in {found.ids[at]: at for at in reversed(range(found.training))}.values()])


def phrases() -> Labelled:
    return next(iter(finance(shared("finance", "all-data.csv")).values()))


def split(rows: Labelled, learnt: int, judged: int) -> tuple[Labelled, Labelled]:
    """(``learnt`` rows, about ``judged`` others of other groups)."""
    rest, judge = held_out(some(rows, learnt + judged), judged / (learnt + judged), seed=1)
    return some(rest, learnt), judge


def row(parts: dict[str, tuple[Labelled, Labelled]], answers: list[np.ndarray]) -> dict:
    """Corpus → summary of ``answers``, which are to the judging rows of every corpus, one after the other."""
    found, start = {}, 0
    for name, (_, judge) in parts.items():
        found[name] = summary(judge.labels, [each[start : start + len(judge)] for each in answers])
        start += len(judge)
    return found


def sections(found: dict, rows: dict) -> dict[str, list]:
    told = "; ".join(f"{name}: {counts['learnt']:,} learnt, {counts['judged']:,} judged" for name, counts in rows.items())
    return {
        f"Macro-F1 of the {model} model. {told}.": [
            ["learnt from", *(f"judged on {name}" for name in rows)],
            *([learnt, *(cells(row[judged], ("macro_f1",))[0] for judged in rows)] for learnt, row in table.items()),
        ]
        for model, table in found.items()
    }


def measures(found: dict) -> list[Measure]:
    cells = [(model, learnt, judged) for model, table in found.items() for learnt, row in table.items() for judged in row]
    return [
        Measure(f"{model}: learnt {learnt}, judged {judged}", found[model][learnt][judged]["macro_f1"]["mean"], "macro-F1")
        for model, learnt, judged in cells
    ]


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    return asked(__doc__, words, rows=3_600, judged=1_200, seeds=1, threads=0)


if __name__ == "__main__":
    sys.exit(main(parsed()))
