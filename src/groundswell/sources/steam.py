"""Steam reviews by IUserReviewsService/GetAppReviews/v1: text with the reviewer's own thumb.

The thumb is a label of provenance ``native``. The service pages by cursor and has habits: an empty or repeated page does not
mean the end (it is asked again, against ``total_matching``), a cursor may come back (then it is the end), ``reviews`` is left out
where there are none, and an app id that does not exist is an empty ``response``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from pydantic import Field

from groundswell.errors import SourceError
from groundswell.params import Section
from groundswell.sources.base import Found, Reading, Source, moment, real, whole, word

REVIEWS_PER_PAGE = 100
IDLE_PAGES = 5
"""How often a page that brings nothing new is asked for again while reviews are still due."""

LANGUAGES = {
    "arabic": "ar", "brazilian": "pt-BR", "bulgarian": "bg", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "finnish": "fi",
    "french": "fr", "german": "de", "greek": "el", "hungarian": "hu", "indonesian": "id", "italian": "it", "japanese": "ja", "koreana": "ko",
    "latam": "es-419", "norwegian": "no", "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "schinese": "zh-CN",
    "spanish": "es", "swedish": "sv", "tchinese": "zh-TW", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
}  # fmt: skip
"""Steam's names of languages → BCP 47."""


class SteamTopic(Section):
    """Whose reviews the Steam source reads."""

    app_ids: list[int] = Field(min_length=1)
    languages: list[str] = ["english"]


def posts(reading: Reading) -> Iterator[Found]:
    """Reviews of ``[start, end)``, app by app; `SourceError` for an app id that does not exist or an incomplete answer."""
    for app_id in reading.section.app_ids:
        for review in _reviews(reading, app_id):
            found = _found(review, app_id, reading)
            if found:
                yield found


def _reviews(reading: Reading, app_id: int) -> Iterator[dict]:
    cursor, used, seen, due, idle = "*", set(), set(), 0, 0
    while cursor not in used and idle <= IDLE_PAGES:
        page = _page(reading, app_id, cursor)
        reviews = page.get("reviews") or []
        due = max(due, whole(page.get("total_matching")) or 0)
        fresh = {_key(review) for review in reviews} - seen
        seen |= fresh
        yield from reviews
        if len(seen) >= due:
            return
        if fresh:
            used.add(cursor)
            cursor, idle = page.get("cursor") or cursor, 0
        else:
            idle += 1
    raise SourceError(f"steam: {len(seen)} of {due} reviews of app {app_id} came for [{reading.start:%Y-%m-%dT%H:%MZ}, …): run the window again")


def _key(review) -> str:
    return json.dumps(review.get("recommendationid") if isinstance(review, dict) else review)


def _page(reading: Reading, app_id: int, cursor: str) -> dict:
    query = {
        "appid": app_id,
        "filter": 1,  # recent: the only order in which the date range counts
        "languages": list(reading.section.languages),
        "review_type": 0,
        "purchase_type": 1,
        "num_per_page": min(reading.params.page_size, REVIEWS_PER_PAGE),
        "filter_offtopic_activity": False,
        "date_range_start": int(reading.start.timestamp()),
        "date_range_end": int(reading.end.timestamp()),
        "cursor": cursor,
    }
    url = f"{reading.settings.steam_url.rstrip('/')}/IUserReviewsService/GetAppReviews/v1/"
    response = reading.http.get(url, {"input_json": json.dumps(query)}).get("response")
    if not response:
        raise SourceError(f"steam: app {app_id} does not exist (the answer is empty): correct app_ids of the topic in params.yaml")
    if not isinstance(response, dict) or not isinstance(response.get("reviews") or [], list):
        raise SourceError("steam: expected an object 'response' with a list 'reviews': is GROUNDSWELL_STEAM_URL Steam's web API?")
    return response


def _found(review, app_id: int, reading: Reading) -> Found | None:
    reason, created = _fault(review)
    if reason is None and created not in reading:
        reason = "out_of_window"
    if reason:
        reading.dropped[reason] += 1
        return None
    edited = moment(review.get("timestamp_updated"))
    is_up = review.get("voted_up") if isinstance(review.get("voted_up"), bool) else None
    author = review.get("author") if isinstance(review.get("author"), dict) else {}
    return Found(
        post_id=word(review["recommendationid"]),
        created_at=created,
        edited_at=edited if edited and edited > created else None,
        text=review.get("review") if isinstance(review.get("review"), str) else None,
        record=review,
        author=word(author.get("steamid")),
        lang=LANGUAGES.get(word(review.get("language"))),
        kind="review",
        parent_id=str(app_id),
        likes=whole(review.get("votes_up")),
        replies=whole(review.get("comment_count")),
        score=real(review.get("weighted_vote_score")),
        native_label=None if is_up is None else f"voted_up={str(is_up).lower()}",
        label=None if is_up is None else ("positive" if is_up else "negative"),
        label_provenance=None if is_up is None else "native",
    )


def _fault(review) -> tuple[str | None, datetime | None]:
    if not isinstance(review, dict) or not word(review.get("recommendationid")):
        return "no_id", None
    created = moment(review.get("timestamp_created"))
    return (None, created) if created else ("bad_time", None)


SOURCE = Source(
    name="steam",
    version=1,
    section=SteamTopic,
    posts=posts,
    author_paths=("author.steamid",),
    page_size=REVIEWS_PER_PAGE,
    requests_per_minute=30,
    varies=lambda section: {"queries": len(section.app_ids)},
)
