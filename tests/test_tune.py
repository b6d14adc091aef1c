"""tune: a study on validation alone, that goes on where it was, says what it found and how little that is sure, and is all in MLflow."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import tiny
import yaml
from models import project_with_registry, put_posts, register

from groundswell import runs, tracking
from groundswell.errors import DatasetError, ModelError, ParamsError
from groundswell.params import CompareParams, CompareRow, TrainParams, TuneParams
from groundswell.settings import Settings
from groundswell.tune import tune
from groundswell.tuned import read, written

pytestmark = pytest.mark.slow

FOREST = CompareRow(name="forest", features="tfidf", model="forest", options={"trees": 1, "min_leaf": 40, "min_df": 1})
"""Today's values: a stump, which almost anything is better than."""
NETWORK = CompareRow(name="distilbert", model="distilbert")
PARAMS = TuneParams(trials=5, startup_trials=2, confirm_seeds=[7], bootstrap_samples=200)


def train_params(home):
    """Values that the tiny model learns by: most others are behind, and pruned."""
    return TrainParams(base=str(home / "base"), learning_rate=0.02, epochs=3, threads=1, bf16="off")


def settings_of(home):
    return Settings(project=home, home=home / "var", mlflow_uri="")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project with a tiny base and a data set whose test split nobody can read."""
    folder = tmp_path_factory.mktemp("tune")
    tiny.tiny_base(folder / "base")
    dataset = tiny.tiny_dataset(folder / "var" / "dataset" / "games", train=160, validation=60)
    for path in (dataset / "test.parquet", dataset / "tokens" / "test.parquet"):
        path.write_bytes(b"no Parquet: whoever reads this fails")
    return folder


def tune_at(home, row, *, base=None, params=PARAMS, train=None, clock=time.monotonic):
    train = train or train_params(base or home)
    return tune("games", settings=settings_of(home), params=params, train=train, row=row, clock=clock)


@pytest.fixture(scope="module")
def tuned(home):
    return tune_at(home, FOREST)


@pytest.fixture(scope="module")
def network(home, tuned):
    """After ``tuned``, whose report and page lie there until then."""
    kept = [(path, path.read_bytes()) for path in settings_of(home).report("tune", "games").parent.iterdir()]
    report = tune_at(home, NETWORK)
    for path, content in kept:
        path.write_bytes(content)
    return report


def test_the_report_says_what_was_found_and_how_sure_it_is(home, tuned):
    assert json.loads(settings_of(home).report("tune", "games").read_text()) == tuned
    assert sum(tuned["trials"].values()) == PARAMS.trials
    assert tuned["default"]["trial"] == 0
    assert tuned["default"]["params"].items() >= {"trees": 1, "min_leaf": 40}.items()
    assert tuned["best"]["macro_f1"] > tuned["default"]["macro_f1"]
    difference = tuned["difference"]
    assert difference["estimate"] == pytest.approx(tuned["best"]["macro_f1"] - tuned["default"]["macro_f1"], abs=1e-5)
    assert difference["low"] <= difference["estimate"] <= difference["high"]
    assert tuned["fresh_seeds"]["seeds"] == [7]
    assert tuned["fresh_seeds"]["best"] > tuned["fresh_seeds"]["default"]
    assert tuned["says"] == "better than today's values with fresh seeds too"


def test_the_values_can_be_pasted_into_params(tuned, network):
    rows = CompareParams.model_validate({**yaml.safe_load(tuned["yaml"])["compare"], "curves": []}).rows
    assert rows[0].options.items() >= tuned["best"]["params"].items()
    pasted = yaml.safe_load(network["yaml"])["train"]
    assert pasted == network["best"]["params"]
    TrainParams.model_validate(pasted)


def test_trials_that_are_behind_are_pruned_while_they_learn(home, network):
    assert network["trials"]["pruned"] >= 1
    [pruned, *_] = [one for one in _nested(home, network) if one.data.tags["pruned"] == "true"]
    history = tracking.client(settings_of(home)).get_metric_history(pruned.info.run_id, "validation_macro_f1")
    assert 1 <= len(history) < float(pruned.data.params["epochs"])
    assert "macro_f1" not in pruned.data.metrics
    assert network["best"]["macro_f1"] >= network["default"]["macro_f1"]


def test_a_sequence_network_is_pruned_by_the_rows_that_it_holds_out(home, tmp_path):
    shutil.copytree(home / "var" / "dataset", tmp_path / "var" / "dataset")
    quick = {"dimensions": 16, "hidden": 16, "learning_rate": 0.01, "epochs": 6, "patience": 0, "min_count": 1}
    row = CompareRow(name="lstm", features="learnt", model="lstm", options=quick)
    report = tune_at(tmp_path, row, base=home, params=PARAMS.model_copy(update={"trials": 6, "confirm_seeds": []}))
    assert report["trials"]["pruned"] >= 1
    lengths = {}
    for one in _nested(tmp_path, report):
        history = tracking.client(settings_of(tmp_path)).get_metric_history(one.info.run_id, "held_out_macro_f1")
        lengths.setdefault(one.data.tags["pruned"], set()).add(len(history))
    assert lengths["false"] == {6}
    assert max(lengths["true"]) < 6


def test_everything_is_in_mlflow(home, tuned):
    settings = settings_of(home)
    found = _nested(home, tuned)
    assert sorted(int(one.data.tags["trial"]) for one in found) == list(range(PARAMS.trials))
    assert {one.info.status for one in found} == {"FINISHED"}
    [best] = [one for one in found if one.data.tags["trial"] == str(tuned["best"]["trial"])]
    assert best.data.metrics["macro_f1"] == pytest.approx(tuned["best"]["macro_f1"], abs=1e-6)
    assert set(best.data.params) == set(tuned["space"])
    parent = runs.read_run(settings, tuned["run_id"])
    assert (parent.status, parent.tags["dataset_md5"], parent.tags["stage"]) == ("FINISHED", tuned["dataset_md5"], "tune")
    assert parent.metrics["best_macro_f1"] == pytest.approx(tuned["best"]["macro_f1"])
    artifacts = {entry.path for entry in tracking.client(settings).list_artifacts(tuned["run_id"], "tune")}
    assert artifacts >= {"tune/page.html", "tune/report.json", "tune/history.png"}


def test_the_page_says_that_the_best_is_flattered(home, tuned):
    page = settings_of(home).report("tune", "games").with_suffix(".html").read_text()
    assert "is flattered" in page
    assert "data:image/png;base64," in page
    assert f"{tuned['best']['macro_f1']:.4f}" in page
    assert "<script" not in page


def test_asked_for_no_more_trials_it_tries_none_and_for_more_only_those(home, tuned):
    logged = len(_nested(home, tuned))
    assert tune_at(home, FOREST) == tuned
    assert len(_nested(home, tuned)) == logged
    more = tune_at(home, FOREST, params=PARAMS.model_copy(update={"trials": 6}))
    assert (more["study"], more["run_id"], sum(more["trials"].values())) == (tuned["study"], tuned["run_id"], 6)
    assert len(_nested(home, tuned)) == logged + 1


def test_other_values_beside_those_that_are_tried_are_another_study(home, tuned):
    row = FOREST.model_copy(update={"options": {**FOREST.options, "max_depth": 3}})
    other = tune_at(home, row, params=PARAMS.model_copy(update={"trials": 1}))
    assert other["study"] != tuned["study"]
    assert (other["says"], other["difference"]) == ("today's values are the best that was tried", None)


def test_killed_it_goes_on_where_it_was(home, network, tmp_path):
    shutil.copytree(home / "var" / "dataset", tmp_path / "var" / "dataset")
    settings = settings_of(tmp_path)
    code = f"""
import logging, sys
from pathlib import Path
logging.basicConfig(level="INFO", stream=sys.stderr)
from tests.test_tune import NETWORK, tune_at
tune_at(Path({str(tmp_path)!r}), NETWORK, base=Path({str(home)!r}))
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(["tests", *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=environment)
    seen = []
    for line in process.stderr:
        seen.append(line)
        if "step 2/" in line and any("trial 1, 2 of 5" in one for one in seen):
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait(60) == -signal.SIGKILL, "".join(seen[-20:])
    again = tune_at(tmp_path, NETWORK, base=home)
    assert (again["taken_up_after_a_kill"], again["trials"]) == (1, network["trials"])
    for who in ("best", "default"):
        assert again[who]["params"] == network[who]["params"]
        assert again[who]["macro_f1"] == network[who]["macro_f1"], "the same values in the same order, as if nothing had been"
    experiment = tracking.ensure_experiment(settings, "games-tune")
    parents = [run for run in tracking.client(settings).search_runs([experiment]) if "mlflow.parentRunId" not in run.data.tags]
    assert [run.info.status for run in parents] == ["FINISHED"], "the same run, taken up"
    assert sorted(run.info.status for run in _nested(tmp_path, again)) == ["FINISHED"] * 5 + ["KILLED"]


class Clock:
    """Every look at it is a minute later."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        self.seconds += 60
        return self.seconds


def test_a_budget_ends_the_search_and_leaves_time_for_fresh_seeds(home, tmp_path):
    shutil.copytree(home / "var" / "dataset", tmp_path / "var" / "dataset")
    params = PARAMS.model_copy(update={"trials": 50, "budget_minutes": 20.0, "confirm_seeds": [7, 8, 9]})
    report = tune_at(tmp_path, FOREST, base=home, params=params, clock=Clock())
    assert 2 <= report["trials"]["complete"] < 12
    assert report["fresh_seeds"]["seeds"][0] == 7
    short = tune_at(tmp_path, FOREST, base=home, params=params.model_copy(update={"budget_minutes": 0.5, "seed": 2}), clock=Clock())
    assert short["trials"]["complete"] == 1, "today's values at least"
    assert short["fresh_seeds"] is None


def test_augmentation_is_of_the_rows_that_are_learnt_from(home, tmp_path):
    shutil.copytree(home / "var" / "dataset", tmp_path / "var" / "dataset")
    params = PARAMS.model_copy(update={"trials": 1})
    report = tune_at(tmp_path, FOREST.model_copy(update={"augmentation": "edits"}), base=home, params=params)
    assert report["trials"]["complete"] == 1
    with pytest.raises(DatasetError, match="found none"):
        tune_at(tmp_path, FOREST.model_copy(update={"augmentation": "weak_vader"}), base=home, params=params)


def test_the_champion_labels_posts_for_a_row_that_asks_for_it_and_another_champion_is_another_study(tmp_path):
    settings = project_with_registry(tmp_path / "project")
    put_posts(settings, tiny.tiny_rows(300, seed=91)[0])
    row, params = FOREST.model_copy(update={"augmentation": "weak_champion"}), PARAMS.model_copy(update={"trials": 1})
    train = TrainParams(threads=1)

    def study():
        report = tune("games", settings=settings, params=params, train=train, row=row)
        assert report["trials"] == {"complete": 1, "pruned": 0, "failed": 0}
        return report["study"]

    with pytest.raises(ModelError, match="there is no champion"):
        study()
    register(settings, "good", champion=True)
    first = study()
    assert study() == first, "it goes on with its own"
    register(settings, "better", champion=True)
    second = study()
    assert second != first, "other labels: numbers that can't be compared"
    put_posts(settings, tiny.tiny_rows(250, seed=92)[0])
    assert study() not in (first, second), "other posts"


def test_a_row_without_hyperparameters_is_refused(home):
    with pytest.raises(ParamsError, match="has none to tune"):
        tune_at(home, CompareRow(name="vader", model="vader"))


def test_answers_are_kept_as_digits(home):
    import numpy as np

    said = np.array([0, 2, 1, 1])
    assert written(said) == "0211"
    assert (read("0211") == said).all()


def _nested(home, report):
    settings = settings_of(home)
    experiment = tracking.ensure_experiment(settings, "games-tune")
    return tracking.client(settings).search_runs([experiment], f"tags.`mlflow.parentRunId` = '{report['run_id']}'")
