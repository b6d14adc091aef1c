"""Writes the simulated posts of a day: short, about games, and not solved by counting words.

The sentiment is made by the sentence as a whole (negation, contrast, sarcasm, wishes, what others say), the words rotate from day
to day (`groundswell.simulator.rotation`), and neutral posts carry the same loaded words as the others. On top come the
marks of real posts (`groundswell.simulator.surface`): repeats, other languages, blank rows, posts about something else.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from datetime import date

from groundswell.schema import LABELS
from groundswell.simulator import lexicon, phrases
from groundswell.simulator.foreign import FOREIGN
from groundswell.simulator.rotation import in_use
from groundswell.simulator.surface import dress, repeat

ALWAYS_SHARE = 0.2
"""How often a loaded word is one of those in use every day."""
WORD_DAYS, PHRASE_DAYS, NAME_DAYS = 4, 18, 12
"""How many days a word, a sentence pattern, a name stays in use."""
AMBIGUOUS_SHARE = 0.03
"""Posts whose writer felt something else than the sentence says: nobody can get these right."""
FEWEST_WORDS, MOST_WORDS = 8, 45

SHAPES = {
    "positive": (
        (phrases.PLAIN, 66),
        (phrases.NEGATED, 9),
        (phrases.CONTRAST, 11),
        (phrases.REPORTED, 5),
        (phrases.BETTER_WORSE["positive"], 4),
        (phrases.RELIEF, 5),
    ),
    "negative": (
        (phrases.PLAIN, 62),
        (phrases.NEGATED, 9),
        (phrases.CONTRAST, 11),
        (phrases.REPORTED, 5),
        (phrases.BETTER_WORSE["negative"], 4),
        (phrases.SARCASM, 5),
        (phrases.WISHES, 4),
    ),
    "neutral": ((phrases.NEUTRAL, 100),),
}
"""Sentiment → its sentence patterns and how many in a hundred posts use them."""

_SLOT = re.compile(r"\{(\w+)\}")
_OTHER_SIDE = {"positive": "negative", "negative": "positive"}


@dataclass(frozen=True)
class Written:
    """A post's text and the truth about it."""

    text: str
    sentiment: str
    lang: str = "en"
    is_off_topic: bool = False


class Writer:
    """The writer of one day of one topic; every choice comes from ``chance``."""

    def __init__(self, seed: int, topic: str, day: date, chance: random.Random):
        self._seed = seed
        self._topic = topic
        self._day = day
        self._chance = chance
        self._weights = _mood(day)
        self._today: list[Written] = []

    def write(self, platform: str) -> Written:
        """The next post on ``platform``."""
        written = self._special(platform) or self._ordinary(platform)
        self._today.append(written)
        return written

    def _special(self, platform: str) -> Written | None:
        roll = self._chance.random()
        if roll < 0.006:
            return Written(self._chance.choice(("", "   ", "\n\n", "\u200b")), "neutral")
        if roll < 0.041 and self._today:
            return repeat(self._chance, self._chance.choice(self._today), is_exact=roll < 0.018)
        if roll < 0.051:
            return self._passed_around(platform)
        if roll < 0.081:
            return self._foreign()
        if roll < 0.106 and platform == "corpus":
            text = self._fill(self._chance.choice(phrases.OFF_TOPIC), _Post(), self._sentiment())
            return Written(dress(self._chance, text, "neutral", platform), "neutral", is_off_topic=True)
        return None

    def _ordinary(self, platform: str) -> Written:
        sentiment = self._sentiment()
        text = self._lengthened(self._sentence(sentiment))
        felt = self._ambiguous(sentiment) if self._chance.random() < AMBIGUOUS_SHARE else sentiment
        return Written(dress(self._chance, text, sentiment, platform), felt)

    def _sentiment(self) -> str:
        return self._chance.choices(LABELS, self._weights)[0]

    def _ambiguous(self, sentiment: str) -> str:
        return self._chance.choice(("negative", "positive")) if sentiment == "neutral" else "neutral"

    def _passed_around(self, platform: str) -> Written:
        """One of the week's texts that many copy, each a little differently."""
        week = "/".join(map(str, self._day.isocalendar()[:2]))
        week_writer = Writer(self._seed, self._topic, self._day, random.Random(f"{self._seed}/{self._topic}/{week}/{self._chance.randrange(4)}"))
        week_writer._day = date.fromisocalendar(*self._day.isocalendar()[:2], 1)
        return repeat(self._chance, week_writer._ordinary(platform), is_exact=False)

    def _foreign(self) -> Written:
        lang = self._chance.choice(sorted(FOREIGN))
        sentiment = self._sentiment()
        text = self._fill(self._chance.choice(FOREIGN[lang][sentiment]), _Post(), sentiment)
        return Written(text, sentiment, lang)

    def _sentence(self, sentiment: str) -> str:
        shapes, weights = zip(*SHAPES[sentiment], strict=True)
        pattern = self._chance.choice(in_use(self._chance.choices(shapes, weights)[0], self._day, PHRASE_DAYS, self._seed))
        return self._fill(pattern, _Post(), sentiment)

    def _lengthened(self, text: str) -> str:
        """``text`` with things said around it that say nothing: 8 to 45 words."""
        if self._chance.random() < 0.3:
            opener = self._chance.choice(phrases.OPENERS).format(n=self._chance.choice(lexicon.NUMBERS))
            text = f"{opener}{self._chance.choice((',', ':', ' -', ''))} {text}"
        extra = self._chance.choices((0, 1, 2, 3), (30, 38, 22, 10))[0]
        while extra > 0 or len(text.split()) < FEWEST_WORDS:
            filler = self._fill(self._chance.choice(phrases.FILLERS), _Post(), "neutral")
            text = f"{filler}. {text}" if self._chance.random() < 0.35 else f"{text}. {filler}"
            extra -= 1
        return " ".join(text.split()[:MOST_WORDS])

    def _fill(self, pattern: str, post: _Post, sentiment: str) -> str:
        return _SLOT.sub(lambda slot: self._slot(slot[1], post, sentiment), pattern)

    def _slot(self, name: str, post: _Post, sentiment: str) -> str:
        if name in ("same", "opposite"):
            side = sentiment if name == "same" else _OTHER_SIDE[sentiment]
            return self._fill(self._chance.choice(in_use(phrases.PLAIN, self._day, PHRASE_DAYS, self._seed)), post, side)
        if name in _SIDED:
            is_same, good, bad = _SIDED[name]
            return self._word(good if (sentiment == "positive") == is_same else bad)
        if name in _LOADED:
            return self._word(_LOADED[name])
        return post.name(name, lambda: self._neutral(name))

    def _word(self, lists: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
        always, rotating = lists
        if always and self._chance.random() < ALWAYS_SHARE:
            return self._chance.choice(always)
        return self._chance.choice(in_use(rotating, self._day, WORD_DAYS, self._seed))

    def _neutral(self, name: str) -> str:
        if name in ("game", "other"):
            first = self._chance.choice(in_use(lexicon.FIRST_NAMES, self._day, NAME_DAYS, self._seed))
            return f"{first} {self._chance.choice(in_use(lexicon.LAST_NAMES, self._day, NAME_DAYS, self._seed))}"
        items = _NEUTRAL[name]
        return self._chance.choice(items if len(items) < 25 else in_use(items, self._day, NAME_DAYS, self._seed))


class _Post:
    """The names that one post sticks to."""

    _KEPT = ("game", "other", "studio")

    def __init__(self):
        self._names: dict[str, str] = {}

    def name(self, slot: str, make) -> str:
        if slot not in self._KEPT:
            return make()
        if slot not in self._names:
            self._names[slot] = make()
        return self._names[slot]


_ADJECTIVES = (lexicon.GOOD_ALWAYS, lexicon.GOOD), (lexicon.BAD_ALWAYS, lexicon.BAD)
_VERBS = (lexicon.LIKE_ALWAYS, lexicon.LIKE), (lexicon.DISLIKE_ALWAYS, lexicon.DISLIKE)
_EVENTS = ((), lexicon.GOOD_EVENTS), ((), lexicon.BAD_EVENTS)
_IDIOMS = ((), lexicon.GOOD_IDIOMS), ((), lexicon.BAD_IDIOMS)
_ASPECTS = ((), lexicon.GOOD_ASPECTS), ((), lexicon.BAD_ASPECTS)

_SIDED = {
    "A": (True, *_ADJECTIVES), "Z": (False, *_ADJECTIVES), "V": (True, *_VERBS), "W": (False, *_VERBS), "E": (True, *_EVENTS), "F": (False, *_EVENTS),
    "I": (True, *_IDIOMS), "J": (False, *_IDIOMS), "S": (True, *_ASPECTS), "T": (False, *_ASPECTS),
}  # fmt: skip
_LOADED = {
    "good": _ADJECTIVES[0], "bad": _ADJECTIVES[1], "like": _VERBS[0], "dislike": _VERBS[1], "good_event": _EVENTS[0], "bad_event": _EVENTS[1],
}  # fmt: skip
_NEUTRAL = {
    "thing": lexicon.THINGS, "who": lexicon.PEOPLE, "platform": lexicon.PLATFORMS, "time": lexicon.TIMES, "studio": lexicon.STUDIOS,
    "n": lexicon.NUMBERS, "day": lexicon.WEEKDAYS, "adv": phrases.ADVERBS,
}  # fmt: skip


def _mood(day: date) -> tuple[float, float, float]:
    """The day's weights of `LABELS`: about 30 / 35 / 35, moving slowly over two months."""
    swing = 0.05 * math.sin(2 * math.pi * day.toordinal() / 61)
    return 0.30 + swing, 0.35, 0.35 - swing
