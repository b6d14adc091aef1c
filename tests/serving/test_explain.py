"""/v1/explain: every number can be had by hand from /v1/predict, words are where they are said to be, and it costs what it may."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.predictor import Predictor
from groundswell.text import normalise
from serving import messages
from serving.explain import MOST_TOKENS, MOST_VARIANTS, spans, variants
from serving.messages import LABELS
from tests.serving.test_serving_app import ODD, problem_of
from tests.tiny import tiny_rows

TEXT = "the film crash  @somebody awful, don't https://example.org/x 😀 it"


@pytest.fixture(scope="module")
def predictor(exports):
    return Predictor.load(exports["1"])


def explained(client, text: str, **more) -> messages.ExplainResponse:
    answer = client.post("/v1/explain", json={"text": text, **more})
    assert answer.status_code == 200, answer.text
    return messages.ExplainResponse.model_validate(answer.json())


def log_odds(probabilities: dict[str, float], label: str) -> float:
    return math.log(probabilities[label]) - math.log(sum(value for name, value in probabilities.items() if name != label))


def test_words_are_those_of_a_reader(standing):
    body = explained(standing, TEXT)
    assert body.text == normalise(TEXT)
    assert [each.word for each in body.words] == ["the", "film", "crash", "@user", "awful", ",", "don't", "http", "😀", "it"]
    assert [body.text[each.start : each.end] for each in body.words] == [each.word for each in body.words]


@pytest.mark.parametrize("label", [None, *LABELS])
def test_every_number_can_be_had_by_hand(standing, label):
    """Each variant written down here as a person would, and asked of /v1/predict."""
    words = ["the", "film", "crash", "great", "it"]
    body = explained(standing, " ".join(words), **({"label": label} if label else {}))
    by_hand = [" ".join(words), "", *(" ".join(words[:place] + words[place + 1 :]) for place in range(len(words)))]
    predicted = standing.post("/v1/predict", json={"texts": by_hand}).json()["predictions"]
    whole, nothing, *without = [each["probabilities"] for each in predicted]
    assert body.label == label or label is None and body.label == predicted[0]["label"]
    assert body.probabilities.model_dump() == whole
    assert body.base.model_dump() == nothing
    assert [each.word for each in body.words] == words
    assert [each.without for each in body.words] == [each[body.label] for each in without]
    smallest = float(np.finfo(np.float32).tiny)
    for each, left in zip(body.words, without, strict=True):
        if min(*whole.values(), *left.values()) > smallest:
            assert each.contribution == pytest.approx(log_odds(whole, body.label) - log_odds(left, body.label), rel=1e-9, abs=1e-9)
    assert any(abs(each.contribution) > 0.1 for each in body.words), "a model that hangs on no word proves nothing here"


def test_contributions_are_signed_as_they_should_be(standing):
    """A word whose loss lowers the label's probability adds to it."""
    for text in tiny_rows(8, seed=3)[0]:
        body = explained(standing, text)
        here = body.probabilities.model_dump()[body.label]
        for each in body.words:
            assert each.without <= here or each.contribution <= 1e-6
            assert each.without >= here or each.contribution >= -1e-6


@pytest.mark.parametrize("text", [text[: messages.MAX_TEXT_CHARACTERS] for text in ODD.values()], ids=ODD.keys())
def test_odd_texts_are_explained_too(standing, text):
    body = explained(standing, text.encode("utf-8", "replace").decode())
    assert all(math.isfinite(each.contribution) for each in body.words)
    assert [body.text[each.start : each.end] for each in body.words] == [each.word for each in body.words]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=400))
def test_words_are_in_order_apart_and_few_enough(predictor, text):
    text = normalise(text)
    places = spans(predictor, text)
    assert all(0 <= place.start < place.end <= len(text) for place in places)
    assert all(one.end <= other.start for one, other in zip(places, places[1:], strict=False))
    assert len(places) <= MOST_VARIANTS
    assert len(variants(text, places)) == len(places) + 2


def test_a_long_text_costs_no_more_than_it_may(predictor):
    text = "great film awful map " * 100
    places = spans(predictor, normalise(text))
    asked = variants(normalise(text), places)
    assert len(places) <= MOST_VARIANTS
    assert sum(len(each.ids) for each in predictor.encode(asked)) <= MOST_TOKENS + 2 * predictor.max_length
    tokens = predictor.encode([normalise(text)])[0].ids
    assert len(places) < len(tokens) - 2, "neighbours are taken together"
    assert all(len(each.ids) < len(tokens) for each in predictor.encode(asked[2:])), "what is past the end does not come into sight"


def test_no_words_are_an_answer_too(standing):
    body = explained(standing, " \n")
    assert body.words == []
    assert body.probabilities == body.base


SECRET_WORD = "xylophone"


@pytest.mark.parametrize(
    ("body", "where", "expected"),
    [
        ({}, "body.text", "is not there"),
        ({"text": [SECRET_WORD]}, "body.text", "a string"),
        ({"text": SECRET_WORD * 1000}, "body.text", "at most 2000 characters"),
        ({"text": "fine", "label": SECRET_WORD}, "body.label", "'negative', 'neutral' or 'positive'"),
        ({"text": "fine", SECRET_WORD: 1}, "body.an unknown key", "only text, label"),
    ],
)
def test_wrong_requests_are_told_what_was_expected(standing, body, where, expected):
    answer = standing.post("/v1/explain", json=body)
    (fault,) = problem_of(answer, 422)["faults"]
    assert fault["where"] == where
    assert expected in fault["expected"]
    assert SECRET_WORD not in answer.text
