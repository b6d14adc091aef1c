"""wrapped: an id comes back with its key only, and is the same word every time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.wrapped import holds_wrapped, unwrap, wrap

KEY, OTHER = b"a-key-of-the-tests", b"another-key-of-tests"


@given(st.text(min_size=1))
def test_a_wrapped_id_comes_back(native):
    word = wrap(native, KEY, "bluesky")
    assert word == wrap(native, KEY, "bluesky")
    assert unwrap(word, [OTHER, KEY], "bluesky") == native
    assert holds_wrapped(f"at://{word}/1") and not holds_wrapped(native.replace("~", ""))


def test_another_key_or_source_is_another_word_and_opens_nothing():
    word = wrap("did:plc:otter", KEY, "bluesky")
    assert len({word, wrap("did:plc:otter", OTHER, "bluesky"), wrap("did:plc:otter", KEY, "lemmy"), wrap("did:plc:heron", KEY, "bluesky")}) == 4
    assert unwrap(word, [OTHER], "bluesky") is None
    assert unwrap(word, [KEY], "lemmy") is None


@pytest.mark.parametrize("word", ["", "~", "did:plc:otter", "~" + "A" * 64, "~é", "~AAAA", "~" + "A" * 61, wrap("did:plc:otter", KEY, "bluesky")[1:]])
def test_what_nobody_wrapped_is_none(word):
    assert unwrap(word, [KEY], "bluesky") is None
