"""What a sequence model begins from and what it refuses; what it shares with every approach is asked in test_approaches.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groundswell.approaches import Labelled, Surroundings, make
from groundswell.approaches.cleaning import words_of
from groundswell.approaches.vocabulary import FIRST_WORD
from groundswell.errors import ParamsError
from groundswell.params import CompareRow, TrainParams
from groundswell.schema import LABELS
from tests.tiny import WORDS, tiny_rows

pytestmark = pytest.mark.slow

SMALL = {"dimensions": 16, "hidden": 16, "learning_rate": 0.01, "epochs": 6}
SURROUNDINGS = Surroundings(threads=1, train=TrainParams(), scratch=Path("unused"))


def rows(count: int = 120) -> Labelled:
    texts, labels = tiny_rows(count)
    return Labelled(texts, labels, [f"group {number}" for number in range(count)])


def fitted(train: Labelled, *, seed: int = 1, surroundings: Surroundings = SURROUNDINGS, features: str = "learnt", model: str = "lstm", **options):
    approach = make(CompareRow(name="mine", features=features, model=model, options=SMALL | options), seed, surroundings)
    approach.fit(train)
    return approach


def test_vectors_of_a_file_are_where_the_embedding_begins(tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("".join(f"{word} {place}.5 -1.25 {place + 1}\n" for place, words in enumerate(WORDS.values()) for word in words))
    options = {name: value for name, value in SMALL.items() if name != "dimensions"} | {"learning_rate": 1e-9, "weight_decay": 0}
    row = CompareRow(name="mine", features="vectors", model="lstm", options=options)
    approach = make(row, 1, replace(SURROUNDINGS, vectors=file))
    approach.fit(rows())
    vectors = approach._network.embedding.weight.detach().numpy()
    numbers = {word: place for place, word in enumerate(approach._vocabulary.words, FIRST_WORD)}
    for place, label in enumerate(LABELS):
        for word in WORDS[label]:
            assert vectors[numbers[word]] == pytest.approx([place + 0.5, -1.25, place + 1], abs=1e-5)


def test_trained_vectors_give_another_beginning_than_chance():
    train, asked = rows(), tiny_rows(20, 99)[0]
    begun = fitted(train, features="word2vec", epochs=1, vector_epochs=5)
    assert np.abs(begun.predict(asked) - fitted(train, epochs=1).predict(asked)).max() > 1e-4


def test_words_that_were_not_learnt_from_are_not_in_the_vocabulary():
    known = set(fitted(rows())._vocabulary.words)
    assert known <= {word for text in rows().texts for word in words_of(text)}
    assert {"great", "awful", "😀"} <= known


def test_another_seed_gives_other_answers():
    asked = tiny_rows(20, 99)[0]
    assert np.abs(fitted(rows(), seed=1).predict(asked) - fitted(rows(), seed=2).predict(asked)).max() > 1e-4


def test_rows_of_one_group_are_learnt_from_all_the_same():
    train = replace(rows(), groups=["one"] * len(rows()))
    said = fitted(train).predict(tiny_rows(60, 99)[0])
    assert (said.argmax(axis=1) == tiny_rows(60, 99)[1]).mean() > 0.6


@pytest.mark.parametrize(
    ("features", "model", "options", "said"),
    [
        ("learnt", "lstm", {"heads": 2}, "option 'heads' is none of learnt and lstm"),
        ("learnt", "lstm", {"vector_epochs": 2}, "option 'vector_epochs' is none of learnt and lstm"),
        ("vectors", "lstm", {"dimensions": 50}, "option 'dimensions' is none of vectors and lstm"),
        ("learnt", "self_attention", {"hidden": 12, "heads": 4}, r"a multiple of twice the heads \(8\), found 12"),
        ("learnt", "cnn_lstm", {"channels": 0}, "option 'channels': expected 1 or more, found 0"),
        ("learnt", "bilstm", {"dropout": 1}, "option 'dropout': expected 0.95 or less, found 1"),
        ("learnt", "bilstm", {"hiden": 1}, "did you mean 'hidden'"),
    ],
)
def test_options_are_checked_before_anything_is_learnt(features, model, options, said):
    with pytest.raises(ParamsError, match=f"compare.rows: mine: .*{said}"):
        make(CompareRow(name="mine", features=features, model=model, options=options), 1, SURROUNDINGS)
