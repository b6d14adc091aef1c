"""The profile: what it measures of a text, what it refuses, and that it is fast enough for a training set."""

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import ModelError
from groundswell.profile import COLUMNS, TEXT_COLUMNS, profile

SURE = [0.1, 0.2, 0.7]


def measured(text: str) -> dict:
    """The profile of one text."""
    return profile([text], np.array([SURE], dtype=np.float32)).to_pylist()[0]


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("good game", "characters", 9),
        ("good game", "words", 2),
        ("good game", "word_length", 4),
        ("GOOD game", "uppercase_share", 0.5),
        ("ÄÖ éa", "uppercase_share", 0.5),
        ("ok 🎮", "emoji_share", 0.25),
        ("игра good", "non_latin_share", 0.5),
        ("größe naïve ſ", "non_latin_share", 0),
        ("とても 良い", "non_latin_share", 1),
        ("#fun #win not#this", "hashtags", 2),
        ("@someone @other hi", "mentions", 2),
        ("see https://example.org/x and www.example.org", "links", 2),
        ("fish &amp; chips", "characters", 12),
        ("", "characters", 0),
        ("", "word_length", 0),
        ("123 !?", "uppercase_share", 0),
    ],
)
def test_a_text_is_measured_as_a_model_reads_it(text, column, expected):
    assert measured(text)[column] == pytest.approx(expected)


def test_answers_stand_beside_the_text():
    row = measured("any")
    assert row["positive"] == pytest.approx(0.7)
    assert row["confidence"] == pytest.approx(0.7)
    assert row["entropy"] == pytest.approx(-sum(p * np.log(p) for p in SURE), abs=1e-6)


def test_columns_are_numbers_in_the_order_of_the_texts():
    table = profile(["a", "bb", "ccc"], np.full((3, 3), 1 / 3))
    assert table.column_names == list(COLUMNS)
    assert set(table.schema.types) == {pa.float64()}
    assert table["characters"].to_pylist() == [1, 2, 3]


def test_no_texts_give_no_rows():
    table = profile([], np.zeros((0, 3)))
    assert (table.num_rows, table.column_names) == (0, list(COLUMNS))


@pytest.mark.parametrize("shape", [(2, 3), (1, 2), (3,)])
def test_probabilities_of_other_texts_are_refused(shape):
    with pytest.raises(ModelError, match="expected probabilities of shape"):
        profile(["one"], np.zeros(shape))


def test_probabilities_that_are_no_numbers_are_refused():
    with pytest.raises(ModelError, match="NaN"):
        profile(["one"], np.array([[np.nan, 0.5, 0.5]]))


@given(st.lists(st.text(st.characters()), max_size=4))
def test_any_text_gives_finite_numbers_and_shares_within_bounds(texts):
    table = profile(texts, np.tile(SURE, (len(texts), 1)))
    for name in TEXT_COLUMNS:
        values = table[name].to_numpy()
        assert np.isfinite(values).all()
        if name.endswith("_share"):
            assert ((values >= 0) & (values <= 1)).all()


def test_fifty_thousand_texts_take_seconds():
    texts = ["The new patch is GREAT @dev #game https://example.org/a 🎮 but it lags, sadly, on my old machine"] * 5_000
    began = time.process_time()
    profile(texts, np.tile(SURE, (len(texts), 1)))
    assert time.process_time() - began < 1.5  # 0.2 s on a quiet machine; the bound is for a busy one
