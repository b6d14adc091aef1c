"""pseudonym: keyed, one a source, and the id is taken out of everything that is written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.pseudonym import Pseudonyms

NAMES = Pseudonyms(b"a-key-of-the-tests", "steam", [("author", "steamid"), ("by",)])


def test_a_pseudonym_depends_on_key_source_and_author():
    others = [Pseudonyms(b"another-key-of-tests", "steam"), Pseudonyms(b"a-key-of-the-tests", "hackernews")]
    assert len({NAMES.of("otter"), NAMES.of("heron"), *(other.of("otter") for other in others)}) == 4
    assert NAMES.of("otter") == Pseudonyms(b"a-key-of-the-tests", "steam").of("otter")
    assert NAMES.of(None) is None


@pytest.mark.parametrize(
    ("author", "text", "hidden"),
    [
        ("otter_77", "so says otter_77", "so says *"),
        ("otter_77", "Otter_77!", "*!"),
        ("otter_77", "otter_778 is someone else", "otter_778 is someone else"),
        ("game", "what a game", "what a game"),
        ("game", "thanks @game", "thanks @*"),
        ("game", "https://x.example/user/game/1", "https://x.example/user/*/1"),
        ("game", "author_game", "author_*"),
        ("76561197960265728", "id 76561197960265728 here", "id * here"),
        ("a.b+c", "mail a.b+c now", "mail * now"),
    ],
)
def test_the_id_is_taken_out_of_strings(author, text, hidden):
    assert NAMES.hider(author).text(text) == hidden.replace("*", NAMES.of(author))


def test_ids_of_others_at_the_paths_are_hidden_too():
    record = {"author": {"steamid": 7656, "n": 1}, "by": "heron_1", "more": [{"x": "by otter_77"}], "otter_77": 1.5, "odd": float("nan")}
    raw = json.loads(NAMES.hider("otter_77").record(record))
    assert raw["author"] == {"steamid": NAMES.of("7656"), "n": 1}
    assert raw["by"] == NAMES.of("heron_1")
    assert raw["more"] == [{"x": f"by {NAMES.of('otter_77')}"}]
    assert raw["odd"] is None and raw[NAMES.of("otter_77")] == 1.5


def test_an_author_is_hidden_under_every_name():
    hide = NAMES.hider("did:plc:otter7", "otter.example.social", "otter")
    text = "@otter.example.social or @otter says: an otter at https://x.example/did:plc:otter7/1"
    assert hide.text(text) == text.replace("@otter.example.social", "@*").replace("@otter ", "@* ").replace("did:plc:otter7", "*").replace(
        "*", NAMES.of("did:plc:otter7")
    )
    assert json.loads(hide.record({"author": {"steamid": "otter.example.social"}, "by": "heron_1"})) == {
        "author": {"steamid": NAMES.of("did:plc:otter7")},
        "by": NAMES.of("heron_1"),
    }


@pytest.mark.parametrize("value", [76561, 76561.0])
def test_an_id_that_is_a_number_is_hidden_wherever_it_stands(value):
    assert json.loads(NAMES.hider("76561").record({"parent": value, "n": 76562.0, "half": 76561.5})) == {
        "parent": NAMES.of("76561"),
        "n": 76562.0,
        "half": 76561.5,
    }


@given(st.text(), st.one_of(st.none(), st.text(min_size=1)))
def test_any_text_of_any_author_can_be_stored(text, author):
    NAMES.hider(author).text(text).encode("utf-8")
    json.loads(NAMES.hider(author).record({"text": text, "by": author, "k": [text]}))


@pytest.mark.parametrize("written", ["kiosk_77", "KIOSK_77", "\u212aiosk_77", "kio\u017fk_77", "k\u0131osk_77", "K\u0130OSK_77"])
def test_an_id_is_hidden_in_every_case_that_a_pattern_takes_for_the_same(written):
    assert NAMES.hider("kiosk_77").text(f"by @{written}!") == f"by @{NAMES.of('kiosk_77')}!"
