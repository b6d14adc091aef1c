"""The behavioural suite: enough cases, each once, that a model which knows the words passes and one which does not fails."""

import numpy as np
import pytest

from groundswell.behaviour import NEGATIVE, NEUTRAL, POSITIVE, cases, passed, spoken
from groundswell.params import JudgeParams
from groundswell.phrasebook import PHRASES
from groundswell.verdict import HOLD, PROMOTE, decide
from tests.test_judge import _evidence

CAPABILITIES = {"vocabulary", "neutral statements", "negation", "negation of the bad", "emoji", "typos", "names", "intensifiers"}


def test_there_are_enough_cases_none_of_them_twice_and_every_change_is_one():
    suite = cases()
    assert len(suite) >= 300 and len({case.texts for case in suite}) == len(suite)
    assert {case.capability for case in suite} == CAPABILITIES
    assert {case.kind for case in suite} == {"minimum functionality", "invariance", "direction"}
    assert all(len(case.texts) == 1 or case.texts[0] != case.texts[1] for case in suite)


def _lexicon(texts):
    """A model of one rule: what it says hangs on the words and the emoji."""
    found = []
    for text in texts:
        good = sum(word in text for word in ("great", "wonderful", "excellent", "beautiful", "good", "😍", "🎉"))
        bad = sum(word in text for word in ("awful", "terrible", "horrible", "ugly", "bad", "😡", "💔", "👎"))
        good, bad = (bad, good) if " not " in text else (good, bad)
        label = POSITIVE if good > bad else NEGATIVE if bad > good else NEUTRAL
        found.append(np.eye(3)[label])
    return np.array(found)


def test_a_model_that_knows_the_words_passes_all_and_one_that_is_always_pleased_does_not():
    assert all(line["passed"] == line["cases"] for line in passed(_lexicon).values())
    pleased = passed(lambda texts: np.tile([0.1, 0.1, 0.8], (len(texts), 1)))
    assert pleased["negation"]["passed"] == pleased["neutral statements"]["passed"] == 0 and pleased["names"]["passed"] == pleased["names"]["cases"]
    assert pleased["vocabulary"]["passed"] == pleased["vocabulary"]["cases"] / 2
    reversed_ = passed(lambda texts: _lexicon(texts)[:, ::-1])
    assert reversed_["emoji"]["passed"] == reversed_["vocabulary"]["passed"] == 0


def test_what_is_no_number_passes_nothing():
    assert passed(lambda texts: np.full((len(texts), 3), np.nan))["all"]["passed"] == 0


def test_a_model_that_names_sway_is_found_out():
    swayed = passed(lambda texts: np.array([np.eye(3)[POSITIVE if text.startswith(("Anna", "John")) else NEGATIVE] for text in texts]))
    assert swayed["names"]["passed"] == swayed["names"]["cases"] * 3 / 5


@pytest.mark.parametrize(("bound", "expected"), [(1.0, PROMOTE), (0.05, HOLD)])
def test_a_drop_is_a_gate_only_where_params_say_so(bound, expected):
    assert decide(_evidence(behaviour_drop=0.1), JudgeParams(max_behaviour_drop=bound))[0] == expected


# --- other languages ---------------------------------------------------------------------------------------------------

GOOD = {
    "es": ["encanta", "maravill", "excelente", "bonito", "buen", "rica", "contenta", "gust", "vale"],
    "de": ["liebe", "wunderbar", "ausgezeichnet", "schönes", "lecker", "zufrieden", "gut", "gef", "begeistert", "wert", "mag "],
    "fr": ["ador", "magnifique", "excellent", "bel ", "délicieux", "contente", "bon", "aime ", "aimé", "vaut"],
    "pt": ["ador", "maravilh", "excelente", "lindo", "delicios", "contente", "bom", "boa", "gost", "vale"],
}
BAD = {
    "es": ["odio", "horrible", "porquería", "aburrid", "mal", "decepcionad", "desastre"],
    "de": ["hasse", "furchtbar", "schrott", "langweilig", "ungenießbar", "enttäuscht", "schlecht", "katastrophe"],
    "fr": ["déteste", "affreux", "camelote", "ennuyeux", "infect", "déçu", "mauvais", "catastrophe", "mal"],
    "pt": ["odeio", "horrível", "porcaria", "chato", "péssim", "farto", "ruim", "desastre", "mal"],
}
NO = {"es": (" no ",), "de": (" nicht", " keine "), "fr": (" ne ", " n'"), "pt": (" não ",)}


def _speaks(language):
    """A model of one rule that knows the words of one language: with a denial, good is bad and bad is good."""

    def predict(texts):
        found = []
        for text in texts:
            text = f" {text.lower()}"
            good = sum(word in text for word in GOOD[language]) + any(emoji in text for emoji in "😍🎉")
            bad = sum(word in text for word in BAD[language]) + any(emoji in text for emoji in "😡💔👎")
            good, bad = (bad, good) if any(word in text for word in NO[language]) else (good, bad)
            found.append(np.eye(3)[POSITIVE if good > bad else NEGATIVE if bad > good else NEUTRAL])
        return np.array(found)

    return predict


@pytest.mark.parametrize("language", PHRASES)
def test_every_language_has_the_same_capabilities_and_who_knows_its_words_passes(language):
    own = [case for case in cases([language]) if case.language == language]
    assert len(own) >= 40 and {case.capability for case in own} == CAPABILITIES and len({case.texts for case in own}) == len(own)
    assert all(len(case.texts) == 1 or case.texts[0] != case.texts[1] for case in own)
    found = passed(_speaks(language), [language])
    assert {name: line for name, line in found.items() if line.get("language") == language and line["passed"] < line["cases"]} == {}
    reversed_ = passed(lambda texts: _speaks(language)(texts)[:, ::-1], [language])
    missed = {line["capability"] for line in reversed_.values() if line.get("language") == language and line["passed"] < line["cases"]}
    assert missed >= {"vocabulary", "negation", "negation of the bad", "emoji"}


def test_languages_are_told_apart_in_what_is_told_and_english_stands_always():
    found = passed(_lexicon, ["de", "pt", "xx"])
    assert [name for name in found if name.startswith("negation")] == [
        *("negation", "negation of the bad", "negation (de)", "negation of the bad (de)", "negation (pt)", "negation of the bad (pt)")
    ]
    assert found["vocabulary (de)"] | {"passed": 0} == {
        **{"kind": "minimum functionality", "language": "de", "capability": "vocabulary"},
        **{"cases": 12, "passed": 0},
    }
    assert found["all"]["cases"] == len(cases(["de", "pt"])) == sum(line["cases"] for name, line in found.items() if name != "all")
    assert len(cases()) == len(cases(["en"])) == sum(case.language == "en" for case in cases(["de", "pt"]))


def test_a_topics_languages_are_those_asked_for_or_those_of_one_row_in_twenty():
    said = ["en"] * 90 + ["es-MX"] * 3 + ["es"] * 2 + ["de"] * 4 + [None]
    assert spoken(said) == ["en", "es"]
    assert spoken(said, ["pt-BR", "DE"]) == ["de", "pt"]
    assert spoken([]) == []


@pytest.mark.slow
@pytest.mark.parametrize("language", PHRASES)
def test_the_phrasebook_is_written_in_the_language_that_it_says(language):
    from groundswell.language import languages

    texts = [case.texts[0] for case in cases([language]) if case.language == language]
    assert languages([None], [" ".join(texts)]) == [language]
    assert languages([None] * len(texts), texts).count(language) > 0.7 * len(texts)
