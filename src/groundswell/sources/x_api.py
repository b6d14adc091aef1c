"""X's API: which of its searches there are, what they cost and allow, how it is asked, and how many posts it counts.

Reads through the HTTP client that it is given; writes nothing. Refuses, as a `QuotaSpent`, a month whose posts are read, and, as a
`SourceError`, a count that is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from groundswell.errors import SourceError
from groundswell.http import Http
from groundswell.settings import Settings
from groundswell.sources.base import Reading, whole

USD_PER_POST = 0.005


@dataclass(frozen=True)
class Search:
    """One of X's two searches, and of the counts of what it would find."""

    path: str
    page_size: int
    longest_query: int
    requests_per_minute: float
    look_back: timedelta | None
    counts_path: str
    usd_per_count: float


SEARCHES = {
    "recent": Search("/2/tweets/search/recent", 100, 512, 30, timedelta(days=7), "/2/tweets/counts/recent", 0.005),
    "archive": Search("/2/tweets/search/all", 500, 1024, 20, None, "/2/tweets/counts/all", 0.01),
}
"""450 and 300 requests in 15 minutes. Prices as published in 2026; a count is paid by the request, however many posts it counts."""


def asked(http: Http, settings: Settings, path: str, query: dict, seconds_apart: float) -> dict:
    """What X answers at ``path``; errors as of `Http.ask`."""
    url = f"{settings.x_url.rstrip('/')}{path}"
    headers = {"authorization": f"Bearer {settings.x_bearer_token.get_secret_value()}"}
    answer = http.ask(url, query, headers=headers, apart_seconds=seconds_apart, quota=_used_up).value
    if not isinstance(answer, dict):
        raise SourceError(f"x: expected a JSON object, found a {type(answer).__name__}")
    return answer


def _used_up(body) -> str | None:
    """X says with the same 429 that the next minutes are too early and that the month's posts are read: no reset header tells them apart."""
    if not isinstance(body, dict) or not str(body.get("type", "")).endswith("/usage-capped"):
        return None
    period = str(body.get("period") or "monthly").lower()
    return f"the {period} cap on posts is used up, which no wait mends: raise it in X's developer console, or go on when the next period begins"


def span(reading: Reading) -> dict[str, str]:
    """The bounds of ``reading`` as X wants them."""
    return {"start_time": f"{reading.start:%Y-%m-%dT%H:%M:%SZ}", "end_time": f"{reading.end:%Y-%m-%dT%H:%M:%SZ}"}


def count(reading: Reading) -> int:
    """How many posts the search of the topic would find in ``[start, end)``, by X's own count: a request for every 31 days."""
    section, total, used = reading.section, 0, {None}
    query = {"query": section.asked, **span(reading), "granularity": "day"}
    token = None
    while True:
        more = {"next_token": token} if token else {}
        page = asked(reading.http, reading.settings, section.search.counts_path, query | more, section.seconds_apart)
        reading.http.usd += section.search.usd_per_count
        meta = page.get("meta")
        found = whole(meta.get("total_tweet_count")) if isinstance(meta, dict) else None
        token = meta.get("next_token") if found is not None else None
        if found is None or (token and token in used):
            raise SourceError(
                f"x: expected 'meta' with a total_tweet_count and a next_token that is new, found {meta}: is GROUNDSWELL_X_URL X's API?"
            )
        total += found
        if not token:
            return total
        used.add(token)
