"""What each option of fine-tuning buys on TweetEval's tweets: recipes side by side, on a part of train that none of them learns from.

``make bench-recipes``, or ``python benchmarks/recipes.py [PATH] [--rows 12000] [--judged 4000] [--seeds 1] [--only plain,cosine]``.
All choices are made here; ``tweeteval.py`` then looks at val once. Reads tweets (`corpora.tweets`); its results are written after every
training, and what was trained before is not trained again (`learners.kept`).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np
from corpora import some, tweets
from harness import Measure, finish
from learners import asked, cells, difference, network, page, points, reweighed, speaks, summary

from groundswell.approaches.base import Labelled, held_out
from groundswell.params import TrainParams

PLAIN = TrainParams(learning_rate=1e-4, batch_size=32, epochs=3, early_stopping_patience=0)
RECIPES: dict[str, dict] = {
    "plain": {},
    "adjusted": {"class_weights": "adjusted"},
    "balanced": {"class_weights": "balanced"},
    "average": {"average_last": 0.5},
    "layer_decay": {"layer_decay": 0.9, "learning_rate": 1.5e-4},
    "consistency": {"consistency": 1.0},
    "smoothing": {"label_smoothing": 0.1},
    "cosine": {"schedule": "cosine"},
    "further": {"further_pretraining_epochs": 3.0},
    "further_posts": {"further_pretraining_epochs": 3.0, "further_pretraining_posts": 30_000},
    "further_decay": {"further_pretraining_epochs": 3.0, "layer_decay": 0.9, "learning_rate": 1.5e-4},
    "taught": {"distillation": 0.5},
    "taught_by_networks": {"distillation": 0.5, "teachers": ["words-chars-lexicon-logistic", "distilbert"], "teacher_folds": 3},
    "shorter": {"epochs": 2},
    "longer": {"epochs": 5},
    "together": {"class_weights": "adjusted", "average_last": 0.5, "layer_decay": 0.9, "learning_rate": 1.5e-4},
}
"""Name → what differs from `PLAIN`. Further pretraining reads the rows learnt, and other rows unlabelled where a number of posts is named."""
_OUT = ", shares out"


def main(arguments: argparse.Namespace) -> int:
    speaks()
    rest, judge = held_out(tweets(arguments.path).learn, arguments.judged / 45_000, seed=2)
    learn = some(rest, arguments.rows)
    others = strangers(rest, learn)
    said: dict[str, list] = {}
    seconds: dict[str, list] = {}
    status = 0
    for seed in range(1, arguments.seeds + 1):
        for name in arguments.only:
            params = TrainParams(**{**PLAIN.model_dump(), **RECIPES[name], "seed": seed, "threads": arguments.threads})
            found = network(learn, judge.texts, params, ("fp32",), others if "further_pretraining_posts" in RECIPES[name] else None)
            said.setdefault(name, []).append(found["fp32"])
            seconds.setdefault(name, []).append(found["seconds"])
            table = rows(judge.labels, learn.labels, said, seconds)
            facts = {"rows": len(learn), "judged": len(judge), "plain": PLAIN.model_dump(mode="json"), "recipes": table}
            page("recipes", "What each option of fine-tuning buys", sections(facts))
            status = finish("recipes", measures(table), also=facts)
    return status


def strangers(rest: Labelled, learn: Labelled) -> Labelled:
    """What further pretraining may read beside the rows learnt: those of ``rest`` that share no group with any, nobody's labels on them."""
    met = set(learn.groups)
    found = rest.part([at for at, group in enumerate(rest.groups) if group not in met])
    return replace(found, labels=np.zeros(len(found), dtype=np.int64))


def rows(labels: np.ndarray, learnt: np.ndarray, said: dict[str, list], seconds: dict[str, list]) -> list[dict]:
    """A line a recipe; "… shares out" is the same network, its answers divided by the classes' shares of the rows learnt (Menon et al. 2021)."""
    share = np.bincount(learnt, minlength=3) / len(learnt)
    every = {}
    for name, answers in said.items():
        every[name] = answers
        if RECIPES[name].get("class_weights", "none") == "none":
            every[f"{name}{_OUT}"] = [reweighed(each, 1 / share) for each in answers]
    plain = said.get("plain", [])
    found = []
    for name, answers in every.items():
        recipe = name.removesuffix(_OUT)
        line = {"name": name, "options": RECIPES[recipe], "seeds": len(answers), "seconds": round(float(np.mean(seconds[recipe])))}
        line |= summary(labels, answers)
        if plain and name != "plain":
            same = min(len(plain), len(answers))
            line["against_plain"] = {measure: difference(labels, answers[:same], plain[:same], measure) for measure in ("macro_recall", "macro_f1")}
        found.append(line)
    return found


def sections(facts: dict) -> dict[str, list]:
    words = (
        f"{facts['rows']:,} rows of TweetEval's train learnt, {facts['judged']:,} others of train judged. Differences in points, with 95 % of rows."
    )
    head = ["recipe", "options", "seeds", "seconds", "macro-recall", "macro-F1", "accuracy", "macro-recall less plain", "macro-F1 less plain"]
    return {words: [head, *(_cells(line) for line in facts["recipes"])]}


def _cells(line: dict) -> list[str]:
    options = ", ".join(f"{name} {value}" for name, value in line["options"].items())
    apart = [points(line["against_plain"][name]) if "against_plain" in line else "" for name in ("macro_recall", "macro_f1")]
    return [line["name"], options, str(line["seeds"]), str(line["seconds"]), *cells(line), *apart]


def measures(table: list[dict]) -> list[Measure]:
    return [
        Measure(f"{line['name']}: {name}", line[name]["mean"], f"{line['seeds']} seeds") for line in table for name in ("macro_recall", "macro_f1")
    ]


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    return asked(__doc__, words, corpus=("tweets", "tweets.csv"), only=list(RECIPES), rows=12_000, judged=4_000, seeds=1, threads=0)


if __name__ == "__main__":
    sys.exit(main(parsed()))
