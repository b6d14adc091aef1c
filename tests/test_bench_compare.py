"""The comparison's benchmark: the lake that it fills, and what it makes of a report."""

import csv
import sys
from pathlib import Path

import pytest

from groundswell.lake import Lake
from groundswell.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from benchmarks import compare  # noqa: E402


def test_the_lake_holds_the_corpus_by_day(tmp_path):
    rows = [
        {"created_at": "2015-08-05T10:00:00Z", "post_id": "1", "label": "neutral", "split": "train", "text": "an invented one"},
        {"created_at": "2015-08-05T11:00:00Z", "post_id": "2", "label": "positive", "split": "val", "text": "another"},
        {"created_at": "2015-08-06T10:00:00Z", "post_id": "3", "label": "negative", "split": "train", "text": "the last"},
        {"created_at": "2015-08-06T10:00:00Z", "post_id": "4", "label": "negative", "split": "train", "text": " "},
    ]
    with open(tmp_path / "tweets.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    settings = Settings(project=tmp_path)
    compare.fill(settings, tmp_path / "tweets.csv", 1.0)
    lake = Lake(settings.lake)
    found = {partition.window.key: lake.read(partition)["post_id"].to_pylist() for partition in lake.partitions("valid", topic="tweets")}
    assert found == {"2015-08-05": ["1", "2"], "2015-08-06": ["3"]}


def test_a_tenth_has_no_label_the_same_one_each_time():
    rows = [{"created_at": "2015-08-05T10:00:00Z", "post_id": str(number), "label": "neutral", "text": "an invented one"} for number in range(2000)]
    told = [compare._post(row) for row in rows]
    assert 150 < sum("label" not in one for one in told) < 250
    assert all(("label" in one) == ("label_provenance" in one) for one in told)
    assert told == [compare._post(row) for row in rows]


def row(name, model, mean, status="done"):
    measure = {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}
    told = {"macro_f1": measure, "against_best": {"says": "worse"}, "posts_per_second": 100.0, "train_seconds": 1.0}
    return {"name": name, "model": model, "status": status, **(told if status == "done" else {})}


def test_what_reading_gains_is_over_the_best_row_that_counts():
    rows = [row("distilbert", "distilbert", 0.70), row("svm", "svm", 0.66), row("bayes", "naive_bayes", 0.6), row("lstm", "lstm", 0, "failed")]
    found = {one.measure: one for one in compare.measures({"rows": rows})}
    assert found["the best DistilBERT over the best row that counts"].value == pytest.approx(0.04)
    assert found["rows that failed"].is_missed
    assert not {one.measure: one for one in compare.measures({"rows": rows[:3]})}["rows that failed"].is_missed
