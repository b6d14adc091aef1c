"""The seed corpus: labelled posts with times as a CSV file, the way a labelled data set comes into the house.

Labelled by hand once, so with few errors; some posts are about something else and carry ``irrelevant``.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

from groundswell.files import replacing
from groundswell.schema import LABELS
from groundswell.simulator.content import Post, posts_of
from groundswell.simulator.settings import SimulatorSettings
from groundswell.window import Window

HEADER = ("id", "time", "user", "body", "sentiment", "lang")
ERROR_RATE = 0.02


def write_corpus(path: Path, topic: str, windows: list[Window], settings: SimulatorSettings) -> int:
    """Write the corpus of ``windows`` to ``path`` whole or not at all; returns its number of rows."""
    rows = 0
    with replacing(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for window in windows:
            for post in posts_of(settings.seed, "corpus", topic, window.day, settings.corpus_per_day, settings.events):
                if window.start <= post.moment < window.end:
                    writer.writerow(_row(post, settings.seed))
                    rows += 1
    return rows


def _row(post: Post, seed: int) -> tuple:
    return (post.post_id, post.moment.strftime("%Y-%m-%dT%H:%M:%SZ"), post.author, post.text, label(post, seed), post.lang)


def label(post: Post, seed: int) -> str:
    """What the person who labelled the corpus wrote down: the truth, or with `ERROR_RATE` something else; ``irrelevant`` off topic."""
    if post.is_off_topic:
        return "irrelevant"
    chance = random.Random(f"{seed}/label/{post.post_id}")
    if chance.random() < ERROR_RATE:
        return chance.choice([label for label in LABELS if label != post.sentiment])
    return post.sentiment
