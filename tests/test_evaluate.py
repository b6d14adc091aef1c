"""Evaluate: numbers with intervals and slices, the same each time, for DVC, for MLflow and for people."""

import json

import numpy as np
import pytest
from models import knowing_baseline, project_with_registry, register
from tiny import tiny_rows

from groundswell import baseline, registry, tracking
from groundswell.errors import DatasetError, ModelError
from groundswell.evaluate import evaluate
from groundswell.examples import read_examples, read_manifest
from groundswell.files import write_json
from groundswell.lake import write_parquet
from groundswell.metrics import SUMMARY
from groundswell.params import EvaluateParams
from groundswell.schema import LABELS
from groundswell.versions import directory_md5
from groundswell.words import telling_words

pytestmark = pytest.mark.slow

PARAMS = EvaluateParams(bootstrap_samples=200)
PICTURES = {"confusion_matrix.png", "reliability.png", "top_words.png", "word_clouds.png"}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    settings = project_with_registry(tmp_path_factory.mktemp("evaluate") / "project")
    register(settings, "good")
    return settings, evaluate("games", settings=settings, params=PARAMS)


def _files(settings):
    places = [settings.root / "plots" / "games", settings.root / "metrics" / "games"]
    return {path.relative_to(settings.root).as_posix(): path.read_bytes() for place in places for path in place.iterdir()}


def test_words_that_tell_a_class_are_its_own():
    texts, labels = tiny_rows(300, seed=2)
    words = telling_words(texts, labels, 5, groups=range(300))
    assert {word for word, _ in words["positive"]} <= {"great", "love", "wonderful", "best", "fun", "beautiful", "happy", "superb", "😀"}
    assert words["positive"][0][0] == "😀"
    assert all(pairs == sorted(pairs, key=lambda pair: -pair[1]) for pairs in words.values())


def test_rare_words_people_and_links_are_not_shown():
    texts = ["@user http secret great"] + ["@user http great"] * 5 + ["@user http awful"] * 5
    shown = {word for pairs in telling_words(texts, np.array([2] * 6 + [0] * 5), 10, groups=range(11)).values() for word, _ in pairs}
    assert shown == {"great", "awful"}
    assert telling_words(["one", "two"], np.array([0, 1]), 5, groups=range(2)) == {label: [] for label in LABELS}


def test_without_a_model_it_says_what_to_do(tmp_path):
    settings = project_with_registry(tmp_path / "project")
    with pytest.raises(ModelError, match="run groundswell train --topic games first"):
        evaluate("games", settings=settings, params=PARAMS)


@pytest.mark.slow
def test_every_measure_is_there_with_its_interval(evaluated):
    _, report = evaluated
    for who in ("model", "baseline"):
        assert set(SUMMARY) <= set(report[who])
        for name in SUMMARY:
            assert report[who]["intervals"][name]["low"] <= report[who]["intervals"][name]["high"]
        assert all({"precision", "recall", "f1", "roc_auc", "rows"} <= set(report[who]["classes"][label]) for label in LABELS)
    assert report["model"]["macro_f1"] > 0.9 > report["baseline"]["macro_f1"], "the model has learnt, its baseline guesses"
    assert report["model"]["rows"] == 240
    assert report["rows_seen_in_training"] == 0
    assert {name.partition("=")[0] for name in report["slices"]} >= {"source", "length", "emoji", "hashtags", "negation", "month"}
    assert all(one["rows"] >= PARAMS.min_slice_rows for one in report["slices"].values())
    assert sum(one["rows"] for name, one in report["slices"].items() if name.startswith("source=")) == 240
    assert 0 < report["latency"]["single_p50_ms"] <= report["latency"]["single_p95_ms"]
    assert report["bytes"]["int8"] > 1e6


@pytest.mark.slow
def test_what_dvc_keeps_is_the_same_each_time_and_numbers(evaluated):
    settings, _ = evaluated
    before = _files(settings)
    evaluate("games", settings=settings, params=PARAMS)
    assert _files(settings) == before
    assert {name.rpartition("/")[2] for name in before} == {*PICTURES, "confusion.csv", "reliability.csv", "words.csv", "evaluate.json"}
    numbers = json.loads((settings.root / "metrics" / "games" / "evaluate.json").read_text())
    assert len(numbers.pop("run_id")) == 32
    assert _are_numbers(numbers)
    assert "latency" not in numbers


def _are_numbers(value):
    return all(map(_are_numbers, value.values())) if isinstance(value, dict) else isinstance(value, (int, float))


@pytest.mark.slow
def test_a_word_of_fewer_than_five_peoples_groups_is_in_no_file(tmp_path):
    """All posts with "great" are of four authors, and nobody knows who wrote what where groups don't hold authors."""
    settings = project_with_registry(tmp_path / "project")
    folder = settings.dataset("games")
    table = read_examples(folder, "test").table
    rows = [row | {"group": f"author {at % 4}"} if "great" in row["text"] else row for at, row in enumerate(table.to_pylist())]
    write_parquet(table.from_pylist(rows, table.schema), folder / "test.parquet")
    register(settings, "good")
    for group_by, shown in ((["duplicates", "author"], {"love", "awful"}), (["duplicates"], set())):
        write_json(read_manifest(folder) | {"params": {"group_by": group_by}}, folder / "manifest.json")
        trained = settings.model("games") / "train.json"
        write_json(json.loads(trained.read_text()) | {"dataset_md5": directory_md5(folder)}, trained)
        evaluate("games", settings=settings, params=PARAMS)
        words = {line.split(",")[1] for line in (settings.root / "plots" / "games" / "words.csv").read_text().splitlines()[1:]}
        assert shown <= words and "great" not in words and bool(words) == bool(shown)


@pytest.mark.slow
def test_dvc_shows_metrics_and_plots(evaluated):
    from tests.dvc_project import dvc

    settings, report = evaluated
    shown = json.loads(dvc(settings, "metrics", "show", "--json"))
    [(path, found)] = shown[""]["data"].items()
    assert path == "var/metrics/games/evaluate.json"
    assert found["data"]["model"]["macro_f1"] == report["model"]["macro_f1"]
    drawn = dvc(settings, "plots", "show", "--json")
    assert {name.rpartition("/")[2] for name in json.loads(drawn)["data"]} >= {"confusion.csv", "reliability.csv", *PICTURES}


@pytest.mark.slow
def test_the_runs_page_has_all_of_it(evaluated):
    settings, report = evaluated
    mlflow_client = tracking.client(settings)
    metrics = mlflow_client.get_run(report["run_id"]).data.metrics
    assert metrics["test_macro_f1"] == pytest.approx(report["model"]["macro_f1"])
    assert metrics["test_macro_f1_low"] <= metrics["test_macro_f1"] <= metrics["test_macro_f1_high"]
    assert {artifact.path.rpartition("/")[2] for artifact in mlflow_client.list_artifacts(report["run_id"], "evaluate")} >= {*PICTURES, "report.json"}
    model = mlflow_client.get_logged_model(registry.version_numbered(settings, "games", report["model_version"]).model_id)
    assert {metric.key for metric in model.metrics} >= {"test_macro_f1", "latency_single_p50_ms"}


@pytest.mark.slow
def test_a_model_of_another_data_set_and_a_broken_one_are_refused(tmp_path):
    settings = project_with_registry(tmp_path / "project")
    register(settings, "good")
    knowing_baseline().save(settings.model("games") / baseline.FILE)
    folder = settings.model("games") / "export"
    whole = (folder / "model.int8.onnx").read_bytes()
    (folder / "model.int8.onnx").write_bytes(whole[:-9])
    with pytest.raises(ModelError, match=r"model\.int8\.onnx has sha256"):
        evaluate("games", settings=settings, params=PARAMS)
    (folder / "model.int8.onnx").write_bytes(whole)
    (settings.dataset("games") / "leaks.json").write_text("{}")
    with pytest.raises(DatasetError, match="train on it first"):
        evaluate("games", settings=settings, params=PARAMS)
    assert not (settings.root / "metrics").exists()
