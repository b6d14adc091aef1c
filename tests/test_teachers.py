"""Teachers speak of every row once, and of none whose group they have learnt."""

import numpy as np
import pytest
from pydantic import ValidationError
from tiny import tiny_rows

from groundswell import approaches
from groundswell.approaches import Labelled, teachers
from groundswell.errors import DatasetError
from groundswell.params import TrainParams


def rows(count: int, in_a_group: int = 3) -> Labelled:
    texts, labels = tiny_rows(count)
    return Labelled(texts, labels, [f"group {number // in_a_group}" for number in range(count)])


class Listening:
    """Says who it is, and remembers what it learnt and was asked."""

    heard: list = []

    def __init__(self, row, seed, surroundings):
        self.value = {"tfidf-logistic": 0.2, "vader": 0.6}[row.name]
        assert surroundings.train.distillation == 0

    def fit(self, train):
        self.learnt = train

    def predict(self, texts):
        self.heard.append((self.value, self.learnt, texts))
        return np.tile([self.value, 1 - self.value, 0.0], (len(texts), 1))


def test_every_row_is_asked_once_a_teacher_and_by_none_that_knows_its_group(monkeypatch, tmp_path):
    monkeypatch.setattr(approaches, "make", Listening)
    monkeypatch.setattr(Listening, "heard", [])
    learn = Labelled([f"text {number}" for number in range(60)], np.arange(60) % 3, [f"group {number // 2}" for number in range(60)])
    params = TrainParams(distillation=0.5, teachers=["tfidf-logistic", "vader"], teacher_folds=4)
    said = teachers.answers(learn, params, tmp_path)
    assert said == pytest.approx(np.tile([0.4, 0.6, 0.0], (60, 1)))
    group = dict(zip(learn.texts, learn.groups, strict=True))
    for value in (0.2, 0.6):
        heard = [(learnt, texts) for told, learnt, texts in Listening.heard if told == value]
        assert len(heard) == 4
        assert sorted(text for _, texts in heard for text in texts) == sorted(learn.texts)
        for learnt, texts in heard:
            assert len(learnt) + len(texts) == 60
            assert not {group[text] for text in texts} & set(learnt.groups)


@pytest.mark.slow
def test_labels_that_nothing_in_the_texts_tells_are_not_told(tmp_path):
    """A teacher that had learnt the rows it speaks of would know their labels by heart."""
    learn = rows(600)
    by_chance = Labelled(learn.texts, np.random.default_rng(1).integers(0, 3, 600), [str(number) for number in range(600)])
    params = TrainParams(distillation=0.5, teachers=["words-chars-lexicon-logistic", "tfidf-logistic"])
    said = teachers.answers(by_chance, params, tmp_path)
    assert said.sum(axis=1) == pytest.approx(1)
    assert (said.argmax(axis=1) == by_chance.labels).mean() < 0.42
    assert (teachers.answers(learn, params, tmp_path).argmax(axis=1) == learn.labels).mean() > 0.9


def test_too_few_groups_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="5 folds"):
        teachers.answers(rows(9), TrainParams(distillation=0.5), tmp_path)


def test_a_teacher_that_is_not_there_is_refused():
    with pytest.raises(ValidationError, match="there is no row 'tfidf-logistc'; did you mean 'tfidf-logistic'"):
        TrainParams(teachers=["tfidf-logistc"])
