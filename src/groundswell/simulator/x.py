"""Simulated X, on the wire of the v2 API: search of recent posts and of the archive, counts of them, and a look at posts by id."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from groundswell.simulator.content import TOPICS, Post, lookup, shown
from groundswell.simulator.settings import SimulatorSettings

_PROBLEMS = "https://api.twitter.com/2/problems/"
_SNOWFLAKES_FROM_MS = 1_288_834_974_657
_SEARCHES = {"recent": (100, 512, 450, 7), "all": (500, 1024, 300, 30)}
"""Posts a page, characters of a query, requests in 15 minutes, and the days that are searched where no start is given."""
_HORIZON = datetime(2026, 12, 31, tzinfo=UTC)
"""What counts as now in a world without a time."""
_KNOWN = {"query", "start_time", "end_time", "max_results", "next_token", "tweet.fields"}
_COUNTED = {"query", "start_time", "end_time", "granularity", "next_token"}
_GRAINS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_COUNTED_DAYS = timedelta(days=31)
"""A page of counts has no more."""
_TOKEN = re.compile(r"([0-9a-z]+)-([0-9a-z]+)-([0-9a-z]+)")
_MOST_DAYS = 400
_TOP = 1 << 62
_MENTION = re.compile(r"@(\w{1,15})")
_TAG = re.compile(r"#(\w*[^\W\d_]\w*)")


def router(settings: SimulatorSettings) -> APIRouter:
    """``GET /x/2/tweets/search/recent``, ``/x/2/tweets/search/all``, ``/x/2/tweets/counts/`` likewise, and ``/x/2/tweets``."""
    routes = APIRouter(prefix="/x")
    ever = settings.model_copy(update={"now": None})
    """The world as it was posted: an answer goes on naming a post that was deleted."""

    @routes.get("/2/tweets/search/{kind}")
    def search(request: Request, kind: str):
        if kind not in _SEARCHES:
            return _problem(404, "Not Found", "the path does not exist", "about:blank")
        return _refused(request) or _limited(_search(settings, ever, kind, dict(request.query_params), getattr(request.state, "fault", None)), kind)

    @routes.get("/2/tweets/counts/{kind}")
    def counts(request: Request, kind: str):
        if kind not in _SEARCHES:
            return _problem(404, "Not Found", "the path does not exist", "about:blank")
        return _refused(request) or _limited(_counts(settings, kind, dict(request.query_params)), kind)

    @routes.get("/2/tweets")
    def tweets(request: Request, ids: str = ""):
        return _refused(request) or _lookup(settings, ever, ids.split(","), request.query_params.get("tweet.fields", ""))

    return routes


def _refused(request: Request) -> JSONResponse | None:
    if getattr(request.state, "fault", None) == "usage-capped":
        said = {"account_id": 17, "product_name": "standard-basic", "period": "Monthly", "scope": "Product"}
        return _problem(429, "UsageCapExceeded", "Usage cap exceeded: Monthly product cap", f"{_PROBLEMS}usage-capped", **said)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return None if scheme == "Bearer" and token else _problem(401, "Unauthorized", "Unauthorized", "about:blank", status=401)


def _problem(code: int, title: str, detail: str, kind: str, **more) -> JSONResponse:
    return JSONResponse({"title": title, "detail": detail, "type": kind, **more}, code, media_type="application/problem+json")


def _invalid(name: str, value: object, said: str) -> JSONResponse:
    errors = [{"parameters": {name: [str(value)]}, "message": said}]
    return _problem(400, "Invalid Request", "One or more parameters to your request was invalid.", f"{_PROBLEMS}invalid-request", errors=errors)


def _limited(answer, kind: str) -> JSONResponse:
    response = answer if isinstance(answer, JSONResponse) else JSONResponse(answer)
    limit = _SEARCHES[kind][2]
    response.headers.update(
        {"x-rate-limit-limit": str(limit), "x-rate-limit-remaining": str(limit - 1), "x-rate-limit-reset": str(int(time.time()) + 900)}
    )
    return response


def _search(settings: SimulatorSettings, ever: SimulatorSettings, kind: str, asked: dict[str, str], fault: str | None) -> dict | JSONResponse:
    most, longest, _, days = _SEARCHES[kind]
    now = settings.now or _HORIZON
    query = asked.get("query", "")
    size, token = asked.get("max_results", "10"), asked.get("next_token")
    start, end = (_moment(asked.get(name), default) for name, default in (("start_time", now - timedelta(days=days)), ("end_time", now)))
    place = _TOKEN.fullmatch(token) if token else None
    if unknown := sorted(set(asked) - _KNOWN):
        return _invalid(unknown[0], asked[unknown[0]], f"The query parameter [{unknown[0]}] is not one of [{','.join(sorted(_KNOWN))}]")
    if not 0 < len(query) <= longest:
        return _invalid("query", query, f"The `query` length must be between 1 and {longest}")
    if not size.isdecimal() or not 10 <= int(size) <= most:
        return _invalid("max_results", size, f"The `max_results` query parameter value [{size}] is not between 10 and {most}")
    if start is None or end is None or start >= end or (settings.now and end > now):
        return _invalid("end_time", asked.get("end_time"), "Invalid 'end_time': must be a time after 'start_time' and a minimum of 10 seconds ago")
    if kind == "recent" and settings.now and start < now - timedelta(days=7):
        return _invalid("start_time", asked.get("start_time"), "Invalid 'start_time': must be within the last 7 days")
    if token and place is None:
        return _invalid("next_token", token, f"The `next_token` query parameter value [{token}] is not valid")
    below, before, number = (int(part, 36) for part in place.groups()) if place else (_TOP, _TOP, 0)
    posts = _matching(settings, query, start, end, before if fault == "repeated-page" else below)
    page = list(islice(posts, int(size) + 1))
    return _page(page, int(size), (below, number, token), lambda post: _tweet(post, asked.get("tweet.fields", ""), ever), fault)


def _counts(settings: SimulatorSettings, kind: str, asked: dict[str, str]) -> dict | JSONResponse:
    """Posts by the day, hour or minute, newest 31 days first: what the search would find, those without any too."""
    now, query, token = settings.now or _HORIZON, asked.get("query", ""), asked.get("next_token")
    start, end = (
        _moment(asked.get(name), default) for name, default in (("start_time", now - timedelta(days=_SEARCHES[kind][3])), ("end_time", now))
    )
    grain = _GRAINS.get(asked.get("granularity", "hour"))
    if unknown := sorted(set(asked) - _COUNTED):
        return _invalid(unknown[0], asked[unknown[0]], f"The query parameter [{unknown[0]}] is not one of [{','.join(sorted(_COUNTED))}]")
    if grain is None or not 0 < len(query) <= _SEARCHES[kind][1] or (token and not token.isdecimal()):
        return _invalid("granularity", asked.get("granularity"), "Invalid 'granularity', 'query' or 'next_token'")
    if start is None or end is None or start >= end or (settings.now and end > now):
        return _invalid("end_time", asked.get("end_time"), "Invalid 'end_time': must be a time after 'start_time' and a minimum of 10 seconds ago")
    if kind == "recent" and settings.now and start < now - timedelta(days=7):
        return _invalid("start_time", asked.get("start_time"), "Invalid 'start_time': must be within the last 7 days")
    end = datetime.fromtimestamp(int(token), UTC) if token else end
    begin = max(start, end - _COUNTED_DAYS)
    found = Counter((post.created - int(begin.timestamp())) // int(grain.total_seconds()) for post in _matching(settings, query, begin, end, _TOP))
    bounds = [begin + number * grain for number in range(-(-(end - begin) // grain))]
    data = [{"end": _stamp(min(bound + grain, end)), "start": _stamp(bound), "tweet_count": found[number]} for number, bound in enumerate(bounds)]
    return {"data": data, "meta": {"total_tweet_count": found.total()} | ({"next_token": str(int(begin.timestamp()))} if begin > start else {})}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _moment(value: str | None, default: datetime) -> datetime | None:
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z") if value else default
    except ValueError:
        return None


def _matching(settings: SimulatorSettings, query: str, start: datetime, end: datetime, below: int) -> Iterator[Post]:
    """Newest first, below the id ``below``; with ``-is:retweet`` no post that repeats another one."""
    topic = settings.topic_of(query)
    first, last = int(start.timestamp()), int(end.timestamp())
    day = (end - timedelta(microseconds=1)).astimezone(UTC).date()
    for _ in range(_MOST_DAYS if topic else 0):
        if day < start.astimezone(UTC).date():
            return
        for post in reversed(shown(settings, "x", topic, day)):
            is_wanted = "-is:retweet" not in query or not _is_repost(post)
            if is_wanted and first <= post.created < last and _first_id(post) < below:
                yield post
        day -= timedelta(days=1)


def _page(posts: list[Post], size: int, token: tuple[int, int, str | None], tweet: Callable[[Post], dict], fault: str | None) -> dict:
    """A page of ``posts`` (one more than fit, where there are more), and the token with which the next one begins."""
    below, number, used = token
    page = [] if fault == "empty-page" else posts[:size]
    meta: dict = {"result_count": len(page)}
    if page:
        meta = {"newest_id": str(_ids(page[0])[-1]), "oldest_id": str(_ids(page[-1])[-1])} | meta
    if len(posts) > len(page):
        meta["next_token"] = "-".join(map(_base36, (_first_id(page[-1]) if page else below, below, number + 1)))
    if fault == "same-cursor" and used:
        meta["next_token"] = used
    return ({"data": [tweet(post) for post in page]} if page else {}) | {"meta": meta}


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


def _snowflake(moment: int, post: Post) -> int:
    return (moment * 1000 - _SNOWFLAKES_FROM_MS) << 22 | post.post_id & (1 << 22) - 1


def _first_id(post: Post) -> int:
    return _snowflake(post.created, post)


def _ids(post: Post) -> list[int]:
    """Every version of a post has an id of its own; the last one is the post's."""
    return [_first_id(post)] + ([_snowflake(post.edited_at, post)] if post.edited_at else [])


def _is_repost(post: Post) -> bool:
    return post.text.startswith("RT @")


def _user_id(name: str) -> str:
    return str(10**9 + int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))


def _tweet(post: Post, fields: str, ever: SimulatorSettings) -> dict:
    """A post with the default fields and those of ``fields``."""
    parent, root = (_post(ever, number) for number in (post.parent_id, post.root_id))
    references = [("retweeted", _first_id(post) - (1 << 40))] if _is_repost(post) else [("replied_to", _first_id(parent))] if parent else []
    ids = [str(number) for number in _ids(post)]
    points, comments = post.numbers["points"], post.numbers["comments"]
    optional = {
        "author_id": _user_id(post.author or ""),
        "conversation_id": str(_first_id(root or parent or post)),
        "created_at": post.moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "entities": _entities(post.text),
        "in_reply_to_user_id": _user_id(parent.author or "") if parent else None,
        "lang": post.lang,
        "note_tweet": {"text": post.text} if len(post.text) > 280 else None,
        "public_metrics": {
            "retweet_count": points // 3,
            "reply_count": comments,
            "like_count": points,
            "quote_count": points // 9,
            "bookmark_count": points // 5,
            "impression_count": points * 40 + 7,
        },
        "referenced_tweets": [{"type": kind, "id": str(number)} for kind, number in references] or None,
    }
    asked = {name: value for name, value in optional.items() if name in fields.split(",") and value is not None}
    text = post.text if len(post.text) <= 280 else post.text[:279] + "…"
    return {"edit_history_tweet_ids": ids, "id": ids[-1], "text": text, **asked}


def _post(ever: SimulatorSettings, number: int | None) -> Post | None:
    found = (lookup(ever, "x", topic, number) for topic in TOPICS if number is not None)
    return next((post for post in found if post is not None), None)


def _entities(text: str) -> dict | None:
    """What X found in a text; no such key where it found nothing."""
    mentions = [
        {"start": found.start(), "end": found.end(), "username": found[1], "id": _user_id(found[1].casefold())} for found in _MENTION.finditer(text)
    ]
    tags = [{"start": found.start(), "end": found.end(), "tag": found[1]} for found in _TAG.finditer(text)]
    return {name: value for name, value in (("mentions", mentions), ("hashtags", tags)) if value} or None


def _lookup(settings: SimulatorSettings, ever: SimulatorSettings, ids: list[str], fields: str) -> dict | JSONResponse:
    if len(ids) > 100 or not all(re.fullmatch(r"\d{1,19}", one) for one in ids):
        return _invalid("ids", ",".join(ids[:3]), "The number of values in the `ids` query parameter list must be 1 to 100, each an id")
    found = {one: _by_id(settings, int(one)) for one in dict.fromkeys(ids)}
    errors = [
        {
            "value": one,
            "detail": f"Could not find tweet with ids: [{one}].",
            "title": "Not Found Error",
            "resource_type": "tweet",
            "parameter": "ids",
            "resource_id": one,
            "type": f"{_PROBLEMS}resource-not-found",
        }
        for one, post in found.items()
        if post is None
    ]
    data = [_tweet(post, fields, ever) | {"id": one} for one, post in found.items() if post is not None]
    return ({"data": data} if data else {}) | ({"errors": errors} if errors else {})


def _by_id(settings: SimulatorSettings, number: int) -> Post | None:
    """The post that has ``number`` for one of its versions: a version may be of the day after the post's own."""
    day = datetime.fromtimestamp(((number >> 22) + _SNOWFLAKES_FROM_MS) / 1000, UTC).date()
    days = (day, day - timedelta(days=1))
    posts = (post for topic in TOPICS for one in days for post in shown(settings, "x", topic, one))
    return next((post for post in posts if number in _ids(post)), None)
