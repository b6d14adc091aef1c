"""The sequence models in PyTorch: word numbers (rows, width) and lengths (rows,) in, logits (rows, 3) out.

Each reads a row to its length and no further: recurrent layers read packed sequences, attention is masked, a convolution sees zeros
behind the last word however far the row is padded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from groundswell.approaches.vocabulary import FIRST_WORD, PADDING
from groundswell.schema import LABELS

_SPREAD = 0.1  # standard deviation of the numbers in a vector that nobody trained yet


class Network(nn.Module):
    """Word vectors, a reader that makes one vector of them, and a head."""

    def __init__(self, vectors: Tensor, reader: nn.Module, *, dropout: float):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=PADDING)
        self.dropout = nn.Dropout(dropout)
        self.reader = reader
        self.head = nn.Linear(reader.width, len(LABELS))

    def forward(self, numbers: Tensor, lengths: Tensor) -> Tensor:
        return self.head(self.dropout(self.reader(self.dropout(self.embedding(numbers)), lengths)))


class Recurrent(nn.Module):
    """An LSTM (Hochreiter & Schmidhuber 1997): its last state, or with ``is_attentive`` all of them, each as much as it says.

    Both ways, the last states of the two directions stand side by side (Schuster & Paliwal 1997).
    """

    def __init__(self, dimensions: int, hidden: int, *, is_bidirectional: bool = False, is_attentive: bool = False):
        super().__init__()
        self.width = hidden * (2 if is_bidirectional else 1)
        self.lstm = nn.LSTM(dimensions, hidden, batch_first=True, bidirectional=is_bidirectional)
        self.attention = AdditiveAttention(self.width, hidden) if is_attentive else None

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        states, (last, _) = self.lstm(pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False))
        if self.attention is None:
            return torch.cat(tuple(last), dim=1)
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=words.shape[1])
        return self.attention(states, lengths)


class AdditiveAttention(nn.Module):
    """A weighted mean of states, the weights by a layer of tanh (Bahdanau, Cho & Bengio 2015); what is asked for is learnt, not given."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.inner = nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        scores = self.score(torch.tanh(self.inner(states))).squeeze(2)
        weights = scores.masked_fill(~within(lengths, states.shape[1]), -torch.inf).softmax(dim=1)
        return (weights.unsqueeze(1) @ states).squeeze(1)


class Convolved(nn.Module):
    """Convolutions over three words, the louder of each two neighbours, and an LSTM over those (Zhou et al. 2015, C-LSTM, with pooling)."""

    def __init__(self, dimensions: int, channels: int, hidden: int):
        super().__init__()
        self.width = hidden
        self.convolution = nn.Conv1d(dimensions, channels, kernel_size=3, padding=1)
        self.recurrent = Recurrent(channels, hidden)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        found = torch.relu(self.convolution(words.transpose(1, 2)))
        found = found * within(lengths, words.shape[1]).unsqueeze(1)  # what the bias says of padding is 0: never the louder one
        pooled = nn.functional.max_pool1d(found, 2, ceil_mode=True)
        return self.recurrent(pooled.transpose(1, 2), (lengths + 1) // 2)


class SelfAttentive(nn.Module):
    """A Transformer encoder of its own (Vaswani et al. 2017; norms before the sublayers: Xiong et al. 2020), averaged over the words."""

    def __init__(self, dimensions: int, hidden: int, *, layers: int, heads: int, dropout: float):
        super().__init__()
        self.width = hidden
        self.enter = nn.Linear(dimensions, hidden)
        self.blocks = nn.ModuleList(_Block(hidden, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        known = within(lengths, words.shape[1])
        states = self.enter(words) + positions(words.shape[1], self.width)
        for block in self.blocks:
            states = block(states, known)
        kept = self.norm(states) * known.unsqueeze(2)
        return kept.sum(dim=1) / lengths.unsqueeze(1)


class _Block(nn.Module):
    """Self-attention and a feed-forward layer, each added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, known: Tensor) -> Tensor:
        states = states + self.dropout(self._attend(self.attention_norm(states), known))
        return states + self.dropout(self.inner(self.forward_norm(states)))

    def _attend(self, states: Tensor, known: Tensor) -> Tensor:
        rows, length, width = states.shape
        query, key, value = self.mix(states).view(rows, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=known[:, None, None, :])
        return self.out(mixed.transpose(1, 2).reshape(rows, length, width))


def within(lengths: Tensor, width: int) -> Tensor:
    """Which places of each row hold a word: bool (rows, width)."""
    return torch.arange(width) < lengths.unsqueeze(1)


def positions(length: int, width: int) -> Tensor:
    """Where a word stands, as sines and cosines: float32 (length, width), an even width (Vaswani et al. 2017, 3.5)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-torch.log(torch.tensor(10_000.0)) / width))
    angles = torch.arange(length).unsqueeze(1) * rates
    return torch.stack((angles.sin(), angles.cos()), dim=2).view(length, width)


def reader(model: str, dimensions: int, options: dict) -> nn.Module:
    """The reader of ``model``, one of `grid.SEQUENCE_MODELS`, for vectors of ``dimensions``."""
    hidden = options["hidden"]
    match model:
        case "cnn_lstm":
            return Convolved(dimensions, options["channels"], hidden)
        case "self_attention":
            return SelfAttentive(dimensions, hidden, layers=options["layers"], heads=options["heads"], dropout=options["dropout"])
        case _:
            return Recurrent(dimensions, hidden, is_bidirectional=model == "bilstm", is_attentive=model == "lstm_attention")


def random_vectors(words: int, dimensions: int) -> Tensor:
    """Small vectors to begin from, float32 (words, dimensions), by torch's seed; padding's are zeros."""
    vectors = torch.randn(words, dimensions) * _SPREAD
    vectors[PADDING] = 0
    return vectors


def begun_from(words: Sequence[str], known: Sequence[str], matrix: np.ndarray) -> Tensor:
    """Vectors of a vocabulary's ``words`` (padding and the unknown word first), those that are ``known`` from ``matrix`` (known, dimensions).

    The others are drawn as widely as the known ones lie: float32 (words + 2, dimensions).
    """
    place_of = {word: place for place, word in enumerate(known)}
    vectors = random_vectors(len(words) + FIRST_WORD, matrix.shape[1]) * (float(matrix.std()) / _SPREAD)
    shared = [(number, place_of[word]) for number, word in enumerate(words, FIRST_WORD) if word in place_of]
    if shared:
        numbers, places = map(list, zip(*shared, strict=True))
        vectors[numbers] = torch.from_numpy(matrix[places].astype(np.float32))
    return vectors
