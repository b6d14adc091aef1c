"""Fine-tuning: the best weights stay, it stops when it gets no better, and the same rows and seed give the same weights."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_model, tiny_rows

from groundswell import finetune as module
from groundswell.errors import ModelError
from groundswell.finetune import Tokenised, finetune, prepare_torch
from groundswell.params import TrainParams

pytestmark = pytest.mark.slow  # torch, and a few trainings


def _tokenised(tokenizer, count, seed=0):
    texts, labels = tiny_rows(count, seed)
    return Tokenised(tokenizer(texts)["input_ids"], labels)


def _params(**changes):
    return TrainParams(**{"epochs": 2, "learning_rate": 2e-2, "threads": 1, **changes})


def _trained(folder, *, rows=None, observe=lambda step, numbers: None, model=None, **changes):
    """(model, history) of a tiny model."""
    params = _params(**changes)
    prepare_torch(params)
    made, tokenizer = tiny_model(0)
    model = model or made
    train, validation = rows or (_tokenised(tokenizer, 240), _tokenised(tokenizer, 60, 1))
    return model, finetune(model, tokenizer, train, validation, params=params, folder=folder, observe=observe)


def _weights(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def test_it_learns_and_says_how_far_it_is(tmp_path, caplog):
    told = []
    with caplog.at_level(logging.INFO, "groundswell.finetune"):
        model, history = _trained(tmp_path, epochs=4, observe=lambda step, numbers: told.append((step, numbers)))
    assert history[-1]["validation_macro_f1"] > 0.9
    assert [record["step"] for record in history if "validation_macro_f1" in record] == [8, 16, 24, 32]
    assert [(record["step"], set(record) - {"step", "epoch"}) for record in history] == [(step, set(numbers)) for step, numbers in told]
    losses = [record for record in history if "loss" in record]
    assert set(losses[0]) == {"step", "epoch", "loss", "learning_rate", "gradient_norm"}
    assert losses[-1]["loss"] < losses[0]["loss"]
    assert "step 32/32" in caplog.text
    assert "posts/s, 0 s left" in caplog.text
    assert not model.training
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())


def test_the_same_rows_and_seed_give_the_same_weights(tmp_path):
    one, other, another = (_weights(_trained(tmp_path / str(number), seed=seed)[0]) for number, seed in enumerate((1, 1, 2)))
    assert all(one[name].equal(other[name]) for name in one)
    assert not all(one[name].equal(another[name]) for name in one)


def test_the_weights_of_the_best_evaluation_are_kept_and_it_stops_when_patience_ends(tmp_path):
    """Labels of the training rows say the contrary of validation's: every step makes it worse, so that the first evaluation is the best."""
    _, tokenizer = tiny_model(0)
    train, validation = _tokenised(tokenizer, 320), _tokenised(tokenizer, 60, 1)
    wrong = Tokenised(train.ids, (train.labels + 1) % 3)
    seen = []
    taught, _ = tiny_model(0, steps=60)
    model, history = _trained(
        tmp_path,
        model=taught,
        rows=(wrong, validation),
        epochs=6,
        evaluations_per_epoch=5,
        early_stopping_patience=2,
        observe=lambda step, numbers: seen.append(_weights(taught)) if "validation_loss" in numbers else None,
    )
    scores = [record["validation_macro_f1"] for record in history if "validation_macro_f1" in record]
    best = int(np.argmax(scores))
    assert len(scores) == best + 3 < 30
    kept = _weights(model)
    assert all(kept[name].equal(seen[best][name]) for name in kept)
    assert not all(kept[name].equal(seen[-1][name]) for name in kept)


def test_what_teachers_say_is_learnt_row_by_row(tmp_path):
    """The labels of all rows say one thing, the teachers what is right: whoever mixed up the rows would learn nothing."""
    _, tokenizer = tiny_model(0)
    train, validation = _tokenised(tokenizer, 240), _tokenised(tokenizer, 60, 1)
    taught = Tokenised(train.ids, np.zeros_like(train.labels), np.eye(3)[train.labels])
    _, history = _trained(tmp_path, rows=(taught, validation), epochs=4, distillation=1.0)
    assert history[-1]["validation_macro_f1"] > 0.9


def test_patience_counts_from_where_the_mean_of_weights_begins(tmp_path):
    """Nothing gets better from the first evaluation on: without a mean it stops after two more, with one not before the mean was looked at."""
    stuck = {"epochs": 5, "learning_rate": 1e-9, "early_stopping_patience": 2, "evaluations_per_epoch": 2}
    _, plain = _trained(tmp_path / "plain", **stuck)
    _, averaged = _trained(tmp_path / "averaged", average_last=0.5, **stuck)
    looked = [[record["step"] for record in history if "validation_macro_f1" in record] for history in (plain, averaged)]
    assert looked[0] == [4, 8, 12]
    assert looked[1] == list(range(4, 37, 4)), "the first mean is of step 30"


def test_teachers_that_nobody_asked_are_missed(tmp_path):
    with pytest.raises(ModelError, match="nobody asked the teachers"):
        _trained(tmp_path, distillation=0.5)


def test_without_patience_it_never_stops(tmp_path):
    _, history = _trained(tmp_path, epochs=3, learning_rate=1e-9, early_stopping_patience=0)
    assert history[-1]["step"] == 24


def test_only_what_learns_is_changed(tmp_path):
    model, _ = tiny_model(0)
    model.distilbert.requires_grad_(False)
    before = _weights(model)
    _trained(tmp_path, model=model)
    after = _weights(model)
    assert {name for name in after if not after[name].equal(before[name])} == {
        f"{layer}.{kind}" for layer in ("pre_classifier", "classifier") for kind in ("weight", "bias")
    }
    assert not any(weight.requires_grad for weight in model.distilbert.parameters())


def test_dense_and_by_rows_it_is_the_same_training(tmp_path, monkeypatch):
    """On a GPU the whole table is stepped: the way taken there, on a CPU and without dropout, ends in the same answers."""
    from groundswell import forward, optimiser

    monkeypatch.setattr(forward.Dropout, "__call__", lambda self, values, share: values)
    by_rows = _trained(tmp_path / "rows", bf16="off", learning_rate=2e-3)[1]
    plain = optimiser.Optimiser
    monkeypatch.setattr(optimiser, "Optimiser", lambda groups, table: plain(groups, None))
    dense = _trained(tmp_path / "dense", bf16="off", learning_rate=2e-3)[1]
    for one, other in zip(by_rows, dense, strict=True):
        assert one.get("loss", 0) == pytest.approx(other.get("loss", 0), rel=2e-3, abs=1e-3)


def test_a_loss_that_is_no_number_ends_it(tmp_path):
    with pytest.raises(ModelError, match="the loss is nan at step .* lower train.learning_rate"):
        _trained(tmp_path, learning_rate=1e30, weight_decay=0)


def test_balanced_classes_reach_the_loss(tmp_path):
    _, tokenizer = tiny_model(0)
    rows = _tokenised(tokenizer, 200)
    few = np.flatnonzero((rows.labels != 0) | (np.arange(200) % 10 == 0))
    rows = Tokenised([rows.ids[place] for place in few], rows.labels[few]), _tokenised(tokenizer, 60, 1)
    first = [_trained(tmp_path, rows=rows, class_weights=weights, epochs=1)[1][0]["loss"] for weights in ("none", "balanced")]
    assert first[0] != pytest.approx(first[1], rel=1e-3)


def test_compiled_is_as_told_or_where_there_is_a_gpu():
    import torch

    assert module.uses_compile(TrainParams(compile="on"))
    assert not module.uses_compile(TrainParams(compile="off"))
    assert module.uses_compile(TrainParams(compile="auto")) == torch.cuda.is_available()


def test_two_processes_take_the_steps_of_one(tmp_path):
    """By accelerate launch, gloo between them: the same weights, every row read once an epoch, and one of them speaks."""
    from safetensors.numpy import load_file

    tests = Path(__file__).parent
    config = tests.parent / "deploy" / "accelerate.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", f"--config_file={config}", "--main_process_port=0"]
    paths = os.pathsep.join([str(tests), str(tests.parent / "src"), str(tests.parent)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "ACCELERATE_USE_CPU": "true"}
    for started in ([sys.executable], [*launch, "--num_processes=2"]):
        command = [*started, str(tests / "many_processes.py"), str(tmp_path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-2000:]
    alone, first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("1-0", "2-0", "2-1"))
    assert [sorted(one + other) for one, other in zip(first["read"], second["read"], strict=True)] == [sorted(rows) for rows in alone["read"]]
    assert sorted(sum(alone["read"][:7], [])) == list(range(200))
    assert first["scores"] == second["scores"] == pytest.approx(alone["scores"], abs=0.02)
    assert (first["told"], second["told"]) == (alone["told"], [])
    wanted, found, same = (load_file(tmp_path / f"{name}.safetensors") for name in ("1-0", "2-0", "2-1"))
    for name, weight in wanted.items():
        assert np.array_equal(found[name], same[name]), name
        assert np.allclose(found[name], weight, atol=2e-3), name
