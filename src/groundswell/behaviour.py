"""Behaviour: what any sentiment model of a language should do, as invented cases made of templates, told by capability.

In the manner of CheckList (Ribeiro, Wu, Guestrin and Singh 2020): minimum functionality (the label is known), invariance (a change that
means nothing changes no label), direction (a change that means something moves the probability the right way, or does not move it much
the wrong way). English always, of templates; Spanish, German, French and Portuguese (`phrasebook`) where a topic speaks them. Reads and
writes nothing; the cases are the same each time. Refuses no model: it reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from groundswell.language import primary
from groundswell.phrasebook import PHRASES
from groundswell.schema import LABELS

NEGATIVE, NEUTRAL, POSITIVE = range(len(LABELS))
SLACK = 0.05
"""So far P(positive) - P(negative) may move the wrong way before a direction counts as missed."""

SPOKEN_SHARE = 0.05
"""Of a topic's rows, so many in a language make it one of the topic's."""

_THINGS = ("game", "film", "phone", "album", "restaurant", "update")
_GOOD = ("great", "wonderful", "excellent", "beautiful", "good")
_BAD = ("awful", "terrible", "horrible", "ugly", "bad")
_FACTS = ("The {} was announced on Monday.", "The {} is listed in the table.", "The {} has a number and a date.", "They opened the {} at nine.")
_NAMES = (("Anna", "Fatima"), ("John", "Rahul"), ("Maria", "Ingrid"), ("David", "Kwame"), ("Emma", "Yuki"))
_EMOJI = (("😍", POSITIVE), ("🎉", POSITIVE), ("😡", NEGATIVE), ("💔", NEGATIVE), ("👎", NEGATIVE))
_VERY = ("very", "really", "extremely", "so", "absolutely")


@dataclass(frozen=True)
class Case:
    """One text with the label that it must get, or two of which the second is the first, changed.

    ``expected`` is a class number: of the text (minimum functionality), or the class towards which the answer must move, or at least
    not away from it (direction).
    """

    capability: str
    kind: str
    texts: tuple[str, ...]
    expected: int | None = None
    language: str = "en"

    @property
    def name(self) -> str:
        """What it is told under: the capability, and the language where that is not English."""
        return self.capability if self.language == "en" else f"{self.capability} ({self.language})"

    def is_passed(self, answers: np.ndarray) -> bool:
        """Whether ``answers`` (texts, 3) to its texts are as they should be; what is no number is not."""
        if not np.isfinite(answers).all():
            return False
        if self.kind == "minimum functionality":
            return int(answers[0].argmax()) == self.expected
        if self.kind == "invariance":
            return int(answers[0].argmax()) == int(answers[1].argmax())
        before, after = answers[:, POSITIVE] - answers[:, NEGATIVE]
        return bool(after >= before - SLACK if self.expected == POSITIVE else after <= before + SLACK)


def cases(languages: Iterable[str] = ()) -> list[Case]:
    """Every case of the suite, in order: English, then those of ``languages`` (ISO 639-1) that the phrasebook has."""
    english = [*_vocabulary(), *_neutral(), *_negation(), *_emoji(), *_typos(), *_names(), *_intensifiers()]
    return english + [case for language in PHRASES if language in set(languages) for case in _of_phrases(language)]


def spoken(said: Sequence[str | None], asked: Iterable[str] = ()) -> list[str]:
    """The languages of a topic, by ISO 639-1: those ``asked`` for, else those of at least `SPOKEN_SHARE` of its rows, of which ``said`` has
    the language each (BCP 47, or None)."""
    if wanted := sorted({primary(language) for language in asked}):
        return wanted
    counts = Counter(primary(language) for language in said if language)
    return sorted(language for language, count in counts.items() if count >= SPOKEN_SHARE * len(said))


def passed(predict: Callable[[Sequence[str]], np.ndarray], languages: Iterable[str] = ()) -> dict[str, dict]:
    """`Case.name` → ``{"kind", "language", "capability", "cases", "passed"}``, and ``all`` of them; ``predict`` gives (n, 3) for n texts."""
    suite = cases(languages)
    answers = predict([text for case in suite for text in case.texts])
    found: dict[str, dict] = {}
    start = 0
    for case in suite:
        is_passed = case.is_passed(answers[start : start + len(case.texts)])
        start += len(case.texts)
        about = {"kind": case.kind, "language": case.language, "capability": case.capability}
        line = found.setdefault(case.name, {**about, "cases": 0, "passed": 0})
        line["cases"] += 1
        line["passed"] += int(is_passed)
    found["all"] = {"kind": "all", **{name: sum(line[name] for line in found.values()) for name in ("cases", "passed")}}
    return found


def _of_phrases(language: str) -> Iterator[Case]:
    """The cases of a language of the phrasebook, by the same capabilities as in English."""
    phrases, functionality = PHRASES[language], "minimum functionality"
    labelled = {"vocabulary": ((phrases.good, POSITIVE), (phrases.bad, NEGATIVE)), "neutral statements": ((phrases.facts, NEUTRAL),)}
    labelled["negation"] = ((phrases.not_good, NEGATIVE),)
    for capability, groups in labelled.items():
        for texts, label in groups:
            for text in texts:
                yield Case(capability, functionality, (text,), label, language)
    moved = [("negation of the bad", pair, POSITIVE) for pair in phrases.not_bad]
    moved += [("emoji", (opening, f"{opening} {emoji}"), label) for opening in phrases.openings for emoji, label in _EMOJI]
    moved += [("intensifiers", pair, label) for pairs, label in ((phrases.better, POSITIVE), (phrases.worse, NEGATIVE)) for pair in pairs]
    for capability, pair, label in moved:
        yield Case(capability, "direction", pair, label, language)
    for capability, pairs in (("typos", phrases.typos), ("names", phrases.names)):
        for pair in pairs:
            yield Case(capability, "invariance", pair, None, language)


def _judgements() -> Iterator[tuple[str, str, int]]:
    for words, label in ((_GOOD, POSITIVE), (_BAD, NEGATIVE)):
        for thing in _THINGS:
            for word in words:
                yield thing, word, label


def _vocabulary() -> Iterator[Case]:
    for thing, word, label in _judgements():
        yield Case("vocabulary", "minimum functionality", (f"This {thing} is {word}.",), label)


def _neutral() -> Iterator[Case]:
    for thing in _THINGS:
        for fact in _FACTS:
            yield Case("neutral statements", "minimum functionality", (fact.format(thing),), NEUTRAL)


def _negation() -> Iterator[Case]:
    for thing, word, label in _judgements():
        if label == POSITIVE:
            yield Case("negation", "minimum functionality", (f"This {thing} is not {word} at all.",), NEGATIVE)
        else:
            yield Case("negation of the bad", "direction", (f"This {thing} is {word}.", f"This {thing} is not {word}."), POSITIVE)


def _emoji() -> Iterator[Case]:
    for thing in _THINGS:
        for emoji, label in _EMOJI:
            yield Case("emoji", "direction", (f"So this is the {thing}", f"So this is the {thing} {emoji}"), label)


def _typos() -> Iterator[Case]:
    for thing, word, _ in _judgements():
        text = f"I think that the new {thing} is {word}, honestly"
        yield Case("typos", "invariance", (text, text.replace("think", "thikn").replace("honestly", "honeslty")))


def _names() -> Iterator[Case]:
    for thing, word, label in _judgements():
        one, other = _NAMES[(_GOOD if label == POSITIVE else _BAD).index(word)]
        yield Case("names", "invariance", (f"{one} says the {thing} is {word}", f"{other} says the {thing} is {word}"))


def _intensifiers() -> Iterator[Case]:
    for thing, word, label in _judgements():
        very = _VERY[(_GOOD if label == POSITIVE else _BAD).index(word)]
        yield Case("intensifiers", "direction", (f"The {thing} is {word}", f"The {thing} is {very} {word}"), label)
