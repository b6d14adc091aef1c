"""Times as feeds write them, in whatever zone: RFC 822 with names that no standard knows, ISO 8601 with none. Reads and writes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_tz
from zoneinfo import ZoneInfo, available_timezones

_HOURS = {
    "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3, "HKT": 8, "SGT": 8, "AWST": 8,
    "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Names that feeds use and RFC 822 does not have: hours before UTC. None that has two meanings in news (IST, CST of China) but BST."""

_STANDARD = {"UT", "UTC", "GMT", "AST", "ADT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "AT", "ET", "CT", "MT", "PT"}
_NAME = re.compile(r"\d\s*\(?([A-Za-z]{2,5})\)?$")
_OFFSET = re.compile(r":\d\d(?:\.\d+)?\s*(?:Z|[+-]\d\d:?\d\d)(?:\s*\(\w+\))?$", re.IGNORECASE)
_HALVES_OF_A_DAY = {"AM", "PM"}


def is_zone(name: str) -> bool:
    return name in available_timezones()


def feed_time(said: str | None, parsed: Sequence[int] | None, zone: str | None) -> datetime | None:
    """The UTC time that a feed ``said``, of which feedparser made ``parsed``; None for what can't be read.

    feedparser takes an unknown zone for UTC, hours off without a word: such a time is in ``zone`` (an IANA name), and without one it is None.
    """
    if not isinstance(said, str):
        return None
    said = said.strip()
    clock = tuple(parsed or parsedate_tz(said) or ())[:6]
    written_in = _zone_of(said, zone)
    if not clock or written_in is None:
        return None
    try:
        return datetime(*clock, tzinfo=written_in).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone_of(said: str, zone: str | None) -> tzinfo | None:
    """The zone that the numbers feedparser read are in: UTC where it knew how to get there."""
    found = _NAME.search(said)
    name = found[1].upper() if found and not _OFFSET.search(said) else ""
    if name in _HOURS:
        return timezone(timedelta(hours=_HOURS[name]))
    if _OFFSET.search(said) or name in _STANDARD:
        return UTC
    fallback = ZoneInfo(zone) if zone else None
    return fallback or (UTC if not name or name in _HALVES_OF_A_DAY else None)
