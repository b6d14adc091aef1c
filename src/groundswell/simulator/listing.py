"""What a platform's listings answer from: the posts of a span of time, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter

from groundswell.simulator.content import Post, lookup, shown
from groundswell.simulator.settings import SimulatorSettings

FIRST_DAY = date(2025, 1, 1)
"""Nothing was posted before."""


def newest_first(
    settings: SimulatorSettings,
    platform: str,
    topic: str,
    start: datetime | None,
    end: datetime | None,
    order: Callable[[Post], int] = attrgetter("created"),
) -> Iterator[Post]:
    """Posts of ``[start, end)``; without a ``start`` back to the first day, without an ``end`` from now. ``order`` is within a day."""
    end = min(end or latest(settings), latest(settings))
    day, stop = end.astimezone(UTC).date(), max(start.astimezone(UTC).date() if start else FIRST_DAY, FIRST_DAY)
    while day >= stop:
        for post in sorted(shown(settings, platform, topic, day), key=order, reverse=True):
            if (start is None or post.moment >= start) and post.moment < end:
                yield post
        day -= timedelta(days=1)


def as_written(settings: SimulatorSettings, platform: str, topic: str, post_id: int) -> Post | None:
    """The post with ``post_id`` whatever became of it: answers and cursors name deleted posts too."""
    return lookup(settings.model_copy(update={"now": None}), platform, topic, post_id)


def latest(settings: SimulatorSettings) -> datetime:
    """As of when the platforms are looked at: where the world has no time of its own, ours."""
    return settings.now or datetime.now(UTC)
