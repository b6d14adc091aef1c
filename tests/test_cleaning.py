"""Cleaning takes away what its name says, and no more."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell import grid
from groundswell.approaches.cleaning import EMOTICONS, clean, cleaned, words_of
from groundswell.errors import ParamsError
from groundswell.text import normalise

SCRIPTS = ["यह फ़िल्म अच्छी नहीं है", "это не очень хорошо", "最高のゲーム", "اللعبة ممتازة", "งดงามมาก", "το παιχνίδι είναι καλό"]
LIGHT = [name for name in grid.CLEANINGS if name != "stop_words"]  # that one imports scikit-learn


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("none", "@user LOVE it!!!! http", "@user LOVE it!!!! http"),
        ("marks", "@user LOVE it!!!! http", "LOVE it!!"),
        ("marks", "nice :) but 10:30 is late :'(", "nice smiling but 10:30 is late crying"),
        ("marks", "yes😂👍🏽", "yes face with tears of joy thumbs up sign"),
        ("marks", "❤️ 🇩🇪 👨‍👩‍👧", "heart flag de man woman girl"),
        ("marks", "wait... what?!?!", "wait.. what?!?!"),
        ("words", "@user It’s GREAT, isn't it? 10/10 😀 http", "it's great isn't it"),
        ("stems", "Loving the games, hated waiting", "love the game hate wait"),
        ("lemmas", "The children were running, it isn't new", "the child be run it isn't new"),
        ("lemmas", "He went for a different moment and can't, won't or dont", "he go for a different moment and can't won't or dont"),
        ("few_stop_words", "It was not the best, but never boring", "not best but never boring"),
    ],
)
def test_what_is_left(name, text, expected):
    assert clean(name, text) == expected


@pytest.mark.slow
def test_the_librarys_stop_words_take_the_negation_with_them():
    assert clean("stop_words", "It was not the best, but never boring") == "best boring"
    assert clean("stop_words", "I couldn't say") == "say"


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("text", SCRIPTS)
def test_every_script_stays(name, text):
    assert clean(name, text) == text


@pytest.mark.parametrize("text", SCRIPTS)
def test_the_words_of_every_script_are_whole(text):
    assert words_of(text) == text.split()


@settings(max_examples=40)
@given(text=st.text(max_size=60).map(normalise), name=st.sampled_from(LIGHT))
def test_any_text_can_be_cleaned_and_cleaning_it_again_adds_nothing(name, text):
    once = clean(name, text)
    assert once == once.strip()
    if name not in ("none", "stems", "lemmas"):  # a stem can be cut again: that is how stemmers are
        assert set(words_of(clean(name, once))) <= set(words_of(once)) | set(" ".join(EMOTICONS).split())


@settings(max_examples=40)
@given(text=st.text(max_size=60).map(normalise))
def test_words_are_made_of_the_text_and_nothing_of_it_is_lost_but_space(text):
    kept = "".join("".join(words_of(text)).split())
    lost = set(text.lower().replace("\u2019", "'")) - set(kept)
    assert all(sign.isspace() or sign in "\u200d\ufe0e\ufe0f" for sign in lost)


def test_a_word_has_its_apostrophe_and_a_face_is_one():
    assert words_of("@user Don’t #panic :) 👍🏽!!") == ["@user", "don't", "#panic", ":)", "👍🏽", "!", "!"]
    assert words_of(" ".join(sign for signs in EMOTICONS.values() for sign in signs)) == [
        sign.lower() for signs in EMOTICONS.values() for sign in signs
    ]


def test_another_name_is_refused_with_the_nearest():
    with pytest.raises(ParamsError, match="no cleaning 'stem'; did you mean 'stems'"):
        clean("stem", "games")


@pytest.mark.parametrize("name", LIGHT)
def test_a_long_text_takes_no_longer_than_its_length(name):
    """Patterns that run away would take minutes."""
    for piece in ("!", "😂\u200d", "a'", ":'", "@", "👍🏽", "<3 "):
        started = time.perf_counter()
        cleaned(name, [piece * (10_000 // len(piece))])
        words_of(piece * (10_000 // len(piece)))
        assert time.perf_counter() - started < 2
