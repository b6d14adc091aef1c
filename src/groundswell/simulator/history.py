"""What becomes of a post after it was written: it may appear late, be edited, be deleted, each at a moment of its own.

A pure function of the seed, the platform and the post: nothing is kept, so any moment can be looked back at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from groundswell.simulator.content import Post
    from groundswell.simulator.settings import SimulatorSettings

HOUR = 3600
_DELETED_WITHIN, _EDITED_WITHIN = (HOUR // 2, 72 * HOUR), (60, 24 * HOUR)
"""Seconds after a post was made; a late one appears 2 to 30 hours after it."""
_LATE_BY = (2 * HOUR, 30 * HOUR)
_TURNED_SHARE = 0.2
"""Edits after which the writer feels something else."""

_ADDED = (
    "edit: typo",
    "edit: thanks for all the answers",
    "edit: i can not answer everybody, sorry",
    "edit: moved the link to the end",
    "edit 2: still reading along",
)
_TURNED = {
    "positive": (
        "edit: i take it back, they made it right and i am happy with it now",
        "edit: forget what i wrote before, it grew on me and i would not want to miss it",
        "edit: an hour later all of it was sorted out, hats off",
    ),
    "negative": (
        "edit: i take it back, a day later it fell apart and i regret every word",
        "edit: forget what i wrote before, it is a disgrace and i want out",
        "edit: it did not last, now i am angry that i ever said so",
    ),
}
_MASK = (1 << 64) - 1


class Fate(NamedTuple):
    """Epoch seconds at which a post appears, is edited, is deleted; the last two may never come."""

    appeared: int
    edited: int | None
    deleted: int | None


def fate(settings: SimulatorSettings, post: Post) -> Fate:
    """What becomes of ``post``; a deleted one may have been edited before, never after."""
    roll = _rolls(settings.seed, post)
    late, deleted, edited = next(roll), next(roll), next(roll)
    appeared = post.created + (_within(next(roll), _LATE_BY) if late < settings.late_share else 0)
    gone = appeared + _within(next(roll) ** 2, _DELETED_WITHIN) if deleted < settings.deleted_share else None
    changed = appeared + _within(next(roll) ** 2, _EDITED_WITHIN) if edited < settings.edited_share else None
    return Fate(appeared, None if gone and changed and changed >= gone else changed, gone)


def as_of(settings: SimulatorSettings, posts: Iterable[Post], moment: int) -> Iterator[Post]:
    """Those of ``posts`` that can be seen at ``moment`` (epoch seconds), as they then read."""
    for post in posts:
        if post.created > moment:
            continue
        appeared, edited, deleted = fate(settings, post)
        if appeared > moment or (deleted is not None and deleted <= moment):
            continue
        yield _edited(settings, post, edited) if edited is not None and edited <= moment else post


def _edited(settings: SimulatorSettings, post: Post, at: int) -> Post:
    roll = list(_rolls(settings.seed + 1, post))
    if post.sentiment in _TURNED and roll[0] < _TURNED_SHARE and post.lang == "en" and not post.is_off_topic:
        sentiment = "negative" if post.sentiment == "positive" else "positive"
        lines = _TURNED[sentiment]
    else:
        sentiment, lines = post.sentiment, _ADDED
    text = f"{post.text} {lines[int(roll[1] * len(lines))]}".lstrip()
    return post._replace(text=text, sentiment=sentiment, edited_at=at)


def _within(share: float, bounds: tuple[int, int]) -> int:
    return bounds[0] + int(share * (bounds[1] - bounds[0]))


def _rolls(seed: int, post: Post) -> Iterator[float]:
    """Six numbers in [0, 1) that belong to the post: splitmix64 over its id, its moment and the seed, a tenth of what a `Random` costs."""
    state = (post.post_id * 0x9E3779B97F4A7C15 ^ post.created * 0xD1B54A32D192ED03 ^ seed * 0x8CB92BA72F3D8DD7) & _MASK
    for _ in range(6):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        yield (mixed ^ (mixed >> 31)) / 2**64
