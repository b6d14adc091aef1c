"""What the platform says goes unless the text says otherwise for sure; what nobody says is told from the text, or not at all."""

from pathlib import Path

import pytest

from groundswell.errors import ParamsError
from groundswell.language import UNKNOWN, Model, languages, letters, primary
from groundswell.params import LANGUAGES, HygieneParams

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parent.parent / "benchmarks" / "data" / "languages.tsv"
SENTENCES = [tuple(line.split("\t")) for line in PAGE.read_text(encoding="utf-8").splitlines()]


def told(said, text, **params):
    return languages([said], [text], HygieneParams(**params))[0]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The new patch makes every fight feel fair at last", "en"),
        ("Dieses Spiel ist leider eine große Enttäuschung geworden", "de"),
        ("このゲームは本当に素晴らしいと思います", "ja"),
        ("אני אוהב את המשחק הזה מאוד", "he"),
        ("音乐真好听", "zh"),
        ("😀😀 !!!", UNKNOWN),
        ("@user http", UNKNOWN),
        ("gg", UNKNOWN),
        ("@user so good http", UNKNOWN),
        ("hjklm qwrtz bnmvc xxkjhg", UNKNOWN),
    ],
)
def test_told_from_the_text(text, language):
    assert told(None, text) == told("", text) == language


def test_sentences_of_twenty_languages_are_told():
    found = languages([None] * len(SENTENCES), [text for _, text in SENTENCES])
    right = sum(one == language for one, (language, _) in zip(found, SENTENCES, strict=True))
    assert len({language for language, _ in SENTENCES}) >= 20 and right >= 0.97 * len(SENTENCES)


def test_a_right_word_of_the_platform_stays():
    said = [language for language, _ in SENTENCES]
    assert languages(said, [text for _, text in SENTENCES]) == said
    assert told("pt-BR", "Demorou três semanas para chegar e veio errado") == "pt-BR"


def test_a_wrong_word_gives_way_where_the_text_is_sure():
    wrong = [(language, text) for language, text in SENTENCES if language != "en"]
    found = languages(["en"] * len(wrong), [text for _, text in wrong])
    assert sum(one == language for one, (language, _) in zip(found, wrong, strict=True)) >= 0.9 * len(wrong)


@pytest.mark.parametrize(
    ("said", "text", "params"),
    [
        ("en", "so gut", {}),
        ("en", "Für den Preis hätte ich deutlich mehr erwartet", {"language_trust": 1}),
        ("ca", "Le service client ne répond jamais, j'abandonne", {}),
        ("de", "Minecraft Server Update", {}),
    ],
)
def test_the_platforms_word_goes(said, text, params):
    assert told(said, text, **params) == said


def test_letters():
    assert [letters(text) for text in ("a b1!", "@user http ok", "这个", "😀")] == [2, 2, 6, 0]


def test_only_the_languages_asked_for():
    assert told(None, "Für den Preis hätte ich deutlich mehr erwartet", languages=["en", "de"]) == "de"
    assert told(None, "Für den Preis hätte ich deutlich mehr erwartet", languages=["en", "fr"]) != "de"


def test_a_language_that_the_model_lacks_is_named():
    with pytest.raises(ParamsError, match="klingon"):
        told(None, "", languages=["en", "klingon"])
    assert told(None, "", languages=list(LANGUAGES)) == UNKNOWN


def test_primary():
    assert [primary(word) for word in ("en", "en-GB", "pt_BR", "EN", "zh-Hans-CN")] == ["en", "en", "pt", "en", "zh"]


def test_probabilities_are_those_of_py3langid():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    texts = [text for _, text in SENTENCES] + ["", "!", "ALL CAPITALS ARE NO LANGUAGE", "x" * 300, "ok"]
    for codes in (LANGUAGES, ()):
        theirs = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        theirs.set_languages(list(codes) or None)
        ours = Model(codes)
        for text, chances in zip(texts, ours.probabilities(texts), strict=True):
            expected = dict(theirs.rank(text))
            assert {code: expected[code] for code in ours.codes} == pytest.approx(dict(zip(ours.codes, chances.tolist(), strict=True)), abs=2e-3)


def test_a_long_text_is_told_by_its_beginning():
    assert told(None, "Seit dem letzten Patch stürzt das Spiel jede Stunde ab. " * 5000) == "de"
