"""What a warm start costs and saves: retraining from the champion's weights beside retraining from the base, on TweetEval's tweets.

``make bench-warm_start``, or ``python benchmarks/warm_start.py [PATH] [--rows 12000] [--judged 4000] [--seeds 3] [--threads 0]``.
A champion learns the first 70 % of the rows; then all of them are learnt from the base, from the champion in one epoch, and, to tell what its weights
bring, from the base in one epoch. Rows that none of them learnt judge, others that none learnt choose the evaluation whose weights are kept. Reads
tweets (`corpora.tweets`); what was trained before is not trained again (`learners.kept`).
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from corpora import digest, some, tweets
from harness import Measure, finish
from learners import CODE, MOST_SHARE, STOP_ROWS, STOP_SHARE, answers, asked, cells, code_of, difference, kept, page, points, speaks, summary

from groundswell.approaches import Labelled
from groundswell.approaches.base import held_out
from groundswell.params import TrainParams

PLAIN = TrainParams(epochs=3, early_stopping_patience=0)
LEARNT_BEFORE = 0.7
"""Of the rows to learn, the champion had so many, the first ones: the others are newer."""
BASE, WARM, SHORT, CHAMPION = "from the base", "from the champion, 1 epoch", "from the base, 1 epoch", "the champion itself"
LEAST_RATIO = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sides:
    """What is learnt, what chooses the weights, and what judges: no text or near duplicate is on two sides."""

    learn: Labelled
    stop: Labelled
    judge: Labelled

    @property
    def before(self) -> Labelled:
        return self.learn.part(range(int(LEARNT_BEFORE * len(self.learn))))

    def trained(self, params: TrainParams, learn: Labelled, champion: np.ndarray | None = None) -> dict:
        """A network that learnt ``learn``, begun with ``champion`` (the bytes of its model.onnx) or the base: answers (``fp32``) and ``seconds``.

        The champion's own ``network`` is given too: its model.onnx as bytes.
        """
        begun_with = hashlib.sha256(champion.tobytes()).hexdigest() if champion is not None else "base"
        code = code_of((*CODE, "distilbert.py", "warm_start.py"))
        told = f"{digest(learn, self.stop, self.judge)} {params.model_dump_json(exclude_defaults=True)} {begun_with} {code}"
        name = f"warm-start-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
        return kept(name, lambda: self._trained(params, learn, champion))

    def _trained(self, params: TrainParams, learn: Labelled, champion: np.ndarray | None) -> dict:
        from groundswell.export import write_networks
        from groundswell.finetune import Tokenised, finetune, prepare_torch
        from groundswell.warm_start import Origin, load

        prepare_torch(params)
        with tempfile.TemporaryDirectory() as box:
            if champion is not None:
                Path(box, "model.onnx").write_bytes(champion.tobytes())
            tokenizer, model = load(Origin(params, Path(box) if champion is not None else None))
            rows = [
                Tokenised(tokenizer(part.texts, truncation=True, max_length=params.max_length)["input_ids"], part.labels)
                for part in (learn, self.stop)
            ]
            begun = time.monotonic()
            finetune(model, tokenizer, *rows, params=params, folder=Path(box), observe=lambda step, numbers: None)
            seconds = time.monotonic() - begun
            log.info("%d rows learnt in %.0f s", len(learn), seconds)
            found = {**answers(model, tokenizer, self.judge.texts, params, ("fp32",)), "seconds": seconds}
            if len(learn) < len(self.learn):
                write_networks(model, Path(box))
                found["network"] = np.frombuffer(Path(box, "model.onnx").read_bytes(), dtype=np.uint8)
        return found


def main(arguments: argparse.Namespace) -> int:
    speaks()
    found = sides(arguments)
    said: dict[str, list] = {}
    seconds: dict[str, list] = {}
    status = 0
    for seed in range(1, arguments.seeds + 1):
        for name, one in trainings(found, seed, arguments.threads).items():
            said.setdefault(name, []).append(one["fp32"])
            seconds.setdefault(name, []).append(one["seconds"])
        table = rows(found.judge.labels, said, seconds)
        facts = {"rows": len(found.learn), "learnt_before": len(found.before), "judged": len(found.judge), "trainings": table}
        page("warm_start", "What a warm start saves, and what it costs", sections(facts))
        status = finish("warm_start", measures(table), also=facts)
    return status


def sides(arguments: argparse.Namespace) -> Sides:
    rest, judge = held_out(tweets(arguments.path).learn, arguments.judged / 45_000, seed=2)
    rest = some(rest, arguments.rows)
    learn, stop = held_out(rest, min(MOST_SHARE, max(STOP_SHARE, STOP_ROWS / len(rest))), seed=1)
    return Sides(learn, stop, judge)


def trainings(found: Sides, seed: int, threads: int) -> dict[str, dict]:
    """Name → the training, the champion first: the others are what may follow it."""
    usual = PLAIN.model_copy(update={"seed": seed, "threads": threads})
    short = usual.model_copy(update={"epochs": usual.warm_start_epochs})
    champion = found.trained(usual, found.before)
    return {
        CHAMPION: champion,
        BASE: found.trained(usual, found.learn),
        WARM: found.trained(short, found.learn, champion["network"]),
        SHORT: found.trained(short, found.learn),
    }


def rows(labels: np.ndarray, said: dict[str, list], seconds: dict[str, list]) -> list[dict]:
    """A line a training: its measures, seconds, how often its time goes into the base's, and its difference from the base's answers."""
    found = []
    for name, each in said.items():
        line = {"name": name, "seeds": len(each), "seconds": round(float(np.mean(seconds[name])), 1), **summary(labels, each)}
        line["times_faster"] = round(float(np.mean(seconds[BASE]) / np.mean(seconds[name])), 2)
        if name != BASE:
            line["against_base"] = {measure: difference(labels, each, said[BASE], measure) for measure in ("macro_recall", "macro_f1")}
        found.append(line)
    return found


def sections(facts: dict) -> dict[str, list]:
    words = (
        f"{facts['rows']:,} rows of TweetEval's train learnt, of which the champion knew {facts['learnt_before']:,}; {facts['judged']:,} others "
        "judge. Differences in points, with 95 % of rows."
    )
    head = ["training", "seeds", "seconds", "times faster", "macro-recall", "macro-F1", "accuracy", "macro-recall less base", "macro-F1 less base"]
    return {words: [head, *(_cells(line) for line in facts["trainings"])]}


def _cells(line: dict) -> list[str]:
    apart = [points(line["against_base"][name]) if "against_base" in line else "" for name in ("macro_recall", "macro_f1")]
    return [line["name"], str(line["seeds"]), f"{line['seconds']:g}", f"{line['times_faster']:g}", *cells(line), *apart]


def measures(table: list[dict]) -> list[Measure]:
    """Two floors: so many times faster, and not visibly worse, where the interval of the difference reaches 0."""
    by_name = {line["name"]: line for line in table}
    warm = by_name[WARM]
    found = [Measure("times faster than from the base", warm["times_faster"], "times", floor=LEAST_RATIO)]
    for name in ("macro_f1", "macro_recall"):
        highest = warm["against_base"][name]["high"]
        found.append(Measure(f"{name}: warm less base, upper end of 95 %", round(100 * highest, 2), "points", floor=0.0))
    found += [Measure(f"{line['name']}: macro_f1", line["macro_f1"]["mean"], f"{line['seeds']} seeds") for line in table]
    return found


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    return asked(__doc__, words, corpus=("tweets", "tweets.csv"), rows=12_000, judged=4_000, seeds=3, threads=0)


if __name__ == "__main__":
    sys.exit(main(parsed()))
