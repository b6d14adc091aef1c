"""Simulated Reddit, on the wire of its OAuth API: listings from newest to oldest that end at a thousand, a token that may run out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from groundswell.simulator.content import TOPICS, Post, lookup, shown
from groundswell.simulator.settings import SimulatorSettings

_LISTING_CAP, _SEARCH_CAP, _MOST_PER_PAGE = 1000, 250, 100
_HORIZON = datetime(2026, 12, 31, tzinfo=UTC)
"""What counts as now in a world without a time."""
_MOST_DAYS = 400
_PER_TEN_MINUTES = 1000
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def router(settings: SimulatorSettings) -> APIRouter:
    """``POST /reddit/api/v1/access_token``, ``GET /reddit/r/NAME/new``, ``…/comments``, ``…/search`` and ``/reddit/api/info``."""
    routes = APIRouter(prefix="/reddit")
    tokens: dict[str, int] = {}
    """Token → requests made with it; one that ran out is not in here."""

    @routes.post("/api/v1/access_token")
    async def access_token(request: Request):
        if not _is_app(request.headers.get("authorization", "")):
            return _error(401, "Unauthorized")
        if parse_qs((await request.body()).decode()).get("grant_type") != ["client_credentials"]:
            return {"error": "unsupported_grant_type"}
        token = f"simulated-{len(tokens)}-{request.headers.get('user-agent', '')}"
        tokens[token] = 0
        return {"access_token": token, "token_type": "bearer", "expires_in": 86_400, "scope": "*"}

    @routes.get("/r/{name}/{listing}")
    def listing(request: Request, name: str, listing: str):
        refused = _refused(request, tokens)
        topic = settings.topic_of(name)
        if refused or topic is None or listing not in ("new", "comments", "search"):
            return refused or _error(404, "Not Found")
        asked = dict(request.query_params)
        if listing == "search":
            topic = topic if settings.topic_of(asked.get("q", "")) == topic else None
        things = _things(settings, topic, "t1" if listing == "comments" else "t3", name, _SEARCH_CAP if listing == "search" else _LISTING_CAP)
        return _limited(_page(things, asked, getattr(request.state, "fault", None)), request, tokens)

    @routes.get("/api/info")
    def info(request: Request, id: str = ""):
        refused = _refused(request, tokens)
        found = [_by_name(settings, name) for name in id.split(",")[:_MOST_PER_PAGE]]
        return refused or _limited(_listed([thing for thing in found if thing], None), request, tokens)

    return routes


def _is_app(authorization: str) -> bool:
    """Whether somebody shows an id and a secret, whatever they are."""
    scheme, _, login = authorization.partition(" ")
    try:
        name, _, secret = base64.b64decode(login, validate=True).decode().partition(":")
    except ValueError:
        return False
    return scheme == "Basic" and bool(name and secret)


def _refused(request: Request, tokens: dict[str, int]) -> JSONResponse | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if getattr(request.state, "fault", None) == "expired-token":
        tokens.pop(token, None)
    return None if scheme.lower() == "bearer" and token in tokens else _error(401, "Unauthorized")


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"message": message, "error": status}, status)


def _limited(answer: dict, request: Request, tokens: dict[str, int]) -> JSONResponse:
    """The answer, with what Reddit says of its limits: numbers with a decimal point, and seconds to go."""
    token = request.headers["authorization"].partition(" ")[2]
    tokens[token] = used = tokens[token] % _PER_TEN_MINUTES + 1
    headers = {"x-ratelimit-used": str(used), "x-ratelimit-remaining": f"{_PER_TEN_MINUTES - used:.1f}", "x-ratelimit-reset": "1"}
    return JSONResponse(answer, headers=headers)


def _things(settings: SimulatorSettings, topic: str | None, kind: str, subreddit: str, cap: int) -> list[dict]:
    """The newest ``cap`` posts (t3) or comments (t1), newest first."""
    posts = (post for post in _newest_first(settings, topic) if _kind(post) == kind)
    return [_thing(post, subreddit) for post in islice(posts, cap)] if topic else []


def _newest_first(settings: SimulatorSettings, topic: str) -> Iterator[Post]:
    now = settings.now or _HORIZON
    day = now.astimezone(UTC).date()
    for _ in range(_MOST_DAYS):
        yield from reversed([post for post in shown(settings, "reddit", topic, day) if post.created <= now.timestamp()])
        day -= timedelta(days=1)


def _kind(post: Post) -> str:
    return "t3" if post.parent_id is None else "t1"


def _page(things: list[dict], asked: dict[str, str], fault: str | None) -> dict:
    """The page that follows ``after``; a thing that is no longer there is followed by nothing, as on the real one."""
    limit = asked.get("limit", "25")
    size = min(max(1, int(limit)), _MOST_PER_PAGE) if limit.isdecimal() else 25
    after, names = asked.get("after"), [thing["data"]["name"] for thing in things]
    place = (names.index(after) + 1 if after in names else len(names)) if after else 0
    if fault == "repeated-page":
        place = max(0, place - size)
    page = [] if fault == "empty-page" else things[place : place + size]
    following = page[-1]["data"]["name"] if page and place + size < len(things) else None
    return _listed(page, after if fault == "same-cursor" and after else following)


def _listed(things: list[dict], after: str | None) -> dict:
    return {"kind": "Listing", "data": {"after": after, "before": None, "dist": len(things), "modhash": "", "geo_filter": "", "children": things}}


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"


def _thing(post: Post, subreddit: str) -> dict:
    kind, name, points = _kind(post), _base36(post.post_id), post.numbers["points"]
    author = post.author or "somebody"
    data = {
        "name": f"{kind}_{name}",
        "id": name,
        "author": author,
        "author_fullname": f"t2_{_base36(sum(map(ord, author)) * 46_656 + len(author))}",
        "created_utc": float(post.created),
        "edited": float(post.edited_at) if post.edited_at else False,
        "subreddit": subreddit,
        "subreddit_id": "t5_2qh1e",
        "score": points,
        "ups": points,
        "over_18": False,
        "stickied": False,
    }
    return {"kind": kind, "data": data | (_comment(post, subreddit) if kind == "t1" else _post(post, subreddit, name))}


def _post(post: Post, subreddit: str, name: str) -> dict:
    title, _, rest = post.text.partition(". ")
    return {
        "title": title,
        "selftext": rest,
        "num_comments": post.numbers["comments"],
        "upvote_ratio": 0.5 + post.numbers["points"] / (2 * post.numbers["points"] + 3),
        "permalink": f"/r/{subreddit}/comments/{name}/",
        "url": f"https://www.reddit.com/r/{subreddit}/comments/{name}/",
        "is_self": True,
        "link_flair_text": None,
        "removed_by_category": None,
    }


def _comment(post: Post, subreddit: str) -> dict:
    root = post.root_id or post.parent_id
    story = f"t3_{_base36(root)}"
    return {
        "body": post.text,
        "parent_id": story if post.parent_id == root else f"t1_{_base36(post.parent_id)}",
        "link_id": story,
        "link_title": "What are you playing this week? The game thread",
        "permalink": f"/r/{subreddit}/comments/{story[3:]}/_/{_base36(post.post_id)}/",
    }


def _by_name(settings: SimulatorSettings, name: str) -> dict | None:
    kind, _, number = name.partition("_")
    if kind not in ("t1", "t3") or not number or not set(number) <= set(_DIGITS):
        return None
    found = (lookup(settings, "reddit", topic, int(number, 36)) for topic in TOPICS)
    return next((_thing(post, "gaming") for post in found if post is not None and _kind(post) == kind), None)
