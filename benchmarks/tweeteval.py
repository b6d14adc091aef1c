"""TweetEval's sentiment task by the packaged encoder: macro-averaged recall, the published measure, beside what is published.

``make bench-tweeteval``, or ``python benchmarks/tweeteval.py PATH [--seeds 3] [--rows N]``. PATH is TweetEval's folder ``datasets/sentiment``
(train_text.txt, train_labels.txt, …) or a CSV with columns text, label and split; by default the CSV in ``shared``. Learns from train with
the train section of params.yaml and `RECIPE`; is judged on test where PATH has it, else on val. What is published was measured on test. Two
quiet cores need about 20 minutes a seed.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from corpora import SIMILARITY, Pair, some, tweets
from harness import Measure, finish
from learners import asked, cells, difference, linear_rows, network, page, points, reweighed, shipped, speaks, summary

PUBLISHED = {
    "TimeLMs": 0.737,
    "BERTweet": 0.734,
    "RoBERTa, trained on with tweets": 0.728,
    "RoBERTa-base": 0.713,
    "RoBERTa, trained on tweets only": 0.691,
    "FastText": 0.629,
    "SVM": 0.629,
    "LSTM": 0.583,
}
"""Macro-averaged recall on the published test set (12,284 tweets): Barbieri et al. 2020, TweetEval, and its leaderboard."""
RECIPE = {"class_weights": "adjusted", "layer_decay": 0.9, "learning_rate": 1.5e-4}
"""What differs from the train section of params.yaml: chosen by `recipes.py`, on train, for a measure in which every class counts alike."""
FLOOR, AIM = 0.72, 0.735
AHEAD, QUANTISED = 0.03, 0.005
"""How far the network should be ahead of the best linear row, and how far int8 may be from PyTorch, in macro-recall."""


def main(arguments: argparse.Namespace) -> int:
    speaks()
    found = tweets(arguments.path)
    learn = some(found.learn, arguments.rows) if arguments.rows else found.learn
    pair = Pair(learn, found.judge, found.judged_on, found.is_near)
    linear = linear_rows(learn, pair.judge.texts)
    said: list[dict] = []
    status = 0
    for seed in range(1, arguments.seeds + 1):
        params = shipped().model_copy(update={**RECIPE, "seed": seed, "threads": arguments.threads})
        said.append(network(learn, pair.judge.texts, params, ("torch", "int8")))
        facts = told(pair, linear, said)
        # after every seed: a kill leaves what was done
        page("tweeteval", "TweetEval, sentiment", sections(facts))
        status = finish("tweeteval", measures(facts, is_whole=not arguments.rows), also={**facts, "train": params.model_dump(mode="json")})
    return status


def told(pair: Pair, linear: dict[str, np.ndarray], said: list[dict]) -> dict:
    """Every number of the benchmark, of the seeds trained so far."""
    labels, alone = pair.judge.labels, ~pair.is_near
    torch, int8 = ([each[precision] for each in said] for precision in ("torch", "int8"))
    share = np.bincount(pair.learn.labels, minlength=3) / len(pair.learn)
    table = {"DistilBERT on the packaged encoder, int8": summary(labels, int8), "the same, PyTorch": summary(labels, torch)}
    table["the same, int8, the classes as frequent as in train"] = summary(labels, [reweighed(each, share) for each in int8])
    table |= {name: summary(labels, [each]) for name, each in linear.items()}
    best = max(linear, key=lambda name: table[name]["macro_recall"]["mean"])
    return {
        "judged_on": pair.judged_on,
        "rows": {"learnt": len(pair.learn), "judged": len(labels), "near_duplicates_of_train": int(pair.is_near.sum())},
        "similarity": SIMILARITY,
        "seeds": len(said),
        "table": table,
        "without_near_duplicates": summary(labels[alone], [each[alone] for each in int8]),
        "int8_less_torch": difference(labels, int8, torch),
        "best_linear": best,
        "ahead_of_best_linear": difference(labels, int8, [linear[best]]),
        "published_on_test": PUBLISHED,
        "training_seconds": [round(each["seconds"]) for each in said],
    }


def sections(facts: dict) -> dict[str, list]:
    """The page: what was measured here, and what is published of another set of rows."""
    rows = facts["rows"]
    here = f"Learnt from {rows['learnt']:,} rows of train, judged on {rows['judged']:,} of {facts['judged_on']}."
    here += f" Mean of {facts['seeds']} seed(s), 95 % of rows."
    here += f" {rows['near_duplicates_of_train']} judged rows are near duplicates of a learnt one: without them macro-recall is"
    here += f" {cells(facts['without_near_duplicates'])[0]}. Int8 less PyTorch: {points(facts['int8_less_torch'])} points of macro-recall;"
    here += f" int8 less the best linear row: {points(facts['ahead_of_best_linear'])}."
    table = [["", "macro-recall", "macro-F1", "accuracy"], *([name, *cells(row)] for name, row in facts["table"].items())]
    published = [["published, on test (not the same rows)", "macro-recall"], *([name, f"{value:.3f}"] for name, value in PUBLISHED.items())]
    return {here: table, "Barbieri et al. 2020, TweetEval, and its leaderboard:": published}


def measures(facts: dict, *, is_whole: bool) -> list[Measure]:
    """With floors where all of train was learnt from."""
    network, linear = (facts["table"][name] for name in ("DistilBERT on the packaged encoder, int8", facts["best_linear"]))
    on = f"{facts['judged_on']}, {facts['seeds']} seeds"
    found = [Measure("macro-recall", network["macro_recall"]["mean"], on, floor=FLOOR if is_whole else None, aim=AIM if is_whole else None)]
    found += [Measure(f"macro-recall, {end} end of 95 %", network["macro_recall"][end], on) for end in ("low", "high")]
    found += [Measure(name.replace("_", "-"), network[name]["mean"], on) for name in ("macro_f1", "accuracy")]
    found.append(Measure("macro-recall without near duplicates of train", facts["without_near_duplicates"]["macro_recall"]["mean"], on))
    found.append(Measure("near duplicates of train", facts["rows"]["near_duplicates_of_train"], f"of {facts['rows']['judged']:,} rows"))
    found.append(Measure(f"macro-recall of {facts['best_linear']}", linear["macro_recall"]["mean"], "best linear"))
    found.append(Measure("ahead of the best linear row", facts["ahead_of_best_linear"]["estimate"], on, floor=AHEAD if is_whole else None))
    apart = abs(facts["int8_less_torch"]["estimate"])
    found.append(Measure("int8 against PyTorch, macro-recall apart", apart, on, floor=QUANTISED if is_whole else None, lower_is_better=True))
    return found + [Measure(f"published: {name}", value, "test") for name, value in PUBLISHED.items()]


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    return asked(__doc__, words, corpus=("tweets", "tweets.csv"), seeds=3, threads=0, rows=0)


if __name__ == "__main__":
    sys.exit(main(parsed()))
