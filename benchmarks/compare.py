"""Every approach of the comparison on the real tweets: what each gains, how sure that is, what it costs. ``make bench-compare``.

Reads ``../shared/data/tweets/tweets.csv`` (47,610 dated tweets with human labels). Works under ``var/bench/compare``, which it keeps: killed
and run again it goes on, fit by fit. The lake is filled with the tweets as `validate` would leave them, a steady tenth of them without their
labels, for weak labels to be put on; `prepare` splits them by time and by group, `compare` sees train and validation only. ``--rows a,b`` and
``--budget MINUTES`` as the command's; ``--share 0.05`` takes a part of the tweets, works apart and writes no results. All rows take a night on
two quiet cores; nothing else may run meanwhile, for it measures time.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import logging
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from harness import PROJECT, Measure, finish, shared, table

TOPIC = "tweets"
UNLABELLED = 0.1
AHEAD = 0.03
"""How far the best network should be ahead of the best row that counts, in macro-F1."""
COUNTING = ("naive_bayes", "logistic", "svm", "forest")


def main(arguments: argparse.Namespace) -> int:
    from groundswell.compare import compare
    from groundswell.params import load_params
    from groundswell.prepare import prepare
    from groundswell.settings import Settings

    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", stream=sys.stderr)
    folder = PROJECT / "var" / "bench" / ("compare" if arguments.share == 1 else f"compare-{arguments.share:g}")
    settings = Settings(project=PROJECT, home=folder, mlflow_uri="")
    params = load_params(Settings(project=PROJECT))
    if not settings.dataset(TOPIC).is_dir():
        fill(settings, shared("tweets", "tweets.csv"), arguments.share)
        prepare(TOPIC, settings=settings, params=params.prepare)
    report = compare(
        TOPIC,
        settings=settings,
        params=params.compare,
        train=params.train,
        similarity=params.prepare.near_duplicate_similarity,
        only=[name for name in arguments.rows.split(",") if name],
        budget_seconds=None if arguments.budget is None else 60 * arguments.budget,
    )
    print(f"The page: {settings.root / report['page']}", file=sys.stderr)
    if arguments.share < 1:
        print(table(measures(report)))
        return 0
    return finish("compare", measures(report), also={key: report[key] for key in ("folds", "seeds", "samples", "best", "rows", "curves")})


def fill(settings, corpus: Path, share: float) -> None:
    """A steady ``share`` of the tweets as valid posts with human labels, a partition a day."""
    import pyarrow as pa

    from groundswell.lake import Lake
    from groundswell.schema import POST
    from groundswell.window import Window

    days: dict[str, list[dict]] = defaultdict(list)
    with open(corpus, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["text"].strip() and _is_drawn(row["post_id"], share):
                days[row["created_at"][:10]].append(_post(row))
    lake = Lake(settings.lake)
    for day, posts in sorted(days.items()):
        window = Window.parse(day)
        lake.write(lake.partition("valid", "replay", TOPIC, window), pa.Table.from_pylist(posts, schema=POST), {"window": window.key})


def _post(row: dict) -> dict:
    moment = datetime.fromisoformat(row["created_at"])
    said = {"post_id": row["post_id"], "created_at": moment, "text": row["text"]}
    label = {} if _is_drawn(f"unlabelled {row['post_id']}", UNLABELLED) else {"label": row["label"], "label_provenance": "human"}
    return {"source": "replay", "topic": TOPIC, **said, **label}


def _is_drawn(name: str, share: float) -> bool:
    """By a hash in which a prefix changes everything (crc32 is linear: the tenth would be the same one as the share)."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") < share * 2**32


def measures(report: dict) -> list[Measure]:
    done = [row for row in report["rows"] if row["status"] == "done"]
    failed = sum(row["status"] == "failed" for row in report["rows"])
    found = [Measure("rows that failed", failed, f"of {len(report['rows'])}", floor=0, lower_is_better=True)]
    found += [Measure(f"{row['name']}: macro-F1", row["macro_f1"]["mean"], _beside(row)) for row in done]
    counting = [row["macro_f1"]["mean"] for row in done if row["model"] in COUNTING]
    reading = [row["macro_f1"]["mean"] for row in done if row["model"].startswith("distilbert")]
    if counting and reading:
        found.append(Measure("the best DistilBERT over the best row that counts", round(max(reading) - max(counting), 4), "", floor=0.0, aim=AHEAD))
    return found


def _beside(row: dict) -> str:
    half = (row["macro_f1"]["high"] - row["macro_f1"]["low"]) / 2
    return f"± {half:.4f}, {row['against_best']['says']}, {row['posts_per_second']:,.0f} posts/s, {row['train_seconds']:,.1f} s a fit"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="names of rows, between commas; empty: all")
    parser.add_argument("--budget", type=float, help="minutes")
    parser.add_argument("--share", type=float, default=1.0, help="of the tweets; less than all writes no results")
    sys.exit(main(parser.parse_args()))
