"""Simulated Steam reviews, on the wire of IUserReviewsService/GetAppReviews/v1, its habits included."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter, Request

from groundswell.simulator.content import Post, shown
from groundswell.simulator.settings import SimulatorSettings

LANGUAGES = {"en": "english", "de": "german", "es": "spanish", "fr": "french", "ja": "japanese", "pt": "brazilian"}
_MOST_PER_PAGE = 100


def router(settings: SimulatorSettings) -> APIRouter:
    """``GET /steam/IUserReviewsService/GetAppReviews/v1/``; everything is asked for in ``input_json``."""
    routes = APIRouter(prefix="/steam")

    @routes.get("/IUserReviewsService/GetAppReviews/v1/")
    def get_app_reviews(request: Request, input_json: str = "{}"):
        asked = _query(input_json)
        topic = settings.app_ids.get(asked.get("appid"))
        if topic is None:
            return {"response": {}}
        reviews = list(_matching(settings, topic, asked))
        return {"response": _page(reviews, asked, getattr(request.state, "fault", None))}

    return routes


def _query(input_json: str) -> dict:
    try:
        asked = json.loads(input_json)
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _matching(settings: SimulatorSettings, topic: str, asked: dict) -> Iterator[Post]:
    """Newest first. The date range counts only where both ends are given: without it, the whole of the last known days."""
    first, last = asked.get("date_range_start"), asked.get("date_range_end")
    if not (first and last):
        first, last = 1_798_675_200 - 7 * 86_400, 1_798_675_200
    languages = asked.get("languages") or ["all"]
    for day in _days(first, last):
        for post in reversed(shown(settings, "steam", topic, day)):
            is_wanted = "all" in languages or LANGUAGES[post.lang] in languages
            if is_wanted and first <= post.created <= last and _app(post, settings, topic) == asked["appid"]:
                yield post


def _app(post: Post, settings: SimulatorSettings, topic: str) -> int:
    """Every review is of one app; nearly all are of the topic's first."""
    apps = [app for app, its_topic in settings.app_ids.items() if its_topic == topic]
    return apps[0] if post.post_id % 10 else apps[post.post_id // 10 % len(apps)]


def _days(first: int, last: int) -> Iterator[date]:
    day, stop = datetime.fromtimestamp(last, UTC).date(), datetime.fromtimestamp(first, UTC).date()
    while day >= stop:
        yield day
        day -= timedelta(days=1)


def _page(reviews: list[Post], asked: dict, fault: str | None) -> dict:
    cursor = asked.get("cursor") or "*"
    place = _place(cursor)
    size = min(max(1, asked.get("num_per_page") or 20), _MOST_PER_PAGE)
    if fault == "repeated-page":
        place = max(0, place - size)
    page = [] if fault == "empty-page" else reviews[place : place + size]
    following = cursor if fault == "same-cursor" or not page else _cursor(place + len(page), page[-1])
    ups = sum(post.numbers["is_up"] for post in reviews)
    answer = {
        "query_summary": {"num_reviews": len(page), "total_positive": ups, "total_negative": len(reviews) - ups, "total_reviews": len(reviews)},
        "total_matching": len(reviews),
        "cursor": following,
    }
    return answer | {"reviews": [_review(post) for post in page]} if page else answer


def _cursor(place: int, last: Post) -> str:
    """Opaque, and with characters that must be escaped in a URL."""
    return "AoJ+" + base64.b64encode(f"{place:06d}/{last.created}".encode()).decode() + "=/"


def _place(cursor: str) -> int:
    try:
        return 0 if cursor == "*" else int(base64.b64decode(cursor[4:-2])[:6])
    except ValueError:
        return 0


def _review(post: Post) -> dict:
    minutes = post.numbers["minutes"]
    return {
        "recommendationid": str(post.post_id),
        "author": {
            "steamid": post.author,
            "num_reviews": 1 + minutes % 60,
            "playtime_forever": minutes * 2,
            "playtime_at_review": minutes,
            "last_played": post.created,
        },
        "language": LANGUAGES[post.lang],
        "review": post.text,
        "timestamp_created": post.created,
        "timestamp_updated": post.edited_at or post.created + (3600 if post.post_id % 25 == 0 else 0),
        "voted_up": post.numbers["is_up"],
        "votes_up": post.numbers["votes"],
        "votes_funny": 0,
        "weighted_vote_score": f"{0.5 + post.numbers['votes'] / (2 * post.numbers['votes'] + 20):.6f}",
        "comment_count": 0,
        "steam_purchase": post.post_id % 9 > 0,
        "received_for_free": False,
        "refunded": False,
        "written_during_early_access": False,
        "primarily_steam_deck": post.post_id % 12 == 0,
    }
