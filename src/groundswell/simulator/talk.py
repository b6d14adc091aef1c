"""What can be said about a topic on a day: the words, names and sentence patterns in use, ready to be drawn from."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date
from functools import cache, lru_cache

from groundswell.simulator import coinage, lexicon, phrases
from groundswell.simulator.rotation import in_use
from groundswell.simulator.topics import VOCABULARIES

WORD_DAYS, PHRASE_DAYS, NAME_DAYS = 4, 18, 12
"""How many days a word, a sentence pattern, a name stays in use."""
SHAPES = {
    "positive": {"plain": 66, "negated": 9, "contrast": 11, "reported": 5, "better": 4, "relief": 5},
    "negative": {"plain": 62, "negated": 9, "contrast": 11, "reported": 5, "worse": 4, "sarcasm": 5, "wishes": 4},
    "neutral": {"neutral": 100},
}
"""Sentiment → its sentence patterns and how many in a hundred posts use them."""

Pattern = list[str]
"""Text and slots by turns: text first, text last."""
Drawer = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""The words of a slot: those of every day, those of this one, and this season's slang."""

_SLOT = re.compile(r"\{(\w+)\}")
_ROTATES_FROM = 25
"""A shorter list of things, people, places is in use as a whole."""


@cache
def pattern(text: str) -> Pattern:
    """``text`` cut at its slots."""
    return _SLOT.split(text)


@lru_cache(maxsize=256)
def talk_of(seed: int, topic: str, day: date) -> Talk:
    return Talk(seed, topic, day)


class Talk:
    """One day of one topic of one world."""

    def __init__(self, seed: int, topic: str, day: date):
        self._seed, self._topic, self._day = seed, topic, day
        self.vocabulary = VOCABULARIES[topic]
        self.weights = mood(day)
        self.plain = self._patterns("plain")
        self.shapes = {label: (list(shapes.values()), [self._patterns(name) for name in shapes]) for label, shapes in SHAPES.items()}
        self.fillers = [pattern(text) for text in (*phrases.FILLERS, *self.vocabulary.fillers)]
        self.first_names = [*in_use(self.vocabulary.first_names, day, NAME_DAYS, seed), *coinage.names(seed, topic, day)]
        self.last_names = in_use(self.vocabulary.last_names, day, NAME_DAYS, seed)
        self.drawers = self._drawers()

    def _patterns(self, name: str) -> list[Pattern]:
        common = phrases.BETTER_WORSE.get({"better": "positive", "worse": "negative"}.get(name, "")) or getattr(phrases, name.upper(), ())
        return [pattern(text) for text in in_use((*common, *getattr(self.vocabulary, name, ())), self._day, PHRASE_DAYS, self._seed)]

    def _drawers(self) -> dict[str, dict[str, Drawer]]:
        """Sentiment → slot → its words. ``{A}`` and its like depend on the sentiment, ``{good}`` and its like do not."""
        words = self.vocabulary
        loaded = {
            name: (always, in_use(rotating, self._day, WORD_DAYS, self._seed), coinage.slang(self._seed, self._topic, self._day, name) if new else ())
            for name, always, rotating, new in (
                ("good", words.good_always, words.good, True),
                ("bad", words.bad_always, words.bad, True),
                ("like", words.like_always, words.like, False),
                ("dislike", words.dislike_always, words.dislike, False),
                ("good_event", (), words.good_events, False),
                ("bad_event", (), words.bad_events, False),
                ("good_idiom", (), words.good_idioms, False),
                ("bad_idiom", (), words.bad_idioms, False),
                ("good_aspect", (), words.good_aspects, False),
                ("bad_aspect", (), words.bad_aspects, False),
            )
        }
        neutral = {name: ((), items, ()) for name, items in self._neutral().items()}
        sided = {side: {slot: loaded[pair[is_other]] for slot, pair, is_other in _sided(side)} for side in ("positive", "negative")}
        return {label: {**loaded, **neutral, **sided.get(label, {})} for label in SHAPES}

    def _neutral(self) -> dict[str, Sequence[str]]:
        words = self.vocabulary
        lists = {
            "thing": words.things,
            "who": words.people,
            "place": words.places,
            "time": words.times,
            "maker": words.makers,
            "n": lexicon.NUMBERS,
            "day": lexicon.WEEKDAYS,
            "adv": phrases.ADVERBS,
        }
        return {name: items if len(items) < _ROTATES_FROM else in_use(items, self._day, NAME_DAYS, self._seed) for name, items in lists.items()}


def _sided(side: str):
    """(slot, (positive's list, negative's list), which of them) for a post of ``side``."""
    pairs = (("good", "bad"), ("like", "dislike"), ("good_event", "bad_event"), ("good_idiom", "bad_idiom"), ("good_aspect", "bad_aspect"))
    for (same, other), pair in zip(("AZ", "VW", "EF", "IJ", "ST"), pairs, strict=True):
        yield same, pair, int(side == "negative")
        yield other, pair, int(side == "positive")


def mood(day: date) -> tuple[float, float, float]:
    """The day's weights of `LABELS`: about 30 / 35 / 35, moving slowly over two months."""
    swing = 0.05 * math.sin(2 * math.pi * day.toordinal() / 61)
    return 0.30 + swing, 0.35, 0.35 - swing
