"""When to come back, as servers say it: in five encodings, none of them the standard one. Reads headers; writes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RESET_HEADERS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_EPOCH_FROM = 1_000_000_000
"""A number in a reset header above this is a moment (epoch seconds), below it a span (seconds to go)."""


def server_wait(headers: dict[str, str], now: float, *, is_limit: bool = True) -> float | None:
    """Seconds to wait as a server's headers say, or None where they say nothing that can be read.

    Five encodings are in use: ``Retry-After`` as seconds or as an HTTP date, and a reset header as epoch seconds, as
    seconds to go, or as ISO 8601. A moment is measured from the server's own ``Date`` where it sends one, else from
    ``now`` (epoch seconds), so that a clock that is wrong here does no harm. Where the answer is no limit's (not ``is_limit``), only
    ``Retry-After`` counts: platforms send the reset of their limits with every answer, and a server that fails does not mean it.
    """
    headers = {name.lower(): value.strip() for name, value in headers.items()}
    now = http_date(headers.get("date", "")) or now
    for name in ("retry-after", *(RESET_HEADERS if is_limit else ())):
        seconds = _seconds(headers.get(name, ""), now)
        if seconds is not None:
            return max(0.0, seconds)
    return None


def _seconds(value: str, now: float) -> float | None:
    try:
        number = float(value)
    except ValueError:
        moment = http_date(value) or _iso(value)
        return None if moment is None else moment - now
    if number != number or number in (float("inf"), float("-inf")):
        return None
    return number - now if number > _EPOCH_FROM else number


def http_date(value: str) -> float | None:
    """Epoch seconds of an HTTP date; None for anything else."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return None


def _iso(value: str) -> float | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
