"""Compare: the whole stage with scripted approaches in real child processes, real MLflow, kills, budgets and failures."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from groundswell import approaches, nested, runs, tracking
from groundswell.compare import compare
from groundswell.errors import DatasetError, ModelError, ParamsError, UnknownName
from groundswell.params import CompareParams, CompareRow, TrainParams
from groundswell.settings import Settings
from tests.tiny import tiny_dataset

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(project=tmp_path_factory.mktemp("compare"), home=Path("var"), mlflow_uri="")


@pytest.fixture
def topic(settings, request):
    """A topic of its own for each test; they share the registry, which takes seconds to make."""
    return made(settings, request.node.name.replace("_", "-")[5:45])


def made(settings, topic):
    tiny_dataset(settings.dataset(topic), train=300, validation=60)
    (settings.dataset(topic) / "test.parquet").write_bytes(b"nobody may look into this")
    return topic


def row(name, model="naive_bayes", features="bag_of_words", **options):
    return CompareRow(name=name, model=model, features=features, options=options)


def compared(settings, topic, *rows, **more):
    params = CompareParams(rows=list(rows), curves=more.pop("curves", []), bootstrap_samples=200, folds=2)
    return compare(topic, settings=settings, params=params, train=TrainParams(threads=1), similarity=0.8, maker="tests.approaches:make", **more)


def row_of(report, name):
    return next(one for one in report["rows"] if one["name"] == name)


def trials(settings, topic):
    return {path.name: path.stat().st_mtime_ns for path in (settings.root / "compare" / topic).rglob("trials/*.npz")}


@pytest.fixture(scope="module")
def report(settings):
    """Of a comparison that tests only read."""
    topic = made(settings, "read-only")
    rows = [row("good", right=0.9), row("twin", right=0.9, noise="good"), row("poor", right=0.6), row("seeded", "forest", right=0.9, by_seed=1)]
    return compared(settings, topic, *rows)


def test_one_table_of_all_with_intervals_costs_and_what_separates_them(settings, report):
    assert [one["name"] for one in report["rows"]] == ["good", "twin", "seeded", "poor"]
    assert {one["name"]: one["against_best"]["says"] for one in report["rows"]} == {
        "good": "best",
        "twin": "indistinguishable",
        "seeded": "worse",
        "poor": "worse",
    }
    seeded = row_of(report, "seeded")["macro_f1"]
    assert list(seeded["by_seed"]) == ["1", "2", "3"]
    assert seeded["mean"] == pytest.approx(np.mean(list(seeded["by_seed"].values())), abs=1e-5)
    assert seeded["by_seed"]["1"] > seeded["by_seed"]["3"]
    for one in report["rows"]:
        assert one["low"] < one["mean"] < one["high"] if (one := one["macro_f1"]) else None
    assert all(one["posts_per_second"] > 0 and one["train_seconds"] > 0 and one["size_bytes"] == 1234 for one in report["rows"])
    assert report["folds"]["rows"] == 360
    written = json.loads(settings.report("compare", "read-only").read_text())
    assert written == json.loads(json.dumps(report))
    page = (settings.root / report["page"]).read_text()
    assert all(one["name"] in page for one in report["rows"])
    assert "<script" not in page


def test_runs_say_what_the_table_says(settings, report):
    parent = runs.read_run(settings, report["run_id"])
    assert (parent.status, parent.tags["best"], parent.tags["folds_digest"]) == ("FINISHED", "good", report["folds"]["digest"])
    assert runs.read_json(settings, report["run_id"], "compare/report.json") == json.loads(json.dumps(report))
    for one in report["rows"]:
        run = runs.read_run(settings, one["run_id"])
        assert run.tags["mlflow.parentRunId"] == report["run_id"]
        assert run.metrics["macro_f1"] == one["macro_f1"]["mean"]
        assert run.tags["says"] == one["against_best"]["says"]
        assert (run.params["model"], run.params["options.right"]) == (one["model"], str(one["options"]["right"]))
        assert run.tags["dataset_md5"] == report["dataset_md5"]
    names = {entry.path for entry in tracking.client(settings).list_artifacts(report["run_id"], "compare")}
    assert names == {"compare/report.json", "compare/page.html", "compare/pareto.svg"}


def test_what_was_done_is_not_done_again_and_the_run_is_continued(settings, topic):
    report = compared(settings, topic, row("good", right=0.9), row("seeded", "forest", right=0.8))
    before = trials(settings, topic)
    assert len(before) == 2 * (1 + 3)
    again = compared(settings, topic, row("good", right=0.9), row("renamed", "forest", right=0.8), row("new", right=0.5))
    assert again["run_id"] == report["run_id"]
    after = trials(settings, topic)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 2
    assert row_of(again, "good")["run_id"] == row_of(report, "good")["run_id"]


def test_rows_picked_by_name_join_those_that_are_done(settings, topic):
    rows = [row("one", right=0.9), row("two", right=0.8), row("three", right=0.7)]
    assert [one["name"] for one in compared(settings, topic, *rows, only=["two"])["rows"]] == ["two"]
    assert [one["name"] for one in compared(settings, topic, *rows, only=["three"])["rows"]] == ["two", "three"]
    with pytest.raises(UnknownName, match="no row 'tow'; did you mean 'two'"):
        compared(settings, topic, *rows, only=["tow"])


def test_a_row_that_fails_says_why_and_the_others_go_on(settings, topic, caplog):
    ends = {
        "raise": "ValueError at approaches.py",
        "crash": "SIGABRT",
        "killed": "memory",
        "exit": "exit status 3",
        "import": "no_such_package_of_anybodys can't",
    }
    found = compared(settings, topic, *(row(f"does-{how}", end=how) for how in ends), row("good", right=0.9))
    assert [one["status"] for one in found["rows"]] == ["done", *["failed"] * len(ends)]
    for how, why in ends.items():
        assert why in row_of(found, f"does-{how}")["why"]
        assert runs.read_run(settings, row_of(found, f"does-{how}")["run_id"]).status == "FAILED"
    assert "the game" not in json.dumps(found)  # one quoted a post in its error
    assert "the game" not in caplog.text


def test_a_comparison_in_which_nothing_could_be_done_is_refused(settings, topic):
    with pytest.raises(ModelError, match="no row was done.*SIGABRT"):
        compared(settings, topic, row("only", end="crash"))
    assert not settings.report("compare", topic).exists()


def test_what_would_not_fit_the_budget_is_left_and_done_the_next_time(settings, topic):
    known, alike = row("known", "svm", right=0.9, slow=1.5), row("alike", "svm", right=0.8)
    compared(settings, topic, known)
    found = compared(settings, topic, known, alike, row("unknown", "vader", "text", slow=60), budget_seconds=2.5)
    assert [(one["name"], one["status"]) for one in found["rows"]] == [("known", "done"), ("alike", "left: budget"), ("unknown", "left: budget")]
    assert "2 fits to go would take about" in row_of(found, "alike")["why"]
    assert "2 fits to go, 0 s of the budget were left" in row_of(found, "unknown")["why"]
    for name in ("alike", "unknown"):
        assert "macro_f1" not in row_of(found, name)
        assert runs.read_run(settings, row_of(found, name)["run_id"]).status == "KILLED"
    assert row_of(compared(settings, topic, known, alike), "alike")["status"] == "done"


def test_a_row_that_peeks_wins_and_a_curve_rises(settings, topic):
    found = compared(settings, topic, row("honest", right=0.7), row("peeks", right=1.0, needs=100), curves=["peeks"])
    assert found["best"] == "peeks"
    assert row_of(found, "honest")["against_best"]["says"] == "worse"
    [curve] = found["curves"]
    points = curve["points"]
    assert [point["labels"] for point in points] == sorted(point["labels"] for point in points)
    assert [round(point["macro_f1"]) for point in points] == [0, 0, 0, 1]
    assert len(points) == 4


def test_memory_is_over_a_bare_process_and_of_the_row_alone(settings, topic):
    found = compared(settings, topic, row("thin", right=0.9), row("fat", right=0.8, megabytes=200))
    assert row_of(found, "thin")["peak_memory_bytes"] < 30e6
    assert 200e6 < row_of(found, "fat")["peak_memory_bytes"] < 240e6


def test_another_data_set_is_another_comparison(settings, topic):
    report = compared(settings, topic, row("good", right=0.9))
    tiny_dataset(settings.dataset(topic), train=300, validation=60, seed=3)
    other = compared(settings, topic, row("good", right=0.9))
    assert other["run_id"] != report["run_id"]
    assert other["folds"]["digest"] != report["folds"]["digest"]


@pytest.mark.parametrize(
    ("model", "features", "options", "says"),
    [
        ("logistic", "tfidf", {"min_dff": 3}, "wrong: option 'min_dff' is none of tfidf and logistic; did you mean 'min_df'"),
        ("svm", "char_ngrams", {"char_min": 6}, r"wrong: option 'char_min': expected at most char_max \(5\), found 6"),
        ("self_attention", "learnt", {"heads": 3}, r"option 'hidden': expected a multiple of twice the heads \(6\), found 128"),
        ("distilbert", "text", {"layer_decay": 1.5}, "option 'layer_decay': .* less than or equal to 1, found 1.5"),
        ("distilbert_lora", "text", {"targets": "q_line"}, "option 'targets': a block has no layer 'q_line'; did you mean 'q_lin'"),
        ("logistic", "vectors", {}, "compare.vectors: wrong reads a file of word vectors: expected one, found none named"),
    ],
)
def test_what_can_not_be_built_is_known_without_building_it(model, features, options, says):
    with pytest.raises(ParamsError, match=says):
        approaches.check([row("good"), row("wrong", model, features, **options)], TrainParams(), None)


_WRONG = """
topic: games
topics: {games: {}}
compare: {curves: [], rows: [{name: lexicon, model: vader}, {name: wrong, features: tfidf, model: logistic, options: {min_dff: 3}}]}
"""


@pytest.mark.parametrize("command", [("compare",), ("tune", "--row", "wrong")], ids=lambda command: command[0])
def test_an_option_that_a_row_can_not_have_is_refused_before_anything_is_begun(tmp_path, command):
    made(Settings(project=tmp_path, home=Path("var"), mlflow_uri=""), "games")
    (tmp_path / "params.yaml").write_text(_WRONG)
    before = sorted(tmp_path.rglob("*"))
    own = {name: value for name, value in os.environ.items() if not name.startswith("GROUNDSWELL")}
    environment = {**own, "GROUNDSWELL_PROJECT": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-m", "groundswell.cli", *command], env=environment, capture_output=True, text=True, check=False)
    said = "groundswell: compare.rows: wrong: option 'min_dff' is none of tfidf and logistic; did you mean 'min_df'?\n"
    assert (done.returncode, done.stderr) == (2, said)
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_data_set_nothing_is_begun(settings):
    with pytest.raises(DatasetError, match="run groundswell prepare --topic nowhere first"):
        compared(settings, "nowhere", row("good"))


_SCRIPT = """
import logging, sys
from pathlib import Path
logging.basicConfig(level="INFO")
from groundswell.settings import Settings
from tests.test_compare import compared, row
settings = Settings(project=Path(sys.argv[1]), home=Path("var"), mlflow_uri="")
print(compared(settings, sys.argv[2], row("slow", "forest", right=0.9, slow=0.7))["run_id"])
"""


def test_a_kill_loses_one_fit_at_most(settings, topic):
    tracking.ensure_experiment(settings, f"{topic}-compare")
    command = [sys.executable, "-c", _SCRIPT, str(settings.project), topic]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    limit = time.monotonic() + 120
    while len(trials(settings, topic)) < 3 and time.monotonic() < limit:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)
    kept = trials(settings, topic)
    assert 3 <= len(kept) <= 4, "the child must have died with its parent"
    [running] = [nested.known(settings, f"{topic}-compare", {"stage": "compare"})]
    assert runs.read_run(settings, running).status == "RUNNING"
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    after = trials(settings, topic)
    assert {name: after[name] for name in kept} == kept
    assert len(after) == 6
    assert done.stdout.strip() == running
    assert runs.read_run(settings, running).status == "FINISHED"
