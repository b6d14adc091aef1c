"""What the platform says goes; what it does not say is told from the text, or not at all."""

import pytest

from groundswell.language import UNKNOWN, languages, primary


def test_the_platforms_word_goes():
    assert languages(["pt-BR", "en"], ["this is English", "auch das ist gesagt"]) == ["pt-BR", "en"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The new patch makes every fight feel fair at last", "en"),
        ("Dieses Spiel ist leider eine große Enttäuschung geworden", "de"),
        ("このゲームは本当に素晴らしいと思います", "ja"),
        ("אני אוהב את המשחק הזה מאוד", "he"),
        ("😀😀 !!!", UNKNOWN),
        ("@user http", UNKNOWN),
        ("gg", UNKNOWN),
    ],
)
def test_told_from_the_text(text, language):
    assert languages([None], [text]) == [language]
    assert languages([""], [text]) == [language]


def test_primary():
    assert [primary(word) for word in ("en", "en-GB", "pt_BR", "EN", "zh-Hans-CN")] == ["en", "en", "pt", "en", "zh"]
