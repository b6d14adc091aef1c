"""Train: the same rows give the same model, everything about it is in MLflow, and whatever goes wrong leaves what was there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_base, tiny_dataset

from groundswell import finetune, registry, tracking
from groundswell.baseline import fit, load
from groundswell.card import _recipe
from groundswell.encoder import load_tokenizer
from groundswell.errors import DatasetError, ModelError, RegistryError
from groundswell.params import TrainParams
from groundswell.predictor import Predictor
from groundswell.settings import Settings
from groundswell.train import _finetuned, _read, _token_ids, train
from groundswell.versions import directory_md5
from groundswell.warm_start import Origin

ARTIFACTS = {"curves.png", "confusion_matrix.png", "baseline.npz", "card.md", "report.json"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a data set, a base beside it and an empty registry."""
    folder = tmp_path_factory.mktemp("home")
    tiny_dataset(folder / "var" / "dataset" / "games")
    tiny_base(folder / "base")
    return folder


def _settings(folder):
    return Settings(home=folder / "var", mlflow_uri="")


def _params(folder, **changes):
    quick = {"base": str(folder / "base"), "epochs": 4, "learning_rate": 2e-2, "threads": 1, "min_int8_agreement": 0.5, "early_stopping_patience": 0}
    return TrainParams(**{**quick, **changes})


@pytest.fixture(scope="module")
def trained(home):
    """(settings, first report, its files, second report): trained twice on the same rows."""
    settings, params = _settings(home), _params(home)
    reports, folders = [], []
    for number in range(2):
        reports.append(train("games", settings=settings, params=params))
        folders.append(shutil.copytree(settings.model("games"), home / f"model{number}"))
    return settings, reports, folders


def test_the_baseline_is_kept_as_arrays_and_says_the_same(tmp_path):
    texts, labels = ["so great", "great fun", "so awful", "awful bugs", "a list", "list of bugs"] * 3, np.array([2, 2, 0, 0, 1, 1] * 3)
    fitted = fit(texts, labels, seed=1)
    fitted.save(tmp_path / "baseline.npz")
    asked = ["great great", "", "\ud83d \0", "awful list"]
    assert np.array_equal(fitted.predict(asked), load(tmp_path / "baseline.npz").predict(asked))
    assert fitted.predict(["so great"]).argmax() == 2
    assert np.allclose(fitted.predict(asked).sum(axis=1), 1)
    assert {label: words[0][0] for label, words in fitted.top_words(1).items()} == {"negative": "awful", "neutral": "list", "positive": "great"}


def test_the_baseline_of_two_classes_never_says_the_third():
    said = fit(["so great", "great fun", "so awful", "awful bugs"] * 3, np.array([2, 2, 0, 0] * 3), seed=1).predict(["great", "awful"])
    assert said.argmax(axis=1).tolist() == [2, 0]
    assert np.allclose(said[:, 1], 0)


def test_one_class_is_no_data_set():
    with pytest.raises(DatasetError, match="one class only"):
        fit(["a b", "b c"], np.array([1, 1]), seed=1)


def test_word_pieces_come_from_the_cache_and_are_what_the_tokenizer_gives(home):
    data, tokenizer = _read(_settings(home).dataset("games")), load_tokenizer("packaged")
    for length in (8, 96):
        assert _token_ids(data, "train", tokenizer, length, True) == _token_ids(data, "train", tokenizer, length, False)


def test_without_a_data_set_it_says_what_to_do(tmp_path):
    with pytest.raises(DatasetError, match="run groundswell prepare first"):
        train("games", settings=_settings(tmp_path), params=TrainParams())


def test_bf16_is_as_told_or_where_the_processor_has_it():
    assert finetune.uses_bf16(TrainParams(bf16="on")) is True
    assert finetune.uses_bf16(TrainParams(bf16="off")) is False
    flags = Path("/proc/cpuinfo").read_text()
    assert finetune.uses_bf16(TrainParams(bf16="auto")) == ("avx512_bf16" in flags or "amx_tile" in flags)


def test_the_card_says_by_which_recipe():
    assert _recipe(TrainParams()) == ""
    assert _recipe(TrainParams(layer_decay=0.9, emoji="named", learning_rate=1.0)) == ", emoji named, layer decay 0.9"


@pytest.mark.slow
def test_teachers_are_asked_of_the_rows_that_train_has_by_their_groups(home, tmp_path, monkeypatch):
    from groundswell.approaches import teachers

    data, asked = _read(_settings(home).dataset("games")), []
    monkeypatch.setattr(teachers, "answers", lambda learn, params, scratch: asked.append(learn) or np.eye(3)[learn.labels])
    params = _params(home, distillation=0.5, epochs=1)
    _finetuned(data, tmp_path, Origin(params), lambda step, numbers: None)
    assert [(learn.texts, learn.groups) for learn in asked] == [(data.train.texts, data.train.table["group"].to_pylist())]


@pytest.mark.slow
def test_the_same_rows_and_seed_give_the_same_model(trained):
    _, reports, (one, other) = trained
    differing = {
        path.relative_to(one).as_posix()
        for path in one.rglob("*")
        if path.is_file() and path.read_bytes() != (other / path.relative_to(one)).read_bytes()
    }
    assert differing == {"train.json", "export/config.json", "export/manifest.json"}
    configs = [json.loads((folder / "export" / "config.json").read_text()) for folder in (one, other)]
    assert {name for name in configs[0] if configs[0][name] != configs[1][name]} == {"run_id"}
    assert {name for name in reports[0] if reports[0][name] != reports[1][name]} == {"run_id", "model_version"}


@pytest.mark.slow
def test_it_has_learnt(trained):
    settings, reports, (folder, _) = trained
    assert reports[0]["metrics"]["macro_f1"] > 0.9
    assert (Predictor.load(folder / "export").predict(["the game great love it", "the map crash awful it"]).argmax(axis=1) == [2, 0]).all()


@pytest.mark.slow
def test_the_report_is_the_contract(trained):
    settings, (report, _), (folder, _) = trained
    assert json.loads((folder / "train.json").read_text()) == report
    assert set(report["metrics"]) == set(report["baseline"]) == {"accuracy", "macro_f1", "macro_recall", "roc_auc", "ece", "log_loss"}
    assert report["dataset_md5"] == directory_md5(settings.dataset("games"))
    assert (report["stage"], report["topic"], report["model_name"]) == ("train", "games", "groundswell-sentiment-games")
    assert report["agreement"]["fp32"]["label_agreement"] == 1
    assert settings.report("train", "games").exists()


@pytest.mark.slow
def test_everything_about_the_run_is_in_mlflow(trained):
    settings, (report, _), _ = trained
    mlflow_client = tracking.client(settings)
    run = mlflow_client.get_run(report["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.params["learning_rate"] == "0.02"
    assert run.data.tags["dataset_md5"] == report["dataset_md5"]
    assert len(run.data.tags["git_commit"]) == 40
    assert [one.dataset.digest for one in run.inputs.dataset_inputs] == [report["dataset_md5"]]
    assert {artifact.path.rpartition("/")[2] for artifact in mlflow_client.list_artifacts(report["run_id"], "train")} == ARTIFACTS
    losses = mlflow_client.get_metric_history(report["run_id"], "loss")
    assert len(losses) > 10
    assert losses[-1].value < losses[0].value
    assert [one.step for one in mlflow_client.get_metric_history(report["run_id"], "validation_macro_f1")] == [8, 16, 24, 32]
    environment = json.loads(Path(mlflow_client.download_artifacts(report["run_id"], "environment.json")).read_text())
    assert environment["threads"] == 1
    assert set(environment["packages"]) >= {"torch", "transformers"}


@pytest.mark.slow
def test_the_newest_is_challenger_and_its_export_is_the_one_that_was_left_here(trained, tmp_path):
    settings, (_, report), (_, folder) = trained
    challenger = registry.version_by_alias(settings, "games", registry.CHALLENGER)
    assert (challenger.version, challenger.run_id) == (report["model_version"], report["run_id"])
    assert challenger.tags.items() >= {"topic": "games", "dataset_md5": report["dataset_md5"], "git_commit": report["git_commit"]}.items()
    fetched = registry.download_export(settings, "games", challenger.version, tmp_path / "export")
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == {path.name: path.read_bytes() for path in (folder / "export").iterdir()}


@pytest.mark.slow
def test_mlflow_runs_the_model_without_torch(trained):
    """As any user of MLflow would, from a folder where groundswell is not: the code that travels with the model is enough."""
    settings, (_, report), (_, folder) = trained
    tracked = registry.version_by_alias(settings, "games", registry.CHALLENGER)
    [model] = (settings.root / "mlflow" / "artifacts").glob(f"**/{tracked.model_id}/artifacts")
    code = f"""
import json, sys
sys.path = [path for path in sys.path if "groundswell" not in path]
sys.meta_path = [finder for finder in sys.meta_path if "groundswell" not in str(finder)]
import mlflow, pandas
model = mlflow.pyfunc.load_model({str(model)!r})
answers = model.predict(pandas.DataFrame({{"text": ["the game great love it", "", "the map crash awful it"]}}))
import groundswell.predictor
print(json.dumps([answers.to_dict("list"), "torch" in sys.modules, groundswell.predictor.__file__]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    answers, has_torch, where = json.loads(done.stdout.splitlines()[-1])
    assert not has_torch
    assert "/artifacts/code/groundswell/" in where
    expected = Predictor.load(folder / "export").predict(["the game great love it", "", "the map crash awful it"])
    assert np.allclose(np.array([answers[label] for label in ("negative", "neutral", "positive")]).T, expected)
    assert answers["label"][0] == "positive"
    requirements = (model / "requirements.txt").read_text()
    assert "onnxruntime==" in requirements
    assert "torch" not in requirements


@pytest.mark.slow
def test_a_base_that_can_not_be_had_fails_the_run_and_leaves_the_model_that_was_there(trained, home, monkeypatch):
    settings, (_, report), _ = trained
    before = directory_md5(settings.model("games"))
    with pytest.raises(ModelError, match="nowhere"):
        train("games", settings=settings, params=_params(home, base=str(home / "nowhere")))
    assert directory_md5(settings.model("games")) == before
    assert registry.version_by_alias(settings, "games", registry.CHALLENGER).version == report["model_version"]
    statuses = [run.info.status for run in tracking.client(settings).search_runs([tracking.ensure_experiment(settings, "games")])]
    assert sorted(statuses) == ["FAILED", "FINISHED", "FINISHED"]
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    down = Settings(home=settings.home, mlflow_uri="http://127.0.0.1:9")
    with pytest.raises(RegistryError, match="is it up"):
        train("games", settings=down, params=_params(home))
    assert directory_md5(settings.model("games")) == before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_the_middle_and_run_again_it_ends_in_the_same_bytes(trained, home, tmp_path, number):
    _, _, (expected, _) = trained
    shutil.copytree(home / "var" / "dataset", tmp_path / "var" / "dataset")
    settings = _settings(tmp_path)
    tracking.ensure_experiment(settings, "games")
    code = f"""
import logging, sys
logging.basicConfig(level="INFO", stream=sys.stderr)
from groundswell.params import TrainParams
from groundswell.settings import Settings
from groundswell.train import train
params = TrainParams.model_validate_json({_params(home).model_dump_json()!r})
train("games", settings=Settings(home={str(tmp_path / "var")!r}, mlflow_uri=""), params=params)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    for line in process.stderr:
        if "step 12/32" in line:
            process.send_signal(number)
            break
    process.stderr.close()
    assert process.wait(60) != 0
    assert not settings.model("games").exists()
    _status_soon(settings, {"RUNNING" if number == signal.SIGKILL else "KILLED"})
    again = train("games", settings=settings, params=_params(home))
    _status_soon(settings, {"KILLED", "FINISHED"})
    found = settings.model("games")
    same = {"model.onnx", "model.int8.onnx", "profile.parquet", "trained_on.npy", "trained_rows.npy", "tokenizer.json", "card.md"}
    assert all((found / "export" / name).read_bytes() == (expected / "export" / name).read_bytes() for name in same)
    assert [path.name for path in found.parent.iterdir()] == ["games"], "nothing half-written is left"
    assert again["model_version"] == "1"


def _status_soon(settings, expected):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = {run.info.status for run in tracking.client(settings).search_runs([tracking.ensure_experiment(settings, "games")])}
        if found == expected:
            return
        time.sleep(0.2)
    raise AssertionError(f"expected runs {expected}, found {found}")


@pytest.mark.slow
def test_the_packaged_encoder_is_trained_by_the_same_code(home, tmp_path):
    shutil.copytree(home / "var" / "mlflow", tmp_path / "var" / "mlflow") if (home / "var" / "mlflow").exists() else None
    tiny_dataset(tmp_path / "var" / "dataset" / "games", train=96, validation=30, test=30)
    report = train("games", settings=_settings(tmp_path), params=TrainParams(epochs=2, learning_rate=3e-4, threads=1, evaluations_per_epoch=2))
    assert report["metrics"]["macro_f1"] > 0.9
    assert report["agreement"]["int8"]["label_agreement"] >= 0.95
    card = (tmp_path / "var" / "model" / "games" / "export" / "card.md").read_text()
    assert "the packaged MiniLM-L6 encoder as a DistilBERT" in card
    assert report["run_id"] not in card
