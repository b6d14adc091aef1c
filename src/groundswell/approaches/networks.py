"""Sequence models on word vectors: LSTM, BiLSTM, LSTM with attention, CNN-LSTM, and a small self-attention.

Reads the texts of `fit`: the vocabulary, the word vectors where they are trained, and the weights come from these alone. A part of their
groups is held out to stop by. Computes on the processor, on as many threads as torch is set to. Refuses options that it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from groundswell.approaches import vectors, vocabulary
from groundswell.approaches.base import Approach, Labelled, Surroundings, held_out, memory_bytes
from groundswell.approaches.cleaning import cleaned, words_of
from groundswell.approaches.options import Option, Value, taken
from groundswell.errors import ParamsError
from groundswell.metrics import macro_f1
from groundswell.params import CompareRow, TrainParams
from groundswell.predictor import softmax
from groundswell.schema import LABELS

OPTIONS = {
    "dimensions": Option(100, least=2),  # of a word's vector; vectors from a file have their own
    "hidden": Option(128, least=2),
    "dropout": Option(0.4, least=0, most=0.95),
    "epochs": Option(10, least=1),
    "patience": Option(2, least=0),  # epochs without a better macro-F1 on the rows held out; 0: never stop early
    "learning_rate": Option(1e-3, above=0),
    "weight_decay": Option(0.01, least=0),
    "batch_size": Option(32, least=1),
    "class_weights": Option("balanced", choices=("none", "balanced")),
    "max_words": Option(20_000, least=1),  # of the vocabulary, the most frequent
    "min_count": Option(2, least=1),
    "max_length": Option(96, least=1),  # words of a text that are read
    "held_out_share": Option(0.1, above=0, most=0.5),
}
OF_MODEL = {
    "cnn_lstm": {"channels": Option(128, least=1)},
    "self_attention": {"layers": Option(2, least=1), "heads": Option(4, least=1)},
}

_PLACES_PER_BATCH = 4096  # of what is answered: some dozens of posts, whose states a core's cache still holds


def make(row: CompareRow, seed: int, surroundings: Surroundings) -> Approach:
    """The sequence model of ``row``, untrained; `ParamsError` for an option that it does not have."""
    return SequenceModel(row, values_of(row, surroundings.train), seed, surroundings)


def values_of(row: CompareRow, train: TrainParams) -> dict[str, Value]:
    """Every option of ``row`` with its value."""
    options = taken(row, vectors.OPTIONS.get(row.features, {}), _options(row))
    if row.model == "self_attention" and options["hidden"] % (2 * options["heads"]):
        raise ParamsError(
            f"compare.rows: {row.name}: option 'hidden': expected a multiple of twice the heads ({2 * options['heads']}), found {options['hidden']}"
        )
    return options


def _options(row: CompareRow) -> dict[str, Option]:
    """Of network and model; how long a vector is, a file of them says itself."""
    known = {**OPTIONS, **OF_MODEL.get(row.model, {})}
    return {name: option for name, option in known.items() if (row.features, name) != ("vectors", "dimensions")}


class SequenceModel:
    """An `Approach`: a vocabulary, and a network that reads its numbers."""

    def __init__(self, row: CompareRow, options: dict[str, Value], seed: int, surroundings: Surroundings):
        self._row, self._options, self._seed, self._surroundings = row, options, seed, surroundings

    def fit(self, train: Labelled) -> None:
        from groundswell.finetune import prepare_torch

        prepare_torch(self._surroundings.train.model_copy(update={"threads": self._surroundings.threads, "seed": self._seed}))
        options, texts = self._options, cleaned(self._row.cleaning, train.texts)
        words = [words_of(text) for text in texts]
        self._vocabulary = vocabulary.Vocabulary.learn(words, max_words=options["max_words"], min_count=options["min_count"])
        self._network = self._untrained(texts)
        self._learn(*held_out(train, options["held_out_share"], self._seed))

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return self._probabilities(self._numbers(texts))

    def size_bytes(self) -> int:
        """The network's arrays and the vocabulary's words."""
        return memory_bytes(self._vocabulary.words) + sum(value.nbytes for value in self._network.state_dict().values())

    def _numbers(self, texts: Sequence[str]) -> list[np.ndarray]:
        texts = cleaned(self._row.cleaning, texts)
        return [self._vocabulary.numbers(words_of(text), self._options["max_length"]) for text in texts]

    def _untrained(self, texts: Sequence[str]):
        """The network, its word vectors drawn at random or, where the row's features say so, begun from those of the words that have one."""
        from groundswell.approaches.layers import Network, begun_from, random_vectors, reader

        kind, words = self._row.features, self._vocabulary.words
        if kind == "learnt":
            begin = random_vectors(len(self._vocabulary), self._options["dimensions"])
        else:
            own = {name: self._options[name] for name in vectors.OPTIONS[kind]}
            begin = begun_from(words, *vectors.word_vectors(kind, texts, self._seed, self._surroundings, own))
        return Network(begin, reader(self._row.model, begin.shape[1], self._options), dropout=self._options["dropout"])

    def _learn(self, train: Labelled, aside: Labelled) -> None:
        from groundswell.approaches.descent import balance, descend

        options, chance = self._options, np.random.default_rng(self._seed)
        rows, judged = self._numbers(train.texts), self._numbers(aside.texts)
        descend(
            self._network,
            lambda: self._batches(rows, train.labels, chance),
            (lambda: macro_f1(aside.labels, self._probabilities(judged))) if len(aside) else None,
            weight=balance(train.labels) if options["class_weights"] == "balanced" else None,
            observe=self._surroundings.observe,
            **{name: options[name] for name in ("epochs", "patience", "learning_rate", "weight_decay")},
        )

    def _batches(self, rows: list[np.ndarray], labels: np.ndarray, chance: np.random.Generator) -> Iterator:
        import torch

        lengths = np.array([len(row) for row in rows])
        for places in vocabulary.shuffled_batches(lengths, self._options["batch_size"], chance):
            yield _tensors([rows[place] for place in places]), torch.from_numpy(labels[places].astype(np.int64))

    def _probabilities(self, rows: list[np.ndarray]) -> np.ndarray:
        """float64 (rows, 3), in the order given."""
        import torch

        logits = np.empty((len(rows), len(LABELS)))
        with torch.inference_mode():
            for places in vocabulary.sorted_batches(np.array([len(row) for row in rows]), _PLACES_PER_BATCH):
                logits[places] = self._network(*_tensors([rows[place] for place in places])).numpy()
        return softmax(logits)


def _tensors(rows: Sequence[np.ndarray]) -> tuple:
    import torch

    numbers, lengths = vocabulary.padded(rows)
    return torch.from_numpy(numbers), torch.from_numpy(lengths)
