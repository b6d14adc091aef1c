"""Simulated GDELT DOC 2.0, on the wire of api.gdeltproject.org: an article list without pages, never more than 250, and its odd JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Response

from groundswell.simulator.content import Post, shown
from groundswell.simulator.settings import SimulatorSettings

LANGUAGES = {"en": "English", "de": "German", "es": "Spanish", "fr": "French", "ja": "Japanese", "pt": "Portuguese"}
OUTLETS = ("harbourledger.example", "northwindtimes.example", "thecoppergazette.example", "marketlantern.example", "dailyorchard.example")
_MOST_RECORDS = 250
_MOST_DAYS = 400
_QUARTER = 900
"""GDELT looks at the world every fifteen minutes: an article's time is one of these moments."""


def router(settings: SimulatorSettings) -> APIRouter:
    """``GET /gdelt/api/v2/doc/doc`` in the mode artlist; what it can't take it answers with a sentence and status 200, as GDELT does."""
    routes = APIRouter(prefix="/gdelt")

    @routes.get("/api/v2/doc/doc")
    def doc(query: str = "", mode: str = "", format: str = "html", startdatetime: str = "", enddatetime: str = "", maxrecords: int = 75):
        if len(query.strip()) < 3:
            return _said("The specified phrase is too short.")
        if mode.lower() != "artlist" or format != "json":
            return _said("Invalid mode.")
        try:
            first, last = (datetime.strptime(moment, "%Y%m%d%H%M%S").replace(tzinfo=UTC) for moment in (startdatetime, enddatetime))
        except ValueError:
            return _said("Invalid/Unsupported date range.")
        topic = settings.topic_of(query)
        articles = list(_matching(settings, topic, first, last)) if topic else []
        return _page(articles[: min(max(1, maxrecords), _MOST_RECORDS)])

    return routes


def _said(sentence: str) -> Response:
    return Response(sentence + "\n", media_type="text/html; charset=utf-8")


def _matching(settings: SimulatorSettings, topic: str, first: datetime, last: datetime) -> Iterator[Post]:
    """Newest first, both bounds included."""
    day = last.date()
    for _ in range(_MOST_DAYS):
        if day < first.date():
            return
        yield from (post for post in reversed(shown(settings, "gdelt", topic, day)) if first.timestamp() <= _seen(post) <= last.timestamp())
        day -= timedelta(days=1)


def _seen(post: Post) -> int:
    return post.created // _QUARTER * _QUARTER


def _page(articles: list[Post]) -> Response:
    """An empty object where nothing was found; an apostrophe escaped here and there, which JSON does not know."""
    text = json.dumps({"articles": [_article(post) for post in articles]} if articles else {}, ensure_ascii=False)
    return Response(text.replace("'t ", "\\'t ").encode("utf-8", "replace"), media_type="application/json; charset=utf-8")


def _article(post: Post) -> dict:
    moment = datetime.fromtimestamp(_seen(post), UTC)
    domain = OUTLETS[post.post_id % len(OUTLETS)]
    return {
        "url": f"https://{domain}/{moment:%Y/%m/%d}/{post.post_id}",
        "url_mobile": "",
        "title": post.text,
        "seendate": f"{moment:%Y%m%dT%H%M%SZ}",
        "socialimage": f"https://{domain}/images/{post.post_id}.jpg",
        "domain": domain,
        "language": LANGUAGES.get(post.lang, "English"),
        "sourcecountry": "United States",
    }
