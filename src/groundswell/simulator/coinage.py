"""What is new: slang and names that nobody used before a week, are everywhere for some weeks, and go for ever.

`groundswell.simulator.rotation` brings words back; these never come back, so that a model can't have met them.
"""

from __future__ import annotations

import random
from datetime import date
from functools import lru_cache

SLANG_WEEKS, NAME_WEEKS = 6, 4
"""How many weeks a word, a name is in use; so many words a side come up every week, and one name."""
_WORDS_A_WEEK = 2

_STARTS = ("bl", "cr", "dw", "fl", "gl", "kv", "m", "n", "pl", "qu", "r", "sk", "sn", "tw", "v", "wr", "y", "z", "sh", "th")
_MIDDLES = ("a", "e", "i", "o", "u", "oo", "ee", "ai", "au")
_ENDS = ("b", "mp", "rk", "sh", "zz", "ft", "nk", "x", "ld", "mf")


@lru_cache(maxsize=1024)
def slang(seed: int, topic: str, day: date, side: str) -> tuple[str, ...]:
    """The coined adjectives of ``side`` (good or bad) in use on ``day``, oldest first."""
    return tuple(_word(seed, topic, side, week, number) for week in _weeks(day, SLANG_WEEKS) for number in range(_WORDS_A_WEEK))


@lru_cache(maxsize=1024)
def names(seed: int, topic: str, day: date) -> tuple[str, ...]:
    """The first names of what came out in the weeks before ``day``, oldest first."""
    return tuple(_name(seed, topic, week) for week in _weeks(day, NAME_WEEKS))


def _weeks(day: date, weeks: int) -> range:
    week = day.toordinal() // 7
    return range(week - weeks + 1, week + 1)


def _word(seed: int, topic: str, side: str, week: int, number: int) -> str:
    chance = random.Random(f"{seed}/{topic}/slang/{side}/{week}/{number}")
    return f"{chance.choice(_STARTS)}{chance.choice(_MIDDLES)}{chance.choice(_ENDS)}{chance.choice(('y', 'ed', 'o', 'ish', ''))}"


def _name(seed: int, topic: str, week: int) -> str:
    chance = random.Random(f"{seed}/{topic}/name/{week}")
    first, last = chance.choice(("l", "r", "v", "nd")), chance.choice(("n", "r", "s", "t"))
    return f"{chance.choice(_STARTS)}{chance.choice(_MIDDLES)}{first}{chance.choice(_MIDDLES)}{last}".capitalize()
