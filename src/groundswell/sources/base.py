"""The contract of a source: a generator of the posts of a half-open interval, and what must be known about it.

A source reads through the HTTP client that it is given and yields posts as the platform gives them, native author ids
included; `collect` is the only one who sees those. It never writes, never waits, never asks a clock. A record that can't be a
post is counted in ``Reading.dropped`` under a reason; a platform that can't be understood is a `SourceError`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from groundswell.errors import AccessRefused, OutOfReach, RateLimited, SourceError
from groundswell.params import CollectParams, Section
from groundswell.settings import Settings

if TYPE_CHECKING:
    from groundswell.http import Http

_HASHTAG = re.compile(r"(?<![\w&/])#(\w*[^\W\d_]\w*)")
"""Not ``&#x27;`` (an entity) and not ``/#part`` (a link's)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A post as a platform gives it. ``author`` is the platform's own id: neither it nor other names of the author may leave `collect`.

    ``post_id`` is None where a corpus gives none: `collect` makes one of what it writes, so that no id holds a native author.
    """

    post_id: str | None
    created_at: datetime
    text: str | None
    record: dict[str, Any]
    author: str | None = None
    aliases: tuple[str, ...] = ()
    """What else names the same author and nobody else (a handle beside an id): it is taken out wherever ``author`` is, and erased with it."""
    shared_names: tuple[str, ...] = ()
    """What the author is called and somebody else may be too (a name without its host): taken out likewise, but nobody is erased by it."""
    edited_at: datetime | None = None
    lang: str | None = None
    kind: str | None = None
    parent_id: str | None = None
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    score: float | None = None
    native_label: str | None = None
    label: str | None = None
    label_provenance: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Shown:
    """What one address of a source that appends on sight showed: from when on, and by which words of its own it knows that state again."""

    since: datetime | None
    """The time of the oldest post that it showed; None: none with a time."""
    validators: dict[str, str] = field(default_factory=dict)
    """Request header → value, for asking whether anything has changed since."""
    at: datetime | None = None
    """When the address says that this was so: an answer out of a cache is older than it is new. None: at the time of the reading."""


@dataclass
class Reading:
    """What a source is given to read ``[start, end)`` with; ``section`` is its part of the topic in params.yaml."""

    section: Any
    start: datetime
    end: datetime
    settings: Settings
    params: CollectParams
    http: Http
    dropped: Counter[str] = field(default_factory=Counter)
    known: dict[str, Shown] = field(default_factory=dict)
    """Of a source that appends on sight: what each address showed the last time, where everything of it is in the lake."""
    shown: dict[str, Shown] = field(default_factory=dict)
    """And what it showed this time: the source fills it in, with what was ``known`` where nothing has changed. A walk back says here which
    of its listings it read whole."""
    failed: dict[str, SourceError] = field(default_factory=dict)
    """And which addresses could not be read: what the others showed is kept before it is told, for it may be gone the next time."""

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def failure(self) -> SourceError | None:
        """One error for all that ``failed``: of the kind that waits longest, and of one that no retry mends only where none can be mended."""
        failed = list(self.failed.values())
        if not failed or len(failed) + len(self.shown) < 2:
            return failed[0] if failed else None
        told = f"{len(failed)} of {len(failed) + len(self.shown)} addresses could not be read: {'; '.join(dict.fromkeys(map(str, failed)))}"
        told += ". What the others showed is kept; its windows stay open until all were read" if self.shown else ""
        if waits := [error.seconds for error in failed if isinstance(error, RateLimited)]:
            return RateLimited(told, max(waits))
        refused = [error for error in failed if isinstance(error, AccessRefused)]
        out_of_reach = [error for error in failed if isinstance(error, OutOfReach)]
        if len(refused) + len(out_of_reach) < len(failed):
            return SourceError(told)
        return OutOfReach(told) if out_of_reach else AccessRefused(told, refused[0].status)


@dataclass(frozen=True)
class Recheck:
    """What a source is given to ask its platform whether posts are still there; ``section`` as in `Reading`."""

    section: Any
    post_ids: Sequence[str]
    settings: Settings
    http: Http


@dataclass(frozen=True)
class Source:
    """One network: ``posts`` is its generator, ``section`` its part of a topic in params.yaml; the rest is what must be known about it."""

    name: str
    version: int
    """Raised whenever the same platform answers would give other rows."""
    section: type[Section]
    posts: Callable[[Reading], Iterator[Found]]
    author_paths: tuple[str, ...] = ()
    """Where in a record native author ids stand: ``author.steamid``. They are replaced by pseudonyms in ``raw``."""
    author_in_id: re.Pattern[str] | None = None
    """What of a post's id is its author's, where the platform names posts so: there it is wrapped (`groundswell.wrapped`), since a pseudonym
    could not be shown to the platform again."""
    reads: Literal["window", "walk back", "append on sight", "file"] = "window"
    """``window``: the platform takes a start and an end. ``walk back``: newest first, until older than the start. ``append on sight``:
    what it shows now and no more; a window's partition grows with each reading, and may be read before it is over. ``file``: a corpus,
    read once for a whole range of windows, every row kept as it stands: a platform's record that comes twice is its paging and dropped;
    a corpus's second row with an id is the corpus, and validate puts it aside with a reason."""
    look_back: timedelta | None = None
    """How far back from now the platform still answers; None: for ever."""
    settle: timedelta = timedelta(minutes=30)
    """How long after a window's end the platform may still bring posts of it."""
    page_size: int | None = None
    """The most posts that one request brings; None: no pages."""
    query_cap: int | None = None
    """The most posts that one query brings on all its pages; None: no such cap."""
    queries: int = 1
    """How many queries a window takes, each with pages of its own: so many as a topic's section names apps, communities, tags (`varies`)."""
    requests_per_minute: float | None = None
    """What the platform allows, as far as it is known."""
    usd_per_post: float = 0.0
    """What reading one post costs."""
    needs: tuple[str, ...] = ()
    """The settings (names of `Settings`) without which the platform can't be asked: addresses, credentials."""
    count: Callable[[Reading], int] | None = None
    """How many posts the platform says that an interval has, in one request; None: it can't be asked."""
    gone: Callable[[Recheck], Iterator[str]] | None = None
    """Which of some posts' ids the platform no longer shows (deleted, withdrawn); None: it can't be asked."""
    varies: Callable[[Any], dict[str, Any]] | None = None
    """What of all this is otherwise for a topic's section: field → value, as where a topic has access to an archive."""

    def for_topic(self, section) -> Source:
        """This source as it is for a topic with ``section``: ask this one for ``look_back``, ``page_size`` and the like."""
        return replace(self, **self.varies(section)) if self.varies else self

    def id_in_lake(self, post_id: str | None, wrap: Callable[[str], str]) -> str | None:
        """The id under which the lake has a post: its own, with the author's id in it wrapped by ``wrap`` where there is one."""
        return self.author_in_id.sub(lambda author: wrap(author[0]), post_id) if self.author_in_id and post_id else post_id

    @property
    def is_file(self) -> bool:
        return self.reads == "file"

    @property
    def is_on_sight(self) -> bool:
        return self.reads == "append on sight"

    def can_be_read_again_after(self, days: int) -> bool:
        """Whether a day can be collected once more so many days after its first collection, and could bring something else then.

        Not by itself where that would be paid for once more, nor where it may lie behind the end of a listing by then.
        """
        reaches = self.look_back is None or self.look_back >= timedelta(days=days + 2)
        is_sure = not (self.reads == "walk back" and self.query_cap)
        return reaches and is_sure and not self.usd_per_post and self.reads not in ("file", "append on sight")

    def authors(self, section) -> list[tuple[str, ...]]:
        """The parts of each of `author_paths`; where a topic's ``section`` itself maps a column to ``author``, that one too."""
        column = getattr(section, "columns", {}).get("author")
        return [tuple(path.split(".")) for path in self.author_paths] + ([(column,)] if column else [])


def moment(epoch_seconds) -> datetime | None:
    """Epoch seconds as a UTC time; None for anything that is none."""
    if isinstance(epoch_seconds, bool) or not isinstance(epoch_seconds, int | float) or not math.isfinite(epoch_seconds):
        return None
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def iso_moment(value) -> datetime | None:
    """A time in ISO 8601 as a UTC time (one without an offset is UTC); None for anything that is none."""
    if not isinstance(value, str):
        return None
    try:
        there = datetime.fromisoformat(value)
        return there.astimezone(UTC) if there.tzinfo else there.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def whole(value) -> int | None:
    """``value`` where it is a whole number that 64 bits hold, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if -(2**63) <= number < 2**63 else None


def real(value) -> float | None:
    """``value`` as a finite number, else None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def word(value) -> str | None:
    """An id or a name as a string: whole numbers too, ``17.0`` as ``17``; None for empty ones and for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def hashtags(text: str | None) -> list[str]:
    """The hashtags of a text without their marks, in order, each once."""
    return list(dict.fromkeys(_HASHTAG.findall(text or "")))
