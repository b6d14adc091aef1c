"""A window: the half-open UTC interval of one partition, a day or an hour, and the key that names it.

A key is ``2026-10-19`` for a day and ``2026-10-19T05`` for an hour. It is also Airflow's partition key and the last part of a
partition's path. Nothing here reads a clock: whoever asks whether a window is over brings the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from groundswell.errors import WindowError

_STEP = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
_KEY_FORMAT = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
_KEY_PATTERN = {"day": re.compile(r"\d{4}-\d{2}-\d{2}"), "hour": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}")}


@dataclass(frozen=True, order=True)
class Window:
    """One UTC day or hour, ``[start, end)``."""

    start: datetime
    unit: str = "day"

    @classmethod
    def parse(cls, key: str) -> Window:
        """The window that ``key`` names; `WindowError` for anything else."""
        for unit, pattern in _KEY_PATTERN.items():
            if pattern.fullmatch(key):
                try:
                    return cls(datetime.strptime(key, _KEY_FORMAT[unit]).replace(tzinfo=UTC), unit)
                except ValueError as error:
                    raise WindowError(f"window {key!r} is no date: {error}") from None
        raise WindowError(f"window {key!r}: expected a UTC day like 2026-10-19 or an hour like 2026-10-19T05")

    @classmethod
    def of(cls, moment: datetime, unit: str = "day") -> Window:
        """The window of ``unit`` in which ``moment`` (aware) lies."""
        begun = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return cls(begun if unit == "hour" else begun.replace(hour=0), unit)

    @property
    def key(self) -> str:
        return self.start.strftime(_KEY_FORMAT[self.unit])

    @property
    def end(self) -> datetime:
        return self.start + _STEP[self.unit]

    @property
    def day(self) -> date:
        return self.start.date()

    @property
    def path(self) -> str:
        """The Hive part of a partition's path: ``date=2026-10-19`` or ``date=2026-10-19/hour=05``."""
        day = f"date={self.start:%Y-%m-%d}"
        return day if self.unit == "day" else f"{day}/hour={self.start:%H}"

    def next(self) -> Window:
        return Window(self.end, self.unit)

    def previous(self) -> Window:
        return Window(self.start - _STEP[self.unit], self.unit)

    def require_over(self, now: datetime) -> None:
        """Raise `WindowError` when the window is not over at ``now``: its posts are not all written yet."""
        if self.end > now:
            raise WindowError(f"window {self.key} ends at {self.end:%Y-%m-%dT%H:%MZ}, after now ({now:%Y-%m-%dT%H:%MZ}): wait until it is over")

    def require_begun(self, now: datetime) -> None:
        """Raise `WindowError` when the window has not begun at ``now``."""
        if self.start >= now:
            raise WindowError(f"window {self.key} begins at {self.start:%Y-%m-%dT%H:%MZ}, now is {now:%Y-%m-%dT%H:%MZ}: wait until it has begun")

    def __str__(self) -> str:
        return self.key


def parse_windows(text: str) -> list[Window]:
    """The windows of ``A`` or ``A..B`` (both ends included), in order."""
    first, dots, last = text.partition("..")
    start = Window.parse(first)
    if not dots:
        return [start]
    end = Window.parse(last)
    if start.unit != end.unit:
        raise WindowError(f"window range {text!r}: one end is a {start.unit}, the other a {end.unit}")
    if end < start:
        raise WindowError(f"window range {text!r} ends before it starts: write {last}..{first}")
    return list(_walk(start, end))


def _walk(start: Window, end: Window) -> Iterator[Window]:
    while start <= end:
        yield start
        start = start.next()
