"""What was posted where on a day: a pure function of (seed, platform, topic, day), the same in every process.

A post's truth (what its writer felt, what is planted in it) is known here only: the annotator and the corpus give it away, with
errors; no platform does.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from operator import attrgetter
from typing import NamedTuple

from groundswell.errors import UsageError
from groundswell.simulator import events, history, people, surface
from groundswell.simulator.events import EVENTS, Event
from groundswell.simulator.kept import Kept
from groundswell.simulator.noise import Planted
from groundswell.simulator.settings import SimulatorSettings
from groundswell.simulator.topics import TOPICS
from groundswell.simulator.writer import Writer, Written

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
"""The platforms that have routes."""
WITH_ANSWERS = ("hackernews", "bluesky", "mastodon", "lemmy", "x", "reddit")
"""Where people answer each other, and where they post again what they posted elsewhere."""
ANSWER_SHARE = 0.2
CROSS_POST_SHARE, CROSS_POST_CHANCE = 0.02, 0.5
"""Things posted in several places, as a share of a platform's posts; the chance of each platform to have one of them."""

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
    parent: Post | None = None
    """The post of the same day that this one answers, as it was written, on the platforms of `WITH_ANSWERS`."""
    kind: str = "ordinary"
    planted: tuple[Planted, ...] = ()
    """Personal data that stands in the text."""

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.created, UTC)

    @property
    def parent_id(self) -> int | None:
        return self.parent.post_id if self.parent else None

    @property
    def root_id(self) -> int | None:
        """None where this post began the conversation."""
        return self.root.post_id if self.parent else None

    @property
    def root(self) -> Post:
        """The post that the conversation began with; itself where it began one."""
        post = self
        while post.parent:
            post = post.parent
        return post


def shown(settings: SimulatorSettings, platform: str, topic: str, day: date) -> tuple[Post, ...]:
    """What ``platform`` shows of ``day`` (UTC), oldest first: what its routes answer from.

    As of ``settings.now``: later posts are not there yet, deleted ones are gone, edited ones have changed.
    """
    posts = posts_of(settings.seed, platform, topic, day, settings.per_day(platform), settings.events)
    if settings.now is None:
        return posts
    moment = int(settings.now.timestamp())
    key = (id(posts), moment, settings.seed, settings.late_share, settings.edited_share, settings.deleted_share)
    source, view = _views.get(key, lambda: (posts, tuple(history.as_of(settings, posts, moment))))
    return view if source is posts else tuple(history.as_of(settings, posts, moment))


def lookup(settings: SimulatorSettings, platform: str, topic: str, post_id: int) -> Post | None:
    """The post with ``post_id``, as ``platform`` shows it now; None where it has none, or has it no more."""
    number = post_id - _FIRST_ID[platform]
    if topic not in TOPICS or number < 0 or number % _IDS_PER_DAY // _IDS_PER_TOPIC != TOPICS.index(topic):
        return None
    posts = shown(settings, platform, topic, date.fromordinal(_EPOCH_DAY + number // _IDS_PER_DAY))
    place = bisect_left(posts, post_id, key=attrgetter("post_id"))
    return posts[place] if place < len(posts) and posts[place].post_id == post_id else None


def posts_of(seed: int, platform: str, topic: str, day: date, count: int, happening: tuple[Event, ...] = EVENTS) -> tuple[Post, ...]:
    """The posts of ``day`` (UTC) on ``platform``, oldest first. About ``count`` of them: weekends and events are busier."""
    key = (seed, platform, topic, day, count, happening)
    return _days.get(key, lambda: tuple(stream(seed, platform, topic, day, count, happening)))


_days: Kept[tuple[Post, ...]] = Kept(300_000, len)
_views: Kept[tuple] = Kept(300_000, lambda pair: len(pair[1]))
"""What was asked for last is kept: a platform is asked for the same day page by page."""


class _Extra(NamedTuple):
    """A post that is there whatever else is: a daily writer's, or one that is posted in several places."""

    second: int
    person: people.Person
    written: Written | None


def stream(seed: int, platform: str, topic: str, day: date, count: int, happening: tuple[Event, ...] = EVENTS) -> Iterator[Post]:
    """As `posts_of`, one post after the other: for days that should not lie in memory whole."""
    if topic not in TOPICS:
        raise UsageError(f"topic {topic!r}: expected one that is talked about on the simulated platforms ({', '.join(TOPICS)})")
    chance = random.Random(f"{seed}/{platform}/{topic}/{day.isoformat()}")
    event = events.at(happening, topic, day)
    surge = 1 + (event[0].surge - 1) * event[1] if event else 1
    posts = round(count * (1.15 if day.weekday() >= 5 else 1) * chance.uniform(0.92, 1.08) * surge)
    extras = _extras(seed, platform, topic, day, count)
    if (posts + len(extras)) * _GAP > _IDS_PER_TOPIC:
        raise UsageError(f"{platform} on {day}: expected at most {_IDS_PER_TOPIC // _GAP:,} posts a day, found {posts:,}: lower {platform}_per_day")
    midnight = int(datetime.combine(day, time(), UTC).timestamp())
    first = _FIRST_ID[platform] + (day.toordinal() - _EPOCH_DAY) * _IDS_PER_DAY + TOPICS.index(topic) * _IDS_PER_TOPIC
    author = _Authors(seed, platform, topic, chance, count)
    writer = Writer(seed, topic, day, chance, event)
    recent: deque[Post] = deque(maxlen=40)
    for place, (second, extra) in enumerate(_moments(chance, max(0, posts - len(extras)), extras)):
        person = extra.person if extra else author.regular()
        parent = None if extra or platform not in WITH_ANSWERS or not recent or chance.random() >= ANSWER_SHARE else _parent(chance, recent)
        written = (extra and extra.written) or writer.write(platform, person, parent and parent.sentiment)
        post = Post(
            first + place * _GAP + int(chance.random() * _GAP),
            midnight + second,
            author.account(person, written),
            written.text,
            written.sentiment,
            written.lang,
            written.is_off_topic,
            _numbers(chance, platform, written.sentiment, parent),
            None,
            parent,
            written.kind,
            written.planted,
        )
        recent.append(post)
        yield post


def _moments(chance: random.Random, posts: int, extras: list[_Extra]) -> Iterator[tuple[int, _Extra | None]]:
    """Seconds of the day in their order, with what is posted there; evenings are busier (Kumaraswamy's distribution)."""
    roll = chance.random
    waiting = iter([*extras, _Extra(1 << 30, None, None)])
    following = next(waiting)
    for second in sorted(int(86_400 * (1 - (1 - roll()) ** (1 / 1.55)) ** (1 / 2.1)) for _ in range(posts)):
        while following.second <= second:
            yield following.second, following
            following = next(waiting)
        yield second, None
    for extra in (following, *waiting):
        if extra.person:
            yield extra.second, extra


def _extras(seed: int, platform: str, topic: str, day: date, count: int) -> list[_Extra]:
    found = []
    if platform not in (*surface.NEWS, "corpus"):
        found += [_daily(seed, platform, topic, day, person) for person in people.dailies(seed)[: count // 20] if (person.number + len(platform)) % 2]
    if platform in WITH_ANSWERS:
        found += _cross_posts(seed, platform, topic, day, count)
    return sorted(found, key=attrgetter("second"))


def _daily(seed: int, platform: str, topic: str, day: date, person: people.Person) -> _Extra:
    chance = random.Random(f"{seed}/{platform}/{topic}/{day}/daily/{person.number}")
    return _Extra(max(0, min(86_399, person.second + chance.randrange(-1800, 1800))), person, None)


def _cross_posts(seed: int, platform: str, topic: str, day: date, count: int) -> Iterator[_Extra]:
    """Those of the day's things to be posted in several places that ``platform`` has; a few minutes lie between the places."""
    for number in range(int(count * CROSS_POST_SHARE)):
        chance = random.Random(f"{seed}/{topic}/{day}/cross/{number}")
        places = [place for place in WITH_ANSWERS if chance.random() < CROSS_POST_CHANCE]
        if platform in places:
            person = people.regulars(seed)[chance.randrange(people.REGULARS)]
            written = Writer(seed, topic, day, chance).cross_post(person)
            second = chance.randrange(20_000, 84_000) + 400 * places.index(platform)
            yield _Extra(second, person, written._replace(text=surface.plainly_marked(written.text, platform), kind="cross_post"))


def _parent(chance: random.Random, recent: deque[Post]) -> Post | None:
    """Of the posts of late one to answer, the later the likelier; nobody answers bots and sellers."""
    post = recent[int(len(recent) * chance.random() ** 0.5)]
    return None if post.kind in ("bot", "spam", "blank") else post


class _Authors:
    """Who wrote what on one platform's day."""

    def __init__(self, seed: int, platform: str, topic: str, chance: random.Random, count: int):
        self._regulars, self._platform, self._roll, self._count = people.regulars(seed), platform, chance.random, count
        self._topic = TOPICS.index(topic)

    def regular(self) -> people.Person | None:
        roll = self._roll()
        return self._regulars[int(roll / people.REGULAR_SHARE * people.REGULARS)] if roll < people.REGULAR_SHARE else None

    def account(self, person: people.Person | None, written: Written) -> str | None:
        roll = self._roll()
        if person:
            return people.account(self._platform, person.number)
        if self._platform == "hackernews" and roll < people.GONE_SHARE:
            return None
        if written.kind == "spam":
            return people.account(self._platform, people.seller(roll))
        if written.kind == "bot":
            return people.account(self._platform, people.bot(self._topic, int(roll * people.BOTS)))
        return people.account(self._platform, people.passer_by(roll, self._count))


def _numbers(chance: random.Random, platform: str, sentiment: str, parent: Post | None) -> dict:
    if platform == "steam":
        likely_up = {"positive": 0.96, "neutral": 0.6, "negative": 0.05}[sentiment]
        return {"is_up": chance.random() < likely_up, "votes": _heavy(chance, 1.1) - 1, "minutes": int(chance.lognormvariate(6.5, 1.4))}
    return {"points": _heavy(chance, 1.0), "comments": _heavy(chance, 0.9) - 1, "is_story": chance.random() < 0.15 and parent is None}


def _heavy(chance: random.Random, shape: float) -> int:
    """From 1 on; a few are very large (Pareto)."""
    return int((1 - chance.random()) ** (-1 / shape))
