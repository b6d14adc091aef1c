"""Who writes: a few hundred regulars with habits, many who come by once in a while, bots, and accounts made to sell.

A person has one number and bears the same name wherever accounts have names, so that who posts a thing twice is one author.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import NamedTuple

from groundswell.schema import LABELS

REGULARS = 300
REGULAR_SHARE = 0.08
"""Posts that are a regular's."""
_DAILY_SHARE = 0.1
"""Regulars who write every day, at their hour."""
_ONCE_IN_A_WHILE = 30_000
BOTS = 5
_BOT, _SELLER = 20_000_000, 30_000_000
GONE_SHARE = 0.02
"""Posts on Hacker News whose account is gone."""

_NAMES = ("quiet", "pixel", "lumen", "moss", "tin", "velvet", "ember", "fjord", "copper", "maple", "orbit", "paper", "salt")
_TAILS = ("_otter", "heron", "_kite", "lantern", "-fox", "badger", "_reed", "comet", "-jay", "walrus", "_plum")


class Person(NamedTuple):
    """A regular and their habits."""

    number: int
    second: int
    """The second of the day around which they write."""
    is_daily: bool
    mood: tuple[float, ...]
    """By what the weights of `LABELS` are multiplied: some are never pleased."""
    style: str
    """lower, plain or loud: how they type."""


@lru_cache(maxsize=16)
def regulars(seed: int) -> tuple[Person, ...]:
    """The regulars of a world."""
    return tuple(_regular(seed, number) for number in range(REGULARS))


@lru_cache(maxsize=16)
def dailies(seed: int) -> tuple[Person, ...]:
    """Those of them who write every day."""
    return tuple(person for person in regulars(seed) if person.is_daily)


def _regular(seed: int, number: int) -> Person:
    chance = random.Random(f"{seed}/person/{number}")
    leaning = chance.choice((None, None, *LABELS))
    weights = tuple(2.5 if label == leaning else 1.0 for label in LABELS)
    return Person(
        number, chance.randrange(6 * 3600, 86_000), chance.random() < _DAILY_SHARE, weights, chance.choice(("lower", "lower", "plain", "loud"))
    )


def passer_by(roll: float, posts: int) -> int:
    """The number of somebody who writes now and then; a day with more posts has more of them."""
    return REGULARS + int(roll * max(_ONCE_IN_A_WHILE, 20 * posts))


def bot(topic_place: int, number: int) -> int:
    return _BOT + topic_place * BOTS + number


def seller(roll: float) -> int:
    return _SELLER + int(roll * 1_000_000)


def account(platform: str, number: int) -> str:
    """What ``platform`` calls person ``number``."""
    if platform == "steam":
        return str(76_561_197_960_265_728 + number * 7919)
    if number >= _SELLER:
        return f"deals{number - _SELLER}"
    return f"ticker_bot_{number - _BOT}" if number >= _BOT else f"{_NAMES[number % len(_NAMES)]}{_TAILS[number // 13 % len(_TAILS)]}{number}"
