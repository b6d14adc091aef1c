"""The behavioural suite: enough cases, each once, that a model which knows the words passes and one which does not fails."""

import numpy as np
import pytest

from groundswell.behaviour import NEGATIVE, NEUTRAL, POSITIVE, cases, passed
from groundswell.config import JudgeParams
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


def test_a_model_that_names_sway_is_found_out():
    swayed = passed(lambda texts: np.array([np.eye(3)[POSITIVE if text.startswith(("Anna", "John")) else NEGATIVE] for text in texts]))
    assert swayed["names"]["passed"] == swayed["names"]["cases"] * 3 / 5


@pytest.mark.parametrize(("bound", "expected"), [(1.0, PROMOTE), (0.05, HOLD)])
def test_a_drop_is_a_gate_only_where_params_say_so(bound, expected):
    assert decide(_evidence(behaviour_drop=0.1), JudgeParams(max_behaviour_drop=bound))[0] == expected
