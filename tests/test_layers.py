"""Each network against a reference: torch's own layers run text by text, or the formula written out."""

import numpy as np
import pytest
import torch
from torch import nn

from groundswell import grid
from groundswell.approaches import layers
from groundswell.approaches.networks import OF_MODEL, OPTIONS
from groundswell.approaches.vocabulary import FIRST_WORD, PADDING, padded

pytestmark = pytest.mark.slow

WORDS, DIMENSIONS, HIDDEN = 50, 12, 16
SIZES = {name: option.default for name, option in {**OPTIONS, **OF_MODEL["cnn_lstm"], **OF_MODEL["self_attention"]}.items()} | {"hidden": HIDDEN}
ROWS = [np.random.default_rng(7).integers(1, WORDS, size=length) for length in (9, 1, 4, 2, 9, 13, 5)]


def network(model: str) -> layers.Network:
    torch.manual_seed(1)
    return layers.Network(layers.random_vectors(WORDS, DIMENSIONS), layers.reader(model, DIMENSIONS, SIZES), dropout=0.5).eval()


def answers(of: layers.Network, rows, *, further: int = 0) -> torch.Tensor:
    numbers, lengths = map(torch.from_numpy, padded(rows))
    with torch.no_grad():
        return of(nn.functional.pad(numbers, (0, further), value=PADDING), lengths)


@pytest.mark.parametrize("model", grid.SEQUENCE_MODELS)
def test_neither_padding_nor_neighbours_nor_order_change_an_answer(model):
    asked = network(model)
    together = answers(asked, ROWS)
    alone = torch.cat([answers(asked, [row]) for row in ROWS])
    assert together.std(dim=0).min() > 1e-3  # rows differ, so that a wrong one would show
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(answers(asked, ROWS[::-1]).flip(0), together, atol=1e-6, rtol=0)
    for further in (1, 8):
        torch.testing.assert_close(answers(asked, ROWS, further=further), together, atol=1e-6, rtol=0)


@pytest.mark.parametrize("model", grid.SEQUENCE_MODELS)
def test_every_word_counts(model):
    asked = network(model)
    before = answers(asked, [ROWS[0]])
    for place in range(len(ROWS[0])):
        changed = ROWS[0].copy()
        changed[place] = changed[place] % (WORDS - 1) + 1
        assert (answers(asked, [changed]) - before).abs().max() > 1e-7, place


@pytest.mark.parametrize(("model", "is_bidirectional"), [("lstm", False), ("bilstm", True)])
def test_an_lstm_is_torchs_own_run_text_by_text(model, is_bidirectional):
    asked = network(model)
    own = nn.LSTM(DIMENSIONS, HIDDEN, batch_first=True, bidirectional=is_bidirectional)
    own.load_state_dict(asked.reader.lstm.state_dict())
    for row, said in zip(ROWS, answers(asked, ROWS), strict=True):
        with torch.no_grad():
            states, _ = own(asked.embedding.weight[torch.from_numpy(row)].unsqueeze(0))
            forward, backward = states[0, -1, :HIDDEN], states[0, 0, HIDDEN:]
            torch.testing.assert_close(said, asked.head(torch.cat((forward, backward))), atol=1e-6, rtol=0)


def test_additive_attention_is_its_formula():
    torch.manual_seed(1)
    attention, states = layers.AdditiveAttention(6, 5), torch.randn(2, 4, 6)
    said = attention(states, torch.tensor([4, 3])).detach().numpy()
    inner, bias, score = (value.detach().numpy() for value in (attention.inner.weight, attention.inner.bias, attention.score.weight[0]))
    for place, length in enumerate((4, 3)):
        own = states[place, :length].numpy()
        powers = np.exp(np.tanh(own @ inner.T + bias) @ score)
        assert said[place] == pytest.approx(powers / powers.sum() @ own, abs=1e-6)


def test_a_block_is_torchs_encoder_layer_with_its_norms_first():
    torch.manual_seed(1)
    reader = layers.SelfAttentive(DIMENSIONS, HIDDEN, layers=1, heads=4, dropout=0.1).eval()
    block = reader.blocks[0]
    own = nn.TransformerEncoderLayer(HIDDEN, 4, 2 * HIDDEN, activation="gelu", batch_first=True, norm_first=True).eval()
    pairs = [
        (own.self_attn.in_proj_weight, block.mix.weight),
        (own.self_attn.in_proj_bias, block.mix.bias),
        *((there, here) for names in _PAIRS for there, here in zip(_of(own, names[0]), _of(block, names[1]), strict=True)),
    ]
    with torch.no_grad():
        for there, here in pairs:
            here.normal_()
            there.copy_(here)
        states, known = torch.randn(2, 5, HIDDEN), layers.within(torch.tensor([5, 3]), 5)
        expected, said = own(states, src_key_padding_mask=~known), block(states, known)
    torch.testing.assert_close(said[known], expected[known], atol=1e-4, rtol=1e-4)


_PAIRS = (
    ("self_attn.out_proj", "out"),
    ("linear1", "inner.0"),
    ("linear2", "inner.2"),
    ("norm1", "attention_norm"),
    ("norm2", "forward_norm"),
)


def _of(module: nn.Module, name: str):
    return module.get_submodule(name).parameters()


def test_positions_are_sines_and_cosines():
    found = layers.positions(20, 8).numpy()
    assert found.shape == (20, 8)
    for place in (0, 1, 19):
        for pair in range(4):
            angle = place / 10_000 ** (2 * pair / 8)
            assert found[place, 2 * pair : 2 * pair + 2] == pytest.approx([np.sin(angle), np.cos(angle)], abs=1e-5)


def test_an_embedding_begins_from_the_vectors_that_are_known():
    matrix = np.random.default_rng(1).normal(0, 3, size=(40, 6))
    known = [f"known{place}" for place in range(40)]
    words = ["known7", *(f"other{place}" for place in range(200)), "known0"]
    begun = layers.begun_from(words, known, matrix).numpy()
    assert begun.shape == (len(words) + FIRST_WORD, 6)
    assert begun[FIRST_WORD] == pytest.approx(matrix[7], abs=1e-6)
    assert begun[-1] == pytest.approx(matrix[0], abs=1e-6)
    assert begun[PADDING].tolist() == [0] * 6
    assert begun[FIRST_WORD + 1 : -1].std() == pytest.approx(matrix.std(), rel=0.1)
