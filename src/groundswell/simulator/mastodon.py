"""A simulated Mastodon instance: hashtag timelines, and statuses by their ids.

Ids are strings that hold the status's time; pages are cut by ``max_id``, ``since_id`` and ``min_id``, and the ``Link`` header names the
next ones. Content is HTML. When to come back is said in ISO 8601.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from groundswell.simulator.content import TOPICS, Post, shown
from groundswell.simulator.listing import newest_first
from groundswell.simulator.settings import SimulatorSettings

_MOST = 1 << 63
_HOST = "https://mastodon.example"
_MARKED = re.compile(r"(?P<link>https?://[^\s<]+)|(?<![\w&/])(?P<tag>#\w+)|(?<![\w/])(?P<mention>@\w+)")


def router(settings: SimulatorSettings) -> APIRouter:
    """``/mastodon/api/v1/…``: timelines/tag/{tag}, statuses, statuses/{id}."""
    routes = APIRouter(prefix="/mastodon/api/v1")

    @routes.get("/timelines/tag/{tag}")
    def timeline(request: Request, response: Response, tag: str, limit: int = 20, max_id: int = _MOST, since_id: int = 0, min_id: int = 0):
        response.headers.update(_limits())
        limit, fault = min(max(limit, 1), 40), getattr(request.state, "fault", None)
        posts = _page(settings, tag.lower(), limit, max_id, since_id, min_id, fault)
        if posts:
            response.headers["link"] = _link(str(request.url).split("?")[0], limit, posts)
        return [_status(post, _tags(post, settings, settings.topic_of(tag))) for post in posts]

    @routes.get("/statuses")
    def statuses(response: Response, ids: Annotated[list[str], Query(alias="id[]", default_factory=list)]):
        response.headers.update(_limits())
        if len(ids) > 20:
            return JSONResponse({"error": "Validation failed: Too many statuses"}, 422)
        return [status for each in ids if (status := _named(settings, each))]

    @routes.get("/statuses/{status_id}")
    def status(response: Response, status_id: str):
        response.headers.update(_limits())
        return _named(settings, status_id) or JSONResponse({"error": "Record not found"}, 404)

    return routes


def _limits() -> dict[str, str]:
    now = datetime.now(UTC)
    reset = now.replace(second=0, microsecond=0) + timedelta(minutes=5 - now.minute % 5)
    return {"x-ratelimit-limit": "300", "x-ratelimit-remaining": "299", "x-ratelimit-reset": reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def _page(settings: SimulatorSettings, tag: str, limit: int, max_id: int, since_id: int, min_id: int, fault: str | None) -> list[Post]:
    if fault == "empty-page":
        return []
    if fault in ("repeated-page", "same-cursor"):
        max_id, min_id = _MOST, max_id - 1  # what the page before brought
    if min_id:
        return list(_tagged(settings, tag, max_id, min_id))[-limit:]
    return list(islice(_tagged(settings, tag, max_id, since_id), limit))


def _tagged(settings: SimulatorSettings, tag: str, below: int, above: int) -> Iterator[Post]:
    """Posts under ``tag`` with ``above < id < below``, the newest first."""
    topic = settings.topic_of(tag)
    if topic is None or tag not in _names(settings, topic):
        return
    start = _time(above) if above else None
    end = _time(below) + timedelta(seconds=1) if below < _MOST else None
    for post in newest_first(settings, "mastodon", topic, start, end, order=_id):
        if above < _id(post) < below and tag in _tags(post, settings, topic):
            yield post


def _names(settings: SimulatorSettings, topic: str) -> list[str]:
    """The tags that a topic is talked about under: a query of one word each."""
    return [query for query, its_topic in settings.queries.items() if its_topic == topic and query.isalnum()]


def _tags(post: Post, settings: SimulatorSettings, topic: str) -> list[str]:
    """Everybody sets a topic's first tag, every other one the second, every third the third …"""
    return [name for number, name in enumerate(_names(settings, topic), start=1) if post.post_id // 2 % number == 0]


def _id(post: Post) -> int:
    return (post.created * 1000 + post.post_id % 1000 << 16) + post.post_id * 40_503 % 65_536


def _time(status_id: int) -> datetime:
    return datetime.fromtimestamp((status_id >> 16) // 1000, UTC)


def _named(settings: SimulatorSettings, status_id: str) -> dict | None:
    if not status_id.isdecimal() or int(status_id) >= _MOST:
        return None
    day = _time(int(status_id)).date()
    posts = ((post, topic) for topic in TOPICS for post in shown(settings, "mastodon", topic, day))
    return next((_status(post, _tags(post, settings, topic)) for post, topic in posts if _id(post) == int(status_id)), None)


def _link(url: str, limit: int, posts: list[Post]) -> str:
    return f'<{url}?limit={limit}&max_id={_id(posts[-1])}>; rel="next", <{url}?limit={limit}&min_id={_id(posts[0])}>; rel="prev"'


def _status(post: Post, tags: list[str]) -> dict:
    status_id = str(_id(post))
    account = _account(post.author)
    is_hidden = post.post_id % 31 == 0
    return {
        "id": status_id,
        "created_at": _iso(post.created * 1000 + post.post_id % 1000),
        "in_reply_to_id": str(_id(post.parent)) if post.parent else None,
        "in_reply_to_account_id": _account(post.parent.author)["id"] if post.parent else None,
        "sensitive": is_hidden,
        "spoiler_text": "long, sorry" if is_hidden else "",
        "visibility": "public",
        "language": post.lang,
        "uri": f"{_HOST}/users/{account['username']}/statuses/{status_id}",
        "url": f"{_HOST}/@{account['username']}/{status_id}",
        "replies_count": post.numbers["comments"],
        "reblogs_count": post.numbers["points"] // 4,
        "favourites_count": post.numbers["points"],
        "quotes_count": 0,
        "edited_at": _iso(post.edited_at * 1000) if post.edited_at else None,
        "content": _content(post.text, tags),
        "reblog": None,
        "account": account,
        "media_attachments": [],
        "mentions": [],
        "tags": [{"name": name, "url": f"{_HOST}/tags/{name}"} for name in tags],
        "emojis": [],
        "card": None,
        "poll": None,
        "quote": None,
    }


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def _content(text: str, tags: list[str]) -> str:
    body = _MARKED.sub(_marked, html.escape(text, quote=False)).replace("\n", "<br />")
    return f"<p>{body}</p><p>{' '.join(_tag_link(name) for name in tags)}</p>"


def _marked(match: re.Match) -> str:
    found = match[0]
    if match.lastgroup == "tag":
        return _tag_link(found[1:])
    if match.lastgroup == "mention":
        return f'<span class="h-card"><a href="{_HOST}/@{found[1:]}" class="u-url mention">@<span>{found[1:]}</span></a></span>'
    scheme, _, rest = found.partition("://")
    parts = f'<span class="invisible">{scheme}://</span><span class="ellipsis">{rest[:30]}</span><span class="invisible">{rest[30:]}</span>'
    return f'<a href="{found}" rel="nofollow noopener" target="_blank">{parts}</a>'


def _tag_link(name: str) -> str:
    return f'<a href="{_HOST}/tags/{name}" class="mention hashtag" rel="tag">#<span>{name}</span></a>'


def _account(author: str) -> dict:
    number = sum(ord(sign) * 31**place for place, sign in enumerate(author)) % 10**15
    name = re.sub(r"\W", "_", author)
    return {
        "id": str(109_000_000_000_000_000 + number),
        "username": name,
        "acct": name if number % 3 else f"{name}@elsewhere.example",
        "display_name": author.title(),
        "locked": False,
        "bot": number % 40 == 0,
        "discoverable": True,
        "indexable": number % 5 > 0,
        "noindex": number % 50 == 0,
        "created_at": "2022-11-05T00:00:00.000Z",
        "note": "<p>here for the games</p>",
        "url": f"{_HOST}/@{name}",
        "uri": f"{_HOST}/users/{name}",
        "followers_count": number % 700,
        "statuses_count": number % 9000,
        "emojis": [],
        "fields": [],
    }
