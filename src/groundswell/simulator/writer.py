"""Writes the simulated posts of a day: short, about one topic, and not solved by counting words.

The sentiment is made by the sentence as a whole (negation, contrast, sarcasm, wishes, what others say), the words rotate from day
to day (`groundswell.simulator.talk`), and neutral posts carry the same loaded words as the others. On top come the marks of real
posts (`groundswell.simulator.surface`) and what pollutes them (`groundswell.simulator.noise`), each at the rate that stands here.
"""

from __future__ import annotations

import random
from collections import deque
from datetime import date
from itertools import accumulate
from typing import NamedTuple

from groundswell.schema import LABELS
from groundswell.simulator import events, lexicon, noise, phrases, surface
from groundswell.simulator.foreign import FOREIGN
from groundswell.simulator.people import Person
from groundswell.simulator.talk import Pattern, pattern, talk_of

BLANK, EXACT, NEAR, PASSED_AROUND, FOREIGN_SHARE, SPAM, BOT, OFF_TOPIC = 0.006, 0.012, 0.023, 0.010, 0.030, 0.015, 0.020, 0.025
"""Shares of posts: blank; the same as one of the day's, to the letter or nearly; one of the week's texts that many copy; not in
English; spam; a bot's; in a corpus, about something else."""
SYNDICATED = 0.08
"""Shares of news that another paper had before."""
PII_SHARE, MOJIBAKE_SHARE = 0.01, 0.005
AMBIGUOUS_SHARE = 0.03
"""Posts whose writer felt something else than the sentence says: nobody can get these right."""
ALWAYS_SHARE, SLANG_SHARE = 0.2, 0.03
"""How often a loaded word is one of those in use every day, and one that was coined lately."""
AGREED_SHARE = 0.65
"""Answers that say the same as what they answer."""
FEWEST_WORDS, MOST_WORDS = 8, 45
_REMEMBERED = 400
"""A repeat is of one of so many posts before it: memory stays bounded on a day of a million posts."""


class Written(NamedTuple):
    """A post's text and the truth about it."""

    text: str
    sentiment: str
    lang: str = "en"
    is_off_topic: bool = False
    kind: str = "ordinary"
    """ordinary, blank, repeat, foreign, spam, bot, off_topic: what made it."""
    planted: tuple[noise.Planted, ...] = ()
    """Personal data that stands in it."""


class Writer:
    """The writer of one day of one topic; every choice comes from ``chance``."""

    def __init__(self, seed: int, topic: str, day: date, chance: random.Random, event: tuple[events.Event, float] | None = None):
        self._seed, self._topic, self._day = seed, topic, day
        self._chance, self._roll = chance, chance.random
        self._talk = talk_of(seed, topic, day)
        self._event = event
        self._today: deque[Written] = deque(maxlen=_REMEMBERED)

    def write(self, platform: str, person: Person | None = None, answers: str | None = None) -> Written:
        """The next post on ``platform``, by ``person``; ``answers`` is the sentiment of the post that it is an answer to."""
        written = None if person or answers else self._special(platform)
        written = written or self._polluted(platform, self._ordinary(platform, person, answers))
        self._today.append(written)
        return written

    def cross_post(self, person: Person) -> Written:
        """What a person is about to post in several places: typed, and not yet in any platform's markup."""
        sentiment = self._sentiment(person)
        text = self._lengthened(self._sentence(sentiment))
        return Written(surface.typed(self._chance, text, sentiment, person.style, self._talk.vocabulary.emoji), sentiment)

    def _special(self, platform: str) -> Written | None:
        roll = self._roll()
        if platform in surface.NEWS:
            return self._repeated(is_exact=True) if roll < SYNDICATED else None
        for share, write in (
            (BLANK, lambda: Written(self._chance.choice(("", "   ", "\n\n", "\u200b")), "neutral", kind="blank")),
            (EXACT, lambda: self._repeated(is_exact=True)),
            (NEAR, lambda: self._repeated(is_exact=False)),
            (PASSED_AROUND, lambda: self._passed_around(platform)),
            (FOREIGN_SHARE, self._foreign),
            (SPAM, self._spam),
            (BOT, self._bot),
            (OFF_TOPIC if platform == "corpus" else 0, self._off_topic),
        ):
            if roll < share:
                return write()
            roll -= share
        return None

    def _ordinary(self, platform: str, person: Person | None, answers: str | None) -> Written:
        is_about_event = self._event is not None and self._roll() < self._event[0].share * self._event[1]
        sentiment = self._answering(answers) if answers else self._sentiment(person, events.mood(self._event[0]) if is_about_event else None)
        text = self._event_sentence(sentiment) if is_about_event else self._sentence(sentiment)
        text = self._lengthened(self._opened(text, sentiment, answers) if answers else text)
        felt = self._ambiguous(sentiment) if self._roll() < AMBIGUOUS_SHARE else sentiment
        return Written(self._dressed(text, sentiment, platform, person), felt)

    def _dressed(self, text: str, sentiment: str, platform: str, person: Person | None = None) -> str:
        words = self._talk.vocabulary
        if platform in surface.NEWS:
            return surface.edited(text)
        text = surface.typed(self._chance, text, sentiment, person.style if person else "any", words.emoji)
        return surface.marked(self._chance, text, platform, words.tags)

    def _polluted(self, platform: str, written: Written) -> Written:
        roll = self._roll()
        if platform in surface.NEWS or roll >= PII_SHARE + MOJIBAKE_SHARE:
            return written
        if roll >= PII_SHARE:
            return written._replace(text=noise.mojibake(written.text))
        sentence, piece = noise.planted(self._chance)
        return written._replace(text=f"{written.text} {sentence}", planted=(piece,))

    def _sentiment(self, person: Person | None = None, mood: tuple[float, ...] | None = None) -> str:
        weights = mood or self._talk.weights
        if person:
            weights = tuple(weight * habit for weight, habit in zip(weights, person.mood, strict=True))
        low, middle, high = weights
        roll = self._roll() * (low + middle + high)
        return LABELS[0] if roll < low else LABELS[1] if roll < low + middle else LABELS[2]

    def _answering(self, answers: str) -> str:
        """People answer a question as they feel, and an opinion mostly with the same."""
        if answers == "neutral":
            return self._sentiment()
        return answers if self._roll() < AGREED_SHARE else self._sentiment()

    def _ambiguous(self, sentiment: str) -> str:
        return self._chance.choice(("negative", "positive")) if sentiment == "neutral" else "neutral"

    def _repeated(self, *, is_exact: bool) -> Written | None:
        if not self._today:
            return None
        return surface.repeat(self._chance, self._chance.choice(self._today), is_exact=is_exact)._replace(kind="repeat")

    def _passed_around(self, platform: str) -> Written:
        """One of the week's texts that many copy, each a little differently."""
        year, week, _ = self._day.isocalendar()
        chance = random.Random(f"{self._seed}/{self._topic}/{year}/{week}/{self._chance.randrange(4)}")
        writer = Writer(self._seed, self._topic, date.fromisocalendar(year, week, 1), chance)
        return surface.repeat(self._chance, writer._ordinary(platform, None, None), is_exact=False)._replace(kind="repeat")

    def _foreign(self) -> Written:
        languages = FOREIGN[self._topic]
        lang = self._chance.choice(sorted(languages))
        sentiment = self._sentiment()
        text = self._fill(pattern(self._chance.choice(languages[lang][sentiment])), {}, sentiment)
        return Written(text, sentiment, lang, kind="foreign")

    def _spam(self) -> Written:
        return Written(self._fill(pattern(self._chance.choice(phrases.SPAM)), {}, "neutral"), "neutral", is_off_topic=True, kind="spam")

    def _bot(self) -> Written:
        return Written(self._fill(pattern(self._chance.choice(self._talk.vocabulary.bots)), {}, "neutral"), "neutral", kind="bot")

    def _off_topic(self) -> Written:
        text = self._fill(pattern(self._chance.choice(phrases.OFF_TOPIC)), {}, "neutral")
        return Written(self._dressed(text, "neutral", "corpus"), "neutral", is_off_topic=True, kind="off_topic")

    def _sentence(self, sentiment: str) -> str:
        weights, shapes = self._talk.shapes[sentiment]
        roll = self._roll() * sum(weights)
        place = next(place for place, bound in enumerate(accumulate(weights)) if roll < bound)
        return self._fill(self._one_of(shapes[place]), {}, sentiment)

    def _event_sentence(self, sentiment: str) -> str:
        lines = phrases.EVENT_NEUTRAL if sentiment == "neutral" else phrases.EVENT
        return self._fill(pattern(self._one_of(lines)), {"cause": self._event[0].cause}, sentiment)

    def _opened(self, text: str, sentiment: str, answers: str) -> str:
        """``text`` as an answer; half of them start without a word about what they answer."""
        if self._roll() < 0.5 or sentiment == "neutral":
            return text
        openers = phrases.ANSWERING if answers == "neutral" else phrases.AGREEING if answers == sentiment else phrases.DISAGREEING
        return f"{self._one_of(openers)}: {text}"

    def _lengthened(self, text: str) -> str:
        """``text`` with things said around it that say nothing: 8 to 45 words."""
        if self._roll() < 0.3:
            opener = self._one_of(phrases.OPENERS).format(n=self._one_of(lexicon.NUMBERS))
            text = f"{opener}{self._one_of((',', ':', ' -', ''))} {text}"
        roll = self._roll()
        extra = 0 if roll < 0.30 else 1 if roll < 0.68 else 2 if roll < 0.90 else 3
        length = text.count(" ") + 1
        while extra > 0 or length < FEWEST_WORDS:
            filler = self._fill(self._one_of(self._talk.fillers), {}, "neutral")
            text = f"{filler}. {text}" if self._roll() < 0.35 else f"{text}. {filler}"
            length += filler.count(" ") + 1
            extra -= 1
        return text if length <= MOST_WORDS else " ".join(text.split()[:MOST_WORDS])

    def _fill(self, parts: Pattern, kept: dict[str, str], sentiment: str) -> str:
        """A pattern with its slots filled; ``kept`` are the names that one post sticks to."""
        if len(parts) == 1:
            return parts[0]
        filled = parts.copy()
        filled[1::2] = [self._slot(name, kept, sentiment) for name in parts[1::2]]
        return "".join(filled)

    def _slot(self, name: str, kept: dict[str, str], sentiment: str) -> str:
        if name in kept:
            return kept[name]
        if name in ("same", "opposite"):
            side = sentiment if name == "same" else "negative" if sentiment == "positive" else "positive"
            return self._fill(self._one_of(self._talk.plain), kept, side)
        if name in ("subject", "other"):
            kept[name] = f"{self._one_of(self._talk.first_names)} {self._one_of(self._talk.last_names)}"
            return kept[name]
        always, today, slang = self._talk.drawers[sentiment][name]
        if always:
            roll = self._roll()
            today = always if roll < ALWAYS_SHARE else slang if slang and roll > 1 - SLANG_SHARE else today
        word = today[int(self._roll() * len(today))]
        if name == "maker":
            kept[name] = word
        return word

    def _one_of(self, items):
        return items[int(self._roll() * len(items))]
