"""One contract for everything that can be compared: it learns, answers every text for itself, and says the same again.

A family adds its rows to `ROWS`; every test below then asks it.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from groundswell import grid
from groundswell.approaches import Labelled, Surroundings, make
from groundswell.approaches.base import memory_bytes
from groundswell.approaches.lexicon import shares
from groundswell.errors import DatasetError, ParamsError
from groundswell.params import CompareRow, TrainParams
from groundswell.schema import LABELS
from tests.tiny import WORDS, tiny_base, tiny_rows

pytestmark = pytest.mark.slow

SMALL = {"dimensions": 16, "vector_epochs": 30}
OPTIONS = {
    "word2vec": SMALL,
    "fasttext": {**SMALL, "buckets": 500},
    "doc2vec": {"dimensions": 24, "vector_epochs": 100},
    "bag_of_words": {"min_df": 1},
    "forest": {"trees": 30},
}
"""Features or model → what makes them quick on a few invented rows."""

CLASSICAL = [
    CompareRow(
        name=f"{features}-{model}".replace("_", "-"), features=features, model=model, options=OPTIONS.get(features, {}) | OPTIONS.get(model, {})
    )
    for model in ("naive_bayes", *grid.LINEAR, "forest")
    for features in grid.READS[model]
]
CLEANED = [CompareRow(name=f"cleaned-{how}", cleaning=how, features="tfidf", model="logistic") for how in grid.CLEANINGS if how != "none"]
LEXICON = [
    CompareRow(name="vader", model="vader"),
    CompareRow(name="vader-fitted", cleaning="marks", model="vader", options={"thresholds": "fitted"}),
]
QUICK = {"hidden": 16, "learning_rate": 0.01, "epochs": 5, "patience": 0}
PAIRS = [*(("learnt", model) for model in grid.SEQUENCE_MODELS), *((features, "lstm") for features in grid.SEQUENCES if features != "learnt")]
NETWORKS = [
    CompareRow(
        name=f"{features}-{model}".replace("_", "-"),
        features=features,
        model=model,
        options=QUICK | ({"dimensions": 16} if features == "learnt" else {"epochs": 15, **OPTIONS.get(features, {})}),
    )
    for features, model in PAIRS
]
DISTILBERTS = [
    CompareRow(name="frozen", model="distilbert_frozen", options={"epochs": 10.0, "learning_rate": 0.01}),
    CompareRow(name="lora", model="distilbert_lora", options={"learning_rate": 0.01}),
    CompareRow(name="full", cleaning="marks", model="distilbert", options={"learning_rate": 0.003}),
]
ROWS = [*LEXICON, *CLASSICAL, *CLEANED, *NETWORKS, *DISTILBERTS]

LEARNT_BY_HEART = 0.8
"""Of the invented rows' labels, chance gets a third; two words of each text tell its class."""

NEVER_SEEN = ["", " ", "😀", "zzyzx qwrtp", "плохо 最高", "great " * 400]


@cache
def rows(count: int = 200, seed: int = 0) -> Labelled:
    texts, labels = tiny_rows(count, seed=seed)
    return Labelled(texts, labels, [f"group {number // 2}" for number in range(count)])


@cache
def surroundings() -> Surroundings:
    """Two threads, an encoder of width 32 that knows the words, and a file of vectors: in a folder that goes when the process does."""
    box = Path(tempfile.mkdtemp(prefix="groundswell-test-approaches-"))
    atexit.register(shutil.rmtree, box, ignore_errors=True)
    train = TrainParams(base=tiny_base(box / "base", steps=60), epochs=2, max_length=24)
    return Surroundings(threads=2, train=train, scratch=box / "scratch", vectors=invented_vectors(box / "vectors.txt"))


def invented_vectors(path: Path) -> Path:
    """A word of a class lies near that class's corner."""
    chance = np.random.default_rng(1)
    known = {word: np.eye(3)[place] for place, label in enumerate(LABELS) for word in WORDS[label]}
    path.write_text("".join(f"{word} {' '.join(f'{n:.4f}' for n in at + 0.1 * chance.normal(size=3))}\n" for word, at in known.items()))
    return path


def around(place: int) -> Surroundings:
    """A network of width 16 gains nothing from a second thread: on a busy machine they wait for each other."""
    return replace(surroundings(), threads=1) if ROWS[place].model in (*grid.SEQUENCE_MODELS, *grid.TRANSFORMERS) else surroundings()


@cache
def fitted(place: int):
    approach = make(ROWS[place], 1, around(place))
    approach.fit(rows())
    return approach


def every_row(test):
    return pytest.mark.parametrize("place", range(len(ROWS)), ids=[row.name for row in ROWS])(test)


def near(place: int) -> float:
    """How near two answers to one text must be: sums of floats hang on what is summed beside them, in the network of an encoder most."""
    is_network = ROWS[place].features == "encoder" or ROWS[place].model in (*grid.SEQUENCE_MODELS, *grid.TRANSFORMERS)
    return 1e-4 if is_network else 1e-12


@every_row
def test_it_learns(place):
    test = rows(150, 99)
    said = fitted(place).predict(test.texts)
    right = float((said.argmax(axis=1) == test.labels).mean())
    assert right >= (0.6 if ROWS[place].model == "vader" else LEARNT_BY_HEART)


@every_row
def test_it_answers_any_text_with_probabilities(place):
    said = fitted(place).predict(NEVER_SEEN)
    assert said.shape == (len(NEVER_SEEN), len(LABELS))
    assert said.dtype == np.float64
    assert np.isfinite(said).all()
    assert (said >= 0).all()
    assert said.sum(axis=1) == pytest.approx(np.ones(len(said)), abs=1e-6)
    assert fitted(place).predict([]).shape == (0, len(LABELS))


@every_row
def test_the_same_rows_and_seed_give_the_same_answers(place):
    again = make(ROWS[place], 1, around(place))
    again.fit(rows())
    test = rows(60, 99).texts
    assert np.array_equal(again.predict(test), fitted(place).predict(test))
    assert again.size_bytes() == fitted(place).size_bytes()


@every_row
def test_an_answer_hangs_on_its_text_alone(place):
    """Not on the order, and not on what is asked in the same call: a judged row must not tell of another."""
    texts = [*rows(40, 99).texts, *NEVER_SEEN]
    whole = fitted(place).predict(texts)
    turned = fitted(place).predict(texts[::-1])[::-1]
    alone = np.vstack([fitted(place).predict([text]) for text in texts])
    assert np.abs(whole - turned).max() <= near(place)
    assert np.abs(whole - alone).max() <= near(place)


@every_row
def test_what_is_judged_changes_nothing_that_is_learnt(place):
    before = fitted(place).predict(rows(60, 99).texts)
    fitted(place).predict(["wonderful awful"] * 300)
    assert np.array_equal(fitted(place).predict(rows(60, 99).texts), before)


@every_row
def test_its_size_is_that_of_what_it_keeps(place):
    assert fitted(place).size_bytes() > 100


@every_row
def test_a_class_that_is_missing_is_never_said(place):
    some = rows().part([at for at in range(len(rows())) if rows().labels[at] != 2])
    approach = make(ROWS[place], 1, around(place))
    approach.fit(some)
    said = approach.predict(rows(60, 99).texts)
    assert said.shape == (60, len(LABELS))
    assert np.isfinite(said).all()
    if ROWS[place].model != "vader":  # it knows the words of a class that it was shown no row of
        assert set(said.argmax(axis=1)) <= {0, 1}


@every_row
def test_an_option_that_it_does_not_have_is_refused(place):
    with pytest.raises(ParamsError, match="option 'colour'"):
        make(ROWS[place].model_copy(update={"options": {"colour": 1}}), 1, surroundings())


def test_every_pair_of_the_grid_is_asked():
    assert {(row.features, row.model) for row in CLASSICAL} == {
        (features, model) for model in ("naive_bayes", *grid.LINEAR, "forest") for features in grid.READS[model]
    }


@pytest.mark.parametrize("row", [row for row in CLASSICAL if row.model == "logistic"], ids=lambda row: row.name)
def test_one_class_alone_is_refused(row):
    alone = rows().part([at for at in range(len(rows())) if rows().labels[at] == 1])
    with pytest.raises(DatasetError, match=r"one class only \(\['neutral'\]\)"):
        make(row, 1, surroundings()).fit(alone)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"c": 1.0}, "option 'c' is none of tfidf and logistic; known: C, "),
        ({"min_dff": 1}, "did you mean 'min_df'"),
        ({"C": 0}, "option 'C': expected more than 0, found 0"),
        ({"C": "big"}, "expected a number, found 'big'"),
        ({"min_df": 0}, "expected 1 or more, found 0"),
        ({"min_df": 1.5}, "expected a whole number, found 1.5"),
        ({"class_weight": "even"}, "expected balanced or none, found 'even'"),
        ({"ngram_max": 9}, "expected 5 or less, found 9"),
        ({"dimensions": 50}, "option 'dimensions' is none of tfidf and logistic"),
    ],
)
def test_options_are_checked_before_anything_is_learnt(options, said):
    with pytest.raises(ParamsError, match=f"compare.rows: mine: .*{said}"):
        make(CompareRow(name="mine", features="tfidf", model="logistic", options=options), 1, surroundings())


def test_no_n_gram_that_is_frequent_enough_is_refused():
    row = CompareRow(name="mine", features="tfidf", model="logistic", options={"min_df": 5})
    few = Labelled(["one two", "three four"], np.array([0, 1]), ["a", "b"])
    with pytest.raises(DatasetError, match="no n-gram is left of 2 cleaned training texts .*set min_df lower"):
        make(row, 1, surroundings()).fit(few)


def test_a_row_of_vectors_without_a_file_is_refused():
    row = next(row for row in CLASSICAL if row.features == "vectors")
    with pytest.raises(ParamsError, match=r"compare\.vectors names no file"):
        make(row, 1, replace(surroundings(), vectors=None)).fit(rows())


def test_another_seed_gives_another_forest_and_the_same_svm():
    texts = rows(60, 99).texts
    for row in CLASSICAL:
        if row.model in ("forest", "svm") and row.features == "tfidf":
            approaches = [make(row, seed, surroundings()) for seed in (1, 2)]
            for approach in approaches:
                approach.fit(rows())
            one, other = (approach.predict(texts) for approach in approaches)
            assert np.array_equal(one, other) is not row.is_seeded


def test_the_encoders_features_are_the_mean_of_its_states_over_the_pieces_of_the_text():
    """Held against the model run on one text at a time, without padding."""
    import torch

    from groundswell.approaches.features import _Encoder
    from groundswell.encoder import load_classifier, load_tokenizer

    texts = ["a game", "what a wonderful long afternoon with this game 😀", ""]
    found = _Encoder(replace(surroundings(), train=TrainParams())).fit(texts)
    model, tokenizer = load_classifier("packaged").distilbert.eval(), load_tokenizer("packaged")
    with torch.inference_mode():
        expected = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0).numpy() for text in texts]
    assert np.abs(found - np.array(expected)).max() < 1e-4


def test_bytes_are_counted_once_for_each_thing():
    assert memory_bytes(np.zeros(10)) == 80
    assert memory_bytes({"a": 1}) > memory_bytes({}) + 20
    assert memory_bytes([np.zeros(10)]) > 80


@pytest.mark.parametrize(
    ("text", "label"),
    [("what a wonderful game", "positive"), ("the worst, I hate it", "negative"), ("the patch comes on monday", "neutral"), ("not good", "negative")],
)
def test_vader_says_what_its_authors_thresholds_say(text, label):
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    compound = SentimentIntensityAnalyzer().polarity_scores(text)["compound"]
    assert ("positive" if compound >= 0.05 else "negative" if compound <= -0.05 else "neutral") == label
    assert LABELS[fitted(0).predict([text])[0].argmax()] == label


def test_a_compound_at_the_threshold_is_over_it():
    assert [LABELS[place] for place in shares(np.array([-1, -0.05, -0.0499, 0, 0.0499, 0.05, 1]), -0.05, 0.05).argmax(axis=1)] == (
        ["negative"] * 2 + ["neutral"] * 3 + ["positive"] * 2
    )


def test_fitted_thresholds_are_no_worse_on_the_rows_they_were_fitted_on():
    """Where all rows that VADER finds mildly positive are neutral, the threshold moves up."""
    texts = ["fine", "okay then"] * 20 + ["wonderful, I love it, the best"] * 20 + ["horrible, I hate it, the worst"] * 20
    train = Labelled(texts, np.array([1] * 40 + [2] * 20 + [0] * 20), [str(place) for place in range(80)])
    approach = make(CompareRow(name="v", model="vader", options={"thresholds": "fitted"}), 1, surroundings())
    before = (approach.predict(texts).argmax(axis=1) == train.labels).mean()
    approach.fit(train)
    assert before < 0.8
    assert (approach.predict(texts).argmax(axis=1) == train.labels).mean() == 1
