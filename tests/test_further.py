"""Further pretraining: it learns which word goes with which, changes the encoder and nothing else, and reads no label."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_base, tiny_model

from groundswell import further
from groundswell.approaches import Labelled
from groundswell.batches import Rows, Tokenised
from groundswell.encoder import PACKAGED, load
from groundswell.errors import DatasetError, ModelError, ParamsError
from groundswell.finetune import prepare_torch
from groundswell.params import TrainParams, load_params
from groundswell.settings import Settings

pytestmark = pytest.mark.slow  # torch, and some trainings

PAIRS = {"salt": "pepper", "king": "queen", "north": "south", "bread": "butter", "black": "white", "summer": "winter"}


def texts(count=400, seed=0):
    """Each says one pair: who reads one word of it knows the other."""
    chance = np.random.default_rng(seed)
    return [" ".join([word := str(chance.choice(list(PAIRS))), PAIRS[word], word, PAIRS[word]]) for _ in range(count)]


def rows(count=400, label=0, seed=0):
    return Labelled(texts(count, seed), np.full(count, label), [str(at) for at in range(count)])


def params(**changes):
    plain = {"further_pretraining_epochs": 6, "further_pretraining_learning_rate": 5e-3, "threads": 1, "bf16": "off", "batch_size": 16}
    return TrainParams(**{**plain, **changes})


def pretrained(learn=None, told=None, **changes):
    """(model, weights before, facts)."""
    told = told or params(**changes)
    prepare_torch(told)
    model, tokenizer = tiny_model(0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    return model, before, further.pretrain(model, tokenizer, learn or rows(), params=told)


@pytest.fixture(scope="module")
def done():
    heard = []
    told = params()
    prepare_torch(told)
    model, tokenizer = tiny_model(0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    facts = further.pretrain(model, tokenizer, rows(), params=told, observe=lambda step, numbers: heard.append((step, numbers)))
    return model, before, facts, heard


def test_a_planted_regularity_is_learnt(done):
    _, _, facts, heard = done
    assert (facts["texts"], facts["held_out"], facts["steps"]) == (380, 20, 144)
    # a pair of six is known by one of its words; where all four are hidden, none is
    assert facts["loss_after"] < np.log(3) < np.log(12) * 0.6 < facts["loss_before"]
    assert facts["perplexity_after"] == pytest.approx(np.exp(facts["loss_after"]), abs=0.01)
    assert heard[-1][0] == 144
    assert heard[-1][1]["masked_language_loss"] < heard[0][1]["masked_language_loss"]


def test_the_encoder_moves_and_the_classifier_is_as_fresh_as_it_was(done):
    model, before, _, _ = done
    after = model.state_dict()
    same = {name for name in after if after[name].equal(before[name])}
    assert {name for name in after if not name.startswith("distilbert.")} <= same
    assert not [name for name in same if name.startswith("distilbert.transformer") and name.endswith("lin.weight")]
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())
    assert not model.training


def test_a_fresh_head_learns_alone_first(monkeypatch):
    monkeypatch.setattr(further, "_HEAD_STEPS", 40)
    model, before, facts = pretrained(further_pretraining_epochs=1e-9)
    _, _, none = pretrained(told=params(further_pretraining_epochs=0.0))
    assert none is None
    assert facts["steps"] == 1
    assert facts["loss_before"] < np.log(len(PAIRS) * 2) + 0.2 < np.log(model.config.vocab_size)
    same = {name for name, weight in model.state_dict().items() if weight.allclose(before[name], atol=5e-3)}
    assert same == set(before), "one step of the encoder, of rate 5e-3, is all that it was moved by"


def test_the_same_texts_and_seed_give_the_same_weights_whatever_the_labels(monkeypatch):
    monkeypatch.setattr(further, "_HEAD_STEPS", 5)
    one, same, other = (
        pretrained(rows(60, label=label), further_pretraining_epochs=1, seed=seed)[0].state_dict() for label, seed in ((0, 1), (2, 1), (0, 2))
    )
    assert all(one[name].equal(same[name]) for name in one)
    assert not all(one[name].equal(other[name]) for name in one)


def test_texts_held_out_are_whole_groups_and_move_nothing(monkeypatch):
    """What is held out may say what it wants: the encoder ends as it does without."""
    monkeypatch.setattr(further, "_HEAD_STEPS", 5)
    learn = rows(60)
    aside = further.held_out(learn, 0.05, 1)[1]
    assert len(aside) == 3
    other = Labelled(
        ["queen of salt" if text in aside.groups else learn.texts[at] for at, text in enumerate(learn.groups)], learn.labels, learn.groups
    )
    one, same = (pretrained(part, further_pretraining_epochs=1)[0].state_dict() for part in (learn, other))
    assert other.texts != learn.texts
    assert all(one[name].equal(same[name]) for name in one)


def test_what_is_guessed_is_what_transformers_would_guess(tmp_path):
    """DistilBertForMaskedLM with the same weights gives the same logits at the hidden places."""
    import torch
    from transformers import DistilBertForMaskedLM

    from groundswell.masks import places

    model, tokenizer = tiny_model(3, layers=2)
    whole = DistilBertForMaskedLM(model.config).eval()
    whole.distilbert.load_state_dict(model.distilbert.state_dict())
    whole.save_pretrained(tmp_path)
    read = Rows(Tokenised(tokenizer(texts(9))["input_ids"], np.zeros(9)), padding=tokenizer.pad_token_id).batch(np.arange(9))
    is_chosen = read.is_read & (torch.arange(read.ids.shape[1]) % 3 == 1) & (torch.arange(9) % 4 != 2)[:, None]
    at, is_asked = places(is_chosen)
    head, is_fresh = further.head_for(model, params(base=str(tmp_path)), np.zeros(model.config.vocab_size))
    network = further.Guessing(model, dtype=torch.float32, seed=1).eval()
    with torch.no_grad():
        found = head(network(read.ids, read.is_read, at)[is_asked], network.words.weight)
        wanted = whole(input_ids=read.ids, attention_mask=read.is_read.long()).logits[is_chosen]
    assert not is_fresh, "a base that was pretrained with a head has one"
    assert torch.allclose(found, wanted, atol=1e-5)


def test_a_base_without_a_head_gets_a_fresh_one_that_knows_what_is_frequent(tmp_path):
    model, _ = tiny_model(0)
    counts = np.zeros(model.config.vocab_size)
    counts[7] = 100
    for base in (PACKAGED, tiny_base(tmp_path / "base")):
        head, is_fresh = further.head_for(model, params(base=base), counts)
        assert is_fresh
        assert int(head.bias.argmax()) == 7
        again, _ = further.head_for(model, params(base=base), counts)
        assert again.vocab_transform.weight.equal(head.vocab_transform.weight)


def test_emoji_that_were_named_are_guessed_by_the_bases_own_head_too(tmp_path):
    """The base's head knows nothing of pieces that came later: they begin with how frequent they are."""
    from transformers import DistilBertForMaskedLM

    model, tokenizer = tiny_model(3)
    whole = DistilBertForMaskedLM(model.config)
    whole.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    told = params(base=str(tmp_path), emoji="named", further_pretraining_epochs=1)
    prepare_torch(told)
    tokenizer, model = load(told)
    assert model.config.vocab_size == len(tokenizer) > whole.config.vocab_size
    learn = Labelled([f"{text} \U0001f984" for text in texts(60)], np.zeros(60, dtype=int), [str(at) for at in range(60)])
    unicorn = tokenizer.convert_tokens_to_ids("\U0001f984")
    assert unicorn >= whole.config.vocab_size
    counts = np.zeros(len(tokenizer))
    counts[unicorn] = 60
    head, is_fresh = further.head_for(model, told, counts)
    assert not is_fresh
    assert (int(head.bias[whole.config.vocab_size :].argmax()) + whole.config.vocab_size) == unicorn
    assert head.bias[: whole.config.vocab_size].equal(whole.vocab_projector.bias)
    before = model.get_input_embeddings().weight[unicorn].clone()
    assert further.pretrain(model, tokenizer, learn, params=told)["texts"] == 57
    assert not model.get_input_embeddings().weight[unicorn].equal(before)


def test_it_says_how_far_it_is_and_no_text(caplog, monkeypatch):
    monkeypatch.setattr(further, "_HEAD_STEPS", 4)
    with caplog.at_level(logging.INFO, "groundswell.further"):
        pretrained(rows(40), further_pretraining_epochs=1)
    assert "the head alone, step 4/4" in caplog.text
    assert "further pretraining, step 3/3" in caplog.text
    assert "0 s left" in caplog.text
    assert not [word for pair in PAIRS.items() for word in pair if word in caplog.text]


def test_in_bf16_it_learns_too(monkeypatch):
    monkeypatch.setattr(further, "_HEAD_STEPS", 40)
    model, _, facts = pretrained(bf16="on")
    assert facts["loss_after"] < facts["loss_before"] - 0.3
    assert {weight.dtype for weight in model.state_dict().values() if weight.is_floating_point()} == {next(model.parameters()).float().dtype}


def test_compiled_it_is_the_same_function():
    """As on a GPU, but for the code that is made: what torch.compile traces is run as it is, in one graph."""
    import torch

    model, tokenizer = tiny_model(3, layers=2)
    read = Rows(Tokenised(tokenizer(texts(9))["input_ids"], np.zeros(9)), padding=tokenizer.pad_token_id).batch(np.arange(9))
    at = torch.tensor([[1, 3]] * 9)
    plain, network = (further.Guessing(model, dtype=torch.float32, seed=1).eval() for _ in range(2))
    network.compile(dynamic=True, backend="eager", fullgraph=True)
    for rows in (9, 5):
        assert torch.allclose(
            network(read.ids[:rows], read.is_read[:rows], at[:rows]), plain(read.ids[:rows], read.is_read[:rows], at[:rows]), atol=1e-5
        )
    assert network.train()(read.ids, read.is_read, at).shape == (9, 2, 32)
    torch._dynamo.reset()


def test_every_process_comes_to_the_same_weights(tmp_path):
    """By accelerate launch: what then learns labels together begins together."""
    tests = Path(__file__).parent
    config = tests.parent / "deploy" / "accelerate.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", f"--config_file={config}", "--main_process_port=0", "--num_processes=2"]
    paths = os.pathsep.join([str(tests), str(tests.parent / "src"), str(tests.parent)])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "ACCELERATE_USE_CPU": "true"}
    command = [*launch, str(tests / "many_processes.py"), str(tmp_path), "further"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    one, other = ((tmp_path / f"further-{number}.safetensors").read_bytes() for number in range(2))
    assert one == other


@pytest.mark.parametrize("learn", [["salt pepper"], ["", "\U0001f9a4", "salt pepper"], ["", ""]])
def test_without_words_to_guess_nothing_is_begun(learn):
    with pytest.raises(DatasetError, match="masked-language training: expected two texts with words"):
        pretrained(Labelled(learn, np.zeros(len(learn), dtype=int), [str(at) for at in range(len(learn))]))


def test_a_loss_that_is_no_number_ends_it(monkeypatch):
    monkeypatch.setattr(further, "_HEAD_STEPS", 2)
    with pytest.raises(ModelError, match="the loss is nan at step .* lower train.further_pretraining_learning_rate"):
        pretrained(further_pretraining_learning_rate=1e30, weight_decay=0)


def test_with_a_warm_start_it_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_text("train: {warm_start: champion, further_pretraining_epochs: 1}\n")
    with pytest.raises(ParamsError, match="warm_start champion goes with no further_pretraining_epochs"):
        load_params(Settings(project=tmp_path))
