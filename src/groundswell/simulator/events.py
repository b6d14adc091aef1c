"""Scripted events: a bad patch, a profit warning, a recall. From its day on more is written, much of it about the event, and in its mood."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from groundswell.schema import LABELS

_FADES = 0.6
"""What is left of an event's force a day later."""


class Event(BaseModel):
    """What happens in ``topic`` on ``day``, and for how many days it is talked about; the first day has its whole force."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str
    day: date
    days: int = Field(4, ge=1)
    cause: str
    """How people call it: stands in their sentences."""
    mood: Literal["negative", "positive"] = "negative"
    surge: float = Field(2.5, ge=1)
    """How many times as many posts there are on the first day."""
    share: float = Field(0.6, ge=0, le=1)
    """Posts of the first day that are about it; in `TILT` of them the mood is the event's."""

    def force(self, day: date) -> float:
        """1 on the first day, less on each that follows, 0 outside."""
        age = (day - self.day).days
        return _FADES**age if 0 <= age < self.days else 0.0


TILT = 0.8

EVENTS = (
    Event(topic="games", day=date(2026, 11, 4), cause="patch 4.2"),
    Event(topic="finance", day=date(2026, 11, 5), cause="the profit warning"),
    Event(topic="brands", day=date(2026, 11, 6), cause="the charger recall"),
    Event(topic="games", day=date(2026, 11, 11), days=3, cause="the free weekend", mood="positive", surge=1.8),
)
"""What happens unless the settings say otherwise: all of it after the demo's fortnight, for what watches drift to find."""


def at(events: tuple[Event, ...], topic: str, day: date) -> tuple[Event, float] | None:
    """The event of ``topic`` with the greatest force on ``day``, and its force; None on a quiet day."""
    found = max(((event.force(day), number) for number, event in enumerate(events) if event.topic == topic), default=(0.0, 0))
    return (events[found[1]], found[0]) if found[0] else None


def mood(event: Event) -> tuple[float, ...]:
    """The weights of `LABELS` among the posts about it."""
    rest = (1 - TILT) / 2
    return tuple(TILT if label == event.mood else rest for label in LABELS)
