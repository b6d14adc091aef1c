"""How far a leak flatters: the published game tweets, scored as published and scored honestly, and what it costs to know.

Reads ``../shared/data/games`` (74,682 and 1,000 rows, no header) and ``../shared/data/tweets`` (47,610 rows). The classifier is the
same untuned TF-IDF + linear SVM everywhere; only the rows it may learn from change. Prepare's time is one process on one core.
"""

from __future__ import annotations

import csv
import logging
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from harness import Measure, finish, shared

COLUMNS = ["id", "entity", "label", "text"]
THREE = {"Irrelevant": "Neutral"}
"""The data set's author counts Irrelevant as Neutral; so does prepare.label_map."""


def main() -> list[Measure]:
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stderr)
    training, validation = shared("games", "twitter_training.csv"), shared("games", "twitter_validation.csv")
    return [*found(training, validation), *flattery(rows_with_text(training), rows_with_text(validation)), *prepared(shared("tweets", "tweets.csv"))]


def found(training: Path, validation: Path) -> list[Measure]:
    from groundswell.leaks import leaks

    begun = time.process_time()
    answer = leaks(training, against=validation, columns=COLUMNS)
    seconds = time.process_time() - begun
    floors = {
        "shared_ids": 1_000,
        "shared_exact_texts": 517,
        "shared_normalised_texts": 716,
        "shared_near_duplicates": 717,
        "conflicting_labels": 136,
    }
    return [
        *(Measure(name, answer[name], "texts" if name == "conflicting_labels" else "of 1,000", floor=floor) for name, floor in floors.items()),
        Measure("leaks: 75,682 rows read and compared", round(seconds, 1), "CPU s", floor=60, aim=15, lower_is_better=True),
    ]


def flattery(training: list[dict], validation: list[dict]) -> list[Measure]:
    """Accuracy on the published validation file: with all of the training file, without its tweets, without their groups."""
    ids = {row["id"] for row in validation}
    apart = [row for row in training if row["id"] not in ids]
    groups = _groups(training + validation)
    judged = set(groups[len(training) :])
    alone = [row for row, group in zip(training, groups, strict=False) if group not in judged]
    measures = []
    for classes, mapping in ((4, {}), (3, THREE)):
        leaky, honest, strict = (_accuracy(rows, validation, mapping) for rows in (training, apart, alone))
        measures += [
            Measure(f"accuracy, {classes} classes, as published (leaky)", leaky, f"on {len(training):,} rows"),
            Measure(f"accuracy, {classes} classes, its tweets out of training", honest, f"on {len(apart):,} rows"),
            Measure(f"accuracy, {classes} classes, their groups out too", strict, f"on {len(alone):,} rows"),
            Measure(f"flattery, {classes} classes: leaky minus honest", round(leaky - honest, 4), "", floor=0.2),
        ]
    by_row, by_id = _split_at_random(training), _split_at_random(training, key="id")
    measures.append(Measure("accuracy, 4 classes, random split by row (leaky)", _accuracy(*by_row, {}), ""))
    measures.append(Measure("accuracy, 4 classes, random split by tweet", _accuracy(*by_id, {}), ""))
    return measures


def prepared(tweets: Path) -> list[Measure]:
    """Real tweets with real times through the stage itself."""
    import pyarrow as pa

    from groundswell.lake import Lake
    from groundswell.params import PrepareParams
    from groundswell.prepare import prepare
    from groundswell.schema import POST
    from groundswell.settings import Settings
    from groundswell.window import Window

    by_window: dict[Window, list[dict]] = {}
    with open(tweets, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            moment = datetime.fromisoformat(row["created_at"])
            post = {"source": "replay", "topic": "tweets", "post_id": row["post_id"], "created_at": moment, "text": row["text"]}
            by_window.setdefault(Window.of(moment), []).append({**post, "label": row["label"], "label_provenance": "human"})
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(project=Path(home))
        lake = Lake(settings.lake)
        for window, rows in by_window.items():
            lake.write(lake.partition("valid", "replay", "tweets", window), pa.Table.from_pylist(rows, schema=POST), {"window": window.key})
        begun = time.process_time()
        report = prepare("tweets", settings=settings, params=PrepareParams())
        seconds = time.process_time() - begun
    ours, plain = (report["leaks"][name]["leaked"] for name in ("this_split", "random_split"))
    return [
        Measure("prepare: 47,610 real tweets", round(seconds, 1), "CPU s", floor=60, aim=15, lower_is_better=True),
        Measure("rows that its split leaks, near duplicates included", sum(ours.values()), "rows", floor=0, lower_is_better=True),
        Measure("rows that a random row split would leak", plain["near"], "rows"),
        Measure("rows given up for that", sum(sum(counts.values()) for counts in report["left_out_of_splits"].values()), "rows"),
    ]


def rows_with_text(path: Path) -> list[dict]:
    """The rows with a text: {id, label, text}."""
    with open(path, encoding="utf-8", newline="") as file:
        return [{"id": row[0], "label": row[2], "text": row[3]} for row in csv.reader(file) if row[3].strip()]


def _groups(rows: list[dict]) -> list[int]:
    from groundswell.duplicates import connected, near_clusters
    from groundswell.text import normalise, skeleton

    clusters = near_clusters([skeleton(normalise(row["text"])) for row in rows], 0.8)
    return connected(len(rows), clusters, [row["id"] for row in rows])


def _split_at_random(rows: list[dict], key: str | None = None) -> tuple[list[dict], list[dict]]:
    """A fifth of the rows, or of the values of ``key``, to judge; seeded."""
    from groundswell.splits import shuffled

    values = list(dict.fromkeys(row[key] for row in rows)) if key else list(range(len(rows)))
    split = dict(zip(values, shuffled(len(values), validation_share=0, test_share=0.2, seed=1), strict=True))
    sides: dict[str, list[dict]] = {"train": [], "test": []}
    for place, row in enumerate(rows):
        sides[split[row[key] if key else place]].append(row)
    return sides["train"], sides["test"]


def _accuracy(training: list[dict], judged: list[dict], mapping: dict[str, str]) -> float:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), LinearSVC(random_state=1))
    model.fit([row["text"] for row in training], [mapping.get(row["label"], row["label"]) for row in training])
    answers = model.predict([row["text"] for row in judged])
    right = sum(answer == mapping.get(row["label"], row["label"]) for answer, row in zip(answers, judged, strict=True))
    logging.info("%d rows learnt, %d judged", len(training), len(judged))
    return round(right / len(judged), 4)


if __name__ == "__main__":
    sys.exit(finish("leaks", main()))
