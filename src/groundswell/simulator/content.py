"""What was posted where on a day: a pure function of (seed, platform, topic, day), the same in every process.

A post's truth (what its writer felt) is known here only: the annotator and the corpus give it away, with errors.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, date, datetime, time
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from groundswell.simulator import history
from groundswell.simulator.settings import SimulatorSettings
from groundswell.simulator.writer import Writer

_FIRST_ID = {
    "hackernews": 41_000_000,
    "steam": 170_000_000,
    "bluesky": 300_000_000,
    "mastodon": 400_000_000,
    "lemmy": 500_000_000,
    "x": 600_000_000,
    "reddit": 700_000_000,
    "rss": 800_000_000,
    "gdelt": 900_000_000,
    "corpus": 1,
}
PLATFORMS = tuple(name for name in _FIRST_ID if name != "corpus")
"""The platforms that have routes, or will."""

TOPICS = ("games", "finance", "brands")

_EPOCH_DAY = date(2025, 1, 1).toordinal()
_IDS_PER_TOPIC = 10_000_000
_IDS_PER_DAY = _IDS_PER_TOPIC * len(TOPICS)
"""Ids ascend with time as the real ones do; a day's never run into the next day's, nor a topic's into another's."""
_GAP = 2
"""A post's id lies up to so many above the one before: there are ids that nobody has."""


class Post(NamedTuple):
    """A simulated post; ``sentiment`` is its truth."""

    post_id: int
    created: int  # epoch seconds
    author: str | None
    text: str
    sentiment: str
    lang: str
    is_off_topic: bool
    numbers: dict
    """Whatever a platform counts: points, votes, playtime."""
    edited_at: int | None = None
    """Epoch seconds of the edit that `shown` shows; None while there is none to be seen."""

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.created, UTC)


def shown(settings: SimulatorSettings, platform: str, topic: str, day: date) -> tuple[Post, ...]:
    """What ``platform`` shows of ``day`` (UTC), oldest first: what its routes answer from.

    As of ``settings.now``: later posts are not there yet, deleted ones are gone, edited ones have changed.
    """
    posts = posts_of(settings.seed, platform, topic, day, settings.per_day(platform))
    return posts if settings.now is None else _shown(posts, int(settings.now.timestamp()), settings)


def lookup(settings: SimulatorSettings, platform: str, topic: str, post_id: int) -> Post | None:
    """The post with ``post_id``, as ``platform`` shows it now; None where it has none, or has it no more."""
    number = post_id - _FIRST_ID[platform]
    if topic not in TOPICS or number < 0 or number % _IDS_PER_DAY // _IDS_PER_TOPIC != TOPICS.index(topic):
        return None
    posts = shown(settings, platform, topic, date.fromordinal(_EPOCH_DAY + number // _IDS_PER_DAY))
    place = bisect_left(posts, post_id, key=attrgetter("post_id"))
    return posts[place] if place < len(posts) and posts[place].post_id == post_id else None


_views: dict[tuple, tuple[tuple[Post, ...], tuple[Post, ...]]] = {}


def _shown(posts: tuple[Post, ...], moment: int, settings: SimulatorSettings) -> tuple[Post, ...]:
    """``posts`` at ``moment``; the last views are kept, because a platform is asked for the same day page by page."""
    key = (id(posts), moment, settings.seed, settings.late_share, settings.edited_share, settings.deleted_share)
    kept = _views.get(key)
    if kept is None or kept[0] is not posts:
        while len(_views) >= 64:
            _views.pop(next(iter(_views)), None)
        kept = _views[key] = (posts, tuple(history.as_of(settings, posts, moment)))
    return kept[1]


@lru_cache(maxsize=512)
def posts_of(seed: int, platform: str, topic: str, day: date, count: int) -> tuple[Post, ...]:
    """The posts of ``day`` (UTC) on ``platform``, oldest first. About ``count`` of them: weekends are busier."""
    chance = random.Random(f"{seed}/{platform}/{topic}/{day.isoformat()}")
    count = round(count * (1.15 if day.weekday() >= 5 else 1) * chance.uniform(0.92, 1.08))
    midnight = int(datetime.combine(day, time(), UTC).timestamp())
    moments = sorted(min(86_399, int(86_400 * chance.betavariate(2.2, 1.6))) for _ in range(count))
    first = _FIRST_ID[platform] + (day.toordinal() - _EPOCH_DAY) * _IDS_PER_DAY + TOPICS.index(topic) * _IDS_PER_TOPIC
    writer = Writer(seed, topic, day, chance)
    posts = []
    for place, moment in enumerate(moments):
        written = writer.write(platform)
        posts.append(
            Post(
                post_id=first + place * _GAP + chance.randrange(_GAP),
                created=midnight + moment,
                author=_author(chance, platform),
                text=written.text,
                sentiment=written.sentiment,
                lang=written.lang,
                is_off_topic=written.is_off_topic,
                numbers=_numbers(chance, platform, written.sentiment),
            )
        )
    return tuple(posts)


def _author(chance: random.Random, platform: str) -> str | None:
    """Most write once, a few hundred write often; some accounts on Hacker News are gone."""
    number = chance.randrange(300) if chance.random() < 0.08 else chance.randrange(30_000)
    if platform == "steam":
        return str(76_561_197_960_265_728 + number * 7919)
    if platform == "hackernews" and chance.random() < 0.02:
        return None
    return f"{_NAMES[number % len(_NAMES)]}{_TAILS[number // 13 % len(_TAILS)]}{number}"


_NAMES = ("quiet", "pixel", "lumen", "moss", "tin", "velvet", "ember", "fjord", "copper", "maple", "orbit", "paper", "salt")
_TAILS = ("_otter", "heron", "_kite", "lantern", "-fox", "badger", "_reed", "comet", "-jay", "walrus", "_plum")


def _numbers(chance: random.Random, platform: str, sentiment: str) -> dict:
    if platform == "steam":
        likely_up = {"positive": 0.96, "neutral": 0.6, "negative": 0.05}[sentiment]
        return {"is_up": chance.random() < likely_up, "votes": int(chance.paretovariate(1.1)) - 1, "minutes": int(chance.lognormvariate(6.5, 1.4))}
    return {"points": int(chance.paretovariate(1.0)), "comments": int(chance.paretovariate(0.9)) - 1, "is_story": chance.random() < 0.15}
