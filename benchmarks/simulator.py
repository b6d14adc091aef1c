"""How hard the simulated world is, and how fast it is made: the baseline and the packaged DistilBERT on each topic's fortnight.

Reads nothing: the simulator writes each topic's posts of the demo's fortnight, labelled as the seed corpus is (with its errors), and
`prepare` splits them by time and by group. Both models learn from the same rows with the library's own code and the parameters of
params.yaml, and are judged on the same test rows. ``--topics games`` measures fewer.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from harness import PROJECT, Measure, finish

FIRST, DAYS = date(2026, 10, 19), 14
SPEED_POSTS = 100_000


def main(topics: list[str]) -> list[Measure]:
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", stream=sys.stderr)
    measures = [speed(topic) for topic in topics]
    for topic in topics:
        with tempfile.TemporaryDirectory() as home:
            measures += hardness(topic, Path(home))
    return measures


def speed(topic: str) -> Measure:
    """Posts of a large day on one platform, content alone, a second of one core."""
    from groundswell.simulator.content import stream

    begun = time.process_time()
    posts = sum(1 for _ in stream(1, "x", topic, FIRST, SPEED_POSTS))
    return Measure(f"{topic}: made by the generator", round(posts / (time.process_time() - begun)), "posts/CPU s", floor=20_000, aim=40_000)


def hardness(topic: str, home: Path) -> list[Measure]:
    """Macro-F1 of both models on the test rows, and what lies between them."""
    from groundswell.examples import read_examples
    from groundswell.metrics import scores
    from groundswell.params import load_params
    from groundswell.prepare import prepare
    from groundswell.settings import Settings

    settings = Settings(project=home)
    params = load_params(Settings(project=PROJECT))
    fill(settings, topic)
    prepare(topic, settings=settings, params=params.prepare)
    train, validation, test = (read_examples(settings.dataset(topic), split) for split in ("train", "validation", "test"))
    counted = scores(test.labels, by_words(train, test, params.train))["macro_f1"]
    logging.info("%s: %d rows to learn from, %d to test on; words alone %.4f", topic, len(train), len(test), counted)
    read = scores(test.labels, by_network(train, validation, test, params.train, home))["macro_f1"]
    rows = f"on {len(test):,} of {len(train):,} + {len(test):,}"
    return [
        Measure(f"{topic}: macro-F1 of words alone (TF-IDF)", round(counted, 4), rows),
        Measure(f"{topic}: macro-F1 of the packaged DistilBERT", round(read, 4), rows, floor=0.7),
        Measure(f"{topic}: what reading gains over counting", round(read - counted, 4), "", floor=0.05, aim=0.1),
    ]


def fill(settings, topic: str) -> None:
    """The fortnight's corpus as valid posts with labels, a partition a day."""
    import pyarrow as pa

    from groundswell.lake import Lake
    from groundswell.schema import POST
    from groundswell.simulator.content import posts_of
    from groundswell.simulator.corpus import label
    from groundswell.simulator.settings import SimulatorSettings
    from groundswell.window import Window

    world, lake = SimulatorSettings(), Lake(settings.lake)
    for day in (FIRST + timedelta(days=number) for number in range(DAYS)):
        window = Window.parse(day.isoformat())
        posts = posts_of(world.seed, "corpus", topic, day, world.corpus_per_day, world.events)
        rows = [
            {
                "source": "replay",
                "topic": topic,
                "post_id": str(post.post_id),
                "author": post.author,
                "created_at": post.moment,
                "text": post.text,
                "lang": post.lang,
                "label": label(post, world.seed),
                "label_provenance": "human",
            }
            for post in posts
            if post.text.strip()
        ]
        lake.write(lake.partition("valid", "replay", topic, window), pa.Table.from_pylist(rows, schema=POST), {"window": window.key})


def by_words(train, test, params):
    """The probabilities that the baseline gives to the test rows."""
    from groundswell import baseline

    return baseline.fit(train.texts, train.labels, seed=params.seed).predict(test.texts)


def by_network(train, validation, test, params, folder: Path):
    """The probabilities that the fine-tuned network gives to the test rows."""
    from groundswell.encoder import load
    from groundswell.export import torch_probabilities
    from groundswell.finetune import Tokenised, finetune, prepare_torch

    prepare_torch(params)
    tokenizer, model = load(params)
    rows = [Tokenised(tokenizer(part.texts, truncation=True, max_length=params.max_length)["input_ids"], part.labels) for part in (train, validation)]
    finetune(model, tokenizer, *rows, params=params, folder=folder / "checkpoints", observe=lambda step, numbers: None)
    return torch_probabilities(model, tokenizer, test.texts, 1.0, params.max_length)


if __name__ == "__main__":
    from groundswell.simulator.topics import TOPICS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", default=",".join(TOPICS), help="comma-separated")
    sys.exit(finish("simulator", main(parser.parse_args().topics.split(","))))
