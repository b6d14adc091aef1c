"""The forward pass of fine-tuning is the function of transformers, in value and in gradient, dropout aside."""

import numpy as np
import pytest
from tiny import tiny_model, tiny_rows

from groundswell.batches import Rows, Tokenised
from groundswell.errors import ModelError

pytestmark = pytest.mark.slow  # torch


@pytest.fixture(scope="module")
def made():
    """(model, tokenizer, a batch of texts of two lengths)."""
    model, tokenizer = tiny_model(3, layers=2, steps=20)
    texts, labels = tiny_rows(12)
    texts = [text + " and so on for a while" * (number % 3) for number, text in enumerate(texts)]
    rows = Rows(Tokenised(tokenizer(texts)["input_ids"], labels), padding=tokenizer.pad_token_id)
    return model, tokenizer, rows.batch(np.arange(12))


def _network(model, dtype="float32"):
    import torch

    from groundswell.forward import Network

    return Network(model, dtype=getattr(torch, dtype), seed=1)


def _gradients(model, logits, labels):
    import torch

    model.zero_grad()
    torch.nn.functional.cross_entropy(logits, labels).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


def test_logits_and_gradients_are_those_of_transformers(made):
    import torch

    model, _, batch = made
    theirs = model(input_ids=batch.ids, attention_mask=batch.is_read.long()).logits
    ours = _network(model).eval()(batch.ids, batch.is_read)
    assert torch.allclose(ours, theirs, atol=1e-5)
    wanted, found = _gradients(model, theirs, batch.labels), _gradients(model, ours, batch.labels)
    assert set(found) == set(wanted)
    for name in wanted:
        if "k_lin.bias" not in name:  # a bias of the keys moves every score of a query alike: its gradient is 0 but for rounding
            assert torch.allclose(found[name], wanted[name], rtol=1e-3, atol=1e-6), name
    model.zero_grad(set_to_none=True)


def test_in_bf16_it_says_the_same(made):
    import torch

    model, _, batch = made
    network = _network(model, "bfloat16").eval()
    with torch.autocast("cpu", torch.bfloat16):
        ours = network(batch.ids, batch.is_read)
    theirs = model(input_ids=batch.ids, attention_mask=batch.is_read.long()).logits
    assert ours.dtype == torch.float32
    assert torch.allclose(ours.softmax(-1), theirs.softmax(-1), atol=0.02)


def test_the_rows_of_the_words_that_are_read_do_as_well_as_the_whole_table(made):
    import torch

    model, _, batch = made
    network = _network(model).eval()
    pieces, at = torch.unique(batch.ids, return_inverse=True)
    assert torch.equal(network(at, batch.is_read, network.words.weight[pieces]), network(batch.ids, batch.is_read))


def test_what_is_padding_changes_nothing(made):
    import torch

    model, _, batch = made
    network = _network(model).eval()
    wider = torch.nn.functional.pad(batch.ids, (0, 5), value=77), torch.nn.functional.pad(batch.is_read, (0, 5))
    assert torch.allclose(network(*wider), network(batch.ids, batch.is_read), atol=1e-5)


def test_adapters_of_peft_are_run(made):
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    model, _ = tiny_model(3, layers=2)
    adapted = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, r=2, target_modules=["q_lin", "v_lin"])).eval()
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.add_(0.3)
    batch = made[2]
    theirs = adapted(input_ids=batch.ids, attention_mask=batch.is_read.long()).logits
    assert torch.allclose(_network(adapted).eval()(batch.ids, batch.is_read), theirs, atol=1e-5)


def test_compiled_it_is_the_same_function(made):
    """As on a GPU, but for the code that is made: what torch.compile traces is run as it is."""
    import torch

    model, _, batch = made
    plain, network = _network(model).eval(), _network(model).eval()
    network.compile(dynamic=True, backend="eager", fullgraph=True)
    for rows in (12, 7):
        assert torch.allclose(network(batch.ids[:rows], batch.is_read[:rows]), plain(batch.ids[:rows], batch.is_read[:rows]), atol=1e-5)
    assert network.train()(batch.ids, batch.is_read).shape == (12, 3), "with dropout too it is one graph"
    model.eval()
    torch._dynamo.reset()


def test_dropout_drops_its_share_and_keeps_the_mean_and_the_same_seed_drops_the_same():
    import torch

    from groundswell.forward import Dropout

    values = torch.ones(1_000_003)
    dropped = Dropout(1)(values, 0.1)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.1, abs=0.002)
    assert dropped.mean().item() == pytest.approx(1, abs=0.002)
    assert torch.equal(dropped, Dropout(1)(values, 0.1))
    assert not torch.equal(dropped, Dropout(2)(values, 0.1))
    twice = Dropout(1)
    assert not torch.equal(twice(values, 0.1), twice(values, 0.1))


def test_dropout_is_drawn_in_training_only(made):
    import torch

    model, _, batch = made
    network = _network(model).train()
    assert not torch.equal(network(batch.ids, batch.is_read), network(batch.ids, batch.is_read))
    network.eval()
    assert torch.equal(network(batch.ids, batch.is_read), network(batch.ids, batch.is_read))
    model.eval()


def test_another_kind_of_model_is_refused():
    import torch

    with pytest.raises(ModelError, match="expected a DistilBERT classifier, found a Linear"):
        _network(torch.nn.Linear(2, 2))
