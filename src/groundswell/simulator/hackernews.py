"""Simulated Hacker News search, on the wire of hn.algolia.com: newest first, and never more than a query's first 1,000 hits."""

from __future__ import annotations

import operator
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from groundswell.simulator.content import TOPICS, Post, lookup, shown
from groundswell.simulator.settings import SimulatorSettings

HITS_PER_QUERY = 1000
_BEYOND = "you can only fetch the 1000 hits for this query. You can extend the number of hits returned via the paginationLimitedTo index parameter"
_FILTER = re.compile(r"created_at_i\s*(<=|>=|<|>|=)\s*(\d+)")
_COMPARE = {"<": operator.lt, "<=": operator.le, "=": operator.eq, ">": operator.gt, ">=": operator.ge}
_MOST_DAYS = 400


def router(settings: SimulatorSettings) -> APIRouter:
    """``GET /hackernews/api/v1/search_by_date`` and ``/hackernews/v0/item/ID.json``."""
    routes = APIRouter(prefix="/hackernews")

    @routes.get("/api/v1/search_by_date")
    def search_by_date(request: Request, query: str = "", tags: str = "", numericFilters: str = "", hitsPerPage: int = 20, page: int = 0):
        bounds = _FILTER.findall(numericFilters)
        if len(bounds) != len([part for part in numericFilters.split(",") if part.strip()]) or not bounds:
            return JSONResponse({"message": "invalid numericFilters", "status": 400}, 400)
        topic = settings.topic_of(query)
        posts = list(_matching(settings, topic, bounds, _kinds(tags))) if topic else []
        return _page(posts, query, min(max(1, hitsPerPage), HITS_PER_QUERY), max(0, page))

    @routes.get("/v0/item/{number}.json")
    def item(number: int):
        """As Firebase says it: a deleted item keeps its id and loses its text, one that never was is null."""
        for topic in TOPICS:
            if post := lookup(settings, "hackernews", topic, number):
                return _item(post)
            if lookup(settings.model_copy(update={"now": None}), "hackernews", topic, number):
                return {"deleted": True, "id": number, "type": "comment"}
        return JSONResponse(None)

    return routes


def _item(post: Post) -> dict:
    words = {"by": post.author, "id": post.post_id, "text": post.text, "time": post.created, "type": _kind(post)}
    return words | ({"title": post.text, "score": post.numbers["points"]} if post.numbers["is_story"] else {})


def _kinds(tags: str) -> set[str]:
    return set(re.findall(r"[a-z_]+", tags)) or {"story", "comment"}


def _matching(settings: SimulatorSettings, topic: str, bounds: list[tuple[str, str]], kinds: set[str]) -> Iterator[Post]:
    tests = [(_COMPARE[sign], int(number)) for sign, number in bounds]
    for day in _days(bounds):
        posts = shown(settings, "hackernews", topic, day)
        least, most = _span(posts, tests)
        for post in reversed(posts[least:most]):
            if _kind(post) in kinds and all(holds(post.created, number) for holds, number in tests):
                yield post


def _span(posts: tuple[Post, ...], tests: list) -> tuple[int, int]:
    """The places between which the posts lie that can pass: a day of a million posts is searched thousands of times."""
    least = max((number for holds, number in tests if holds in (operator.gt, operator.ge, operator.eq)), default=0)
    most = min((number for holds, number in tests if holds in (operator.lt, operator.le, operator.eq)), default=1 << 62)
    created = operator.attrgetter("created")
    return bisect_left(posts, least, key=created), bisect_right(posts, most, key=created)


def _days(bounds: list[tuple[str, str]]) -> Iterator:
    """The days that the bounds allow, newest first; at most `_MOST_DAYS` of them."""
    first = max((int(number) for sign, number in bounds if sign in (">", ">=", "=")), default=None)
    last = min((int(number) for sign, number in bounds if sign in ("<", "<=", "=")), default=None)
    last = last if last is not None else first + 86_400
    first = first if first is not None else last - 86_400
    day, stop = (datetime.fromtimestamp(moment, UTC).date() for moment in (last, first))
    for _ in range(_MOST_DAYS):
        if day < stop:
            return
        yield day
        day -= timedelta(days=1)


def _page(posts: list[Post], query: str, size: int, number: int) -> dict:
    reachable = min(len(posts), HITS_PER_QUERY)
    answer = {
        "exhaustive": {"nbHits": True, "typo": True},
        "exhaustiveNbHits": True,
        "exhaustiveTypo": True,
        "hits": [_hit(post) for post in posts[:reachable][number * size : (number + 1) * size]],
        "hitsPerPage": size,
        "nbHits": len(posts),
        "nbPages": -(-reachable // size),
        "page": number,
        "params": f"query={query}&advancedSyntax=true&analyticsTags=backend",
        "processingTimeMS": 4,
        "query": query,
        "serverTimeMS": 5,
    }
    return answer | {"nbHits": 0, "nbPages": 0, "message": _BEYOND} if number * size >= HITS_PER_QUERY else answer


def _kind(post: Post) -> str:
    return "story" if post.numbers["is_story"] else "comment"


def _hit(post: Post) -> dict:
    is_story = post.numbers["is_story"]
    story = post.root.post_id if post.root.numbers["is_story"] else post.root.post_id // 1000 * 1000
    title = post.text if is_story else None
    return {
        "_highlightResult": {"author": {"matchLevel": "none", "matchedWords": [], "value": post.author}},
        "_tags": [_kind(post), f"author_{post.author}", f"story_{story}"],
        "author": post.author,
        "comment_text": None if is_story else post.text,
        "created_at": post.moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "created_at_i": post.created,
        "num_comments": post.numbers["comments"] if is_story else None,
        "objectID": str(post.post_id),
        "parent_id": post.parent.post_id if post.parent else None if is_story else story,
        "points": post.numbers["points"] if is_story else None,
        "story_id": story,
        "story_title": None if is_story else "What are you playing this week? The game thread",
        "story_url": None,
        "title": title,
        "updated_at": post.moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "url": None,
    }
