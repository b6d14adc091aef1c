"""The recipe of fine-tuning: every weight learns at its rate, the rates go up and down, and the mean of weights is the mean."""

import numpy as np
import pytest
from tiny import tiny_model, tiny_rows

from groundswell.finetune import Tokenised, finetune, prepare_torch
from groundswell.params import TrainParams
from groundswell.recipe import AVERAGED_EVERY, Averaged, parameter_groups, rate_factor

pytestmark = pytest.mark.slow  # torch, and a few trainings


def test_every_weight_that_learns_is_in_one_group():
    model, _ = tiny_model(layers=2)
    model.distilbert.embeddings.position_embeddings.weight.requires_grad = False
    groups = parameter_groups(model, TrainParams(layer_decay=0.5))
    grouped = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(grouped) == sorted(id(weight) for weight in model.parameters() if weight.requires_grad)


def test_layers_learn_slower_the_deeper_they_lie_and_biases_and_norms_are_not_decayed():
    model, _ = tiny_model(layers=2)
    rate, decayed = {}, {}
    names = {id(weight): name for name, weight in model.named_parameters()}
    for group in parameter_groups(model, TrainParams(learning_rate=1e-3, layer_decay=0.5, weight_decay=0.1)):
        for weight in group["params"]:
            rate[names[id(weight)]], decayed[names[id(weight)]] = group["lr"], group["weight_decay"]
    assert rate["classifier.weight"] == rate["pre_classifier.bias"] == 1e-3
    assert rate["distilbert.transformer.layer.1.ffn.lin1.weight"] == pytest.approx(5e-4)
    assert rate["distilbert.transformer.layer.0.attention.q_lin.bias"] == pytest.approx(2.5e-4)
    assert rate["distilbert.embeddings.word_embeddings.weight"] == pytest.approx(1.25e-4)
    assert {name for name, value in decayed.items() if value == 0} == {
        name for name in decayed if name.endswith("bias") or "LayerNorm" in name or "layer_norm" in name
    }


def test_without_a_layer_decay_all_learn_alike():
    model, _ = tiny_model()
    assert {group["lr"] for group in parameter_groups(model, TrainParams(learning_rate=1e-3))} == {1e-3}


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_rates_go_up_then_down(schedule, warmup):
    params = TrainParams(schedule=schedule, warmup_share=warmup)
    factors = [rate_factor(step, 50, params) for step in range(50)]
    top = int(np.argmax(factors))
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[:top] == sorted(factors[:top]) and factors[top:] == sorted(factors[top:], reverse=True)
    assert top == {0.0: 0, 0.1: 5, 1.0: 49}[warmup]
    half = factors[5 + 22] if warmup == 0.1 else 0.5
    assert half == pytest.approx(0.5, abs=0.05)


def test_the_mean_is_over_the_last_share_and_the_models_own_weights_come_back():
    import torch

    model, _ = tiny_model()
    steps = 10 * AVERAGED_EVERY
    average = Averaged(model, TrainParams(average_last=0.35), steps)
    weight = model.classifier.bias
    with average.shown():
        assert average.count == 0
    for step in range(1, steps + 1):
        with torch.no_grad():
            weight.fill_(float(step))
        average.after(step)
    counted = [step for step in range(1, steps + 1) if step > 65 and step % AVERAGED_EVERY == 0]
    assert average.count == len(counted) == 4
    with average.shown():
        assert weight.tolist() == pytest.approx([np.mean(counted)] * 3)
    assert weight.tolist() == [steps] * 3
    with pytest.raises(RuntimeError), average.shown():
        raise RuntimeError
    assert weight.tolist() == [steps] * 3


QUICK = {"epochs": 4, "learning_rate": 2e-2, "threads": 1, "bf16": "off"}


def trained(tmp_path, **options):
    """(weights, validation macro-F1 of the last evaluation) of a tiny model after a training."""
    params = TrainParams(**{**QUICK, **options})
    prepare_torch(params)
    model, tokenizer = tiny_model()
    rows = []
    for seed, count in ((0, 240), (1, 60)):
        texts, labels = tiny_rows(count, seed)
        rows.append(Tokenised(tokenizer(texts)["input_ids"], labels))
    history = finetune(model, tokenizer, *rows, params=params, folder=tmp_path, observe=lambda step, numbers: None)
    scores = [value for record in history for name, value in record.items() if name.endswith("macro_f1")]
    return {name: weight.detach().clone().numpy() for name, weight in model.named_parameters()}, scores[-1]


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "cosine"},
        {"layer_decay": 0.5},
        {"label_smoothing": 0.2},
        {"consistency": 1.0},
        {"average_last": 1.0},  # every evaluation has a mean to show, the first too
        {"class_weights": "balanced"},
        {"class_weights": "adjusted"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_every_option_learns_and_changes_what_is_learnt(tmp_path, plain, options):
    weights, score = trained(tmp_path, **options)
    assert score > 0.9
    assert not np.allclose(weights["classifier.weight"], plain["classifier.weight"], atol=1e-6)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    weights, score = trained(tmp_path_factory.mktemp("plain"))
    assert score > 0.9
    return weights
