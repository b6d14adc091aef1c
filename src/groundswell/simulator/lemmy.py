"""A simulated Lemmy instance (API v3): the posts of a community, newest first below the pinned ones, and one post by its id.

A page with posts names the next one by its last post; the page after the last is empty. A platform that says "too many requests" does
not say until when.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, takewhile

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from groundswell.simulator.content import TOPICS, Post, lookup, shown
from groundswell.simulator.listing import as_written, latest, newest_first
from groundswell.simulator.settings import SimulatorSettings

LANGUAGES = {"und": 0, "de": 32, "en": 37, "es": 39, "fr": 47, "ja": 74, "pt": 128}
_PINNED_AFTER = timedelta(days=3)
_HOST = "https://lemmy.example"


def router(settings: SimulatorSettings) -> APIRouter:
    """``/lemmy/api/v3/…``: site, post/list, post."""
    routes = APIRouter(prefix="/lemmy/api/v3")

    @routes.get("/site")
    def site():
        languages = [{"id": number, "code": code, "name": code} for code, number in LANGUAGES.items()]
        return {"site_view": {"site": {"id": 1, "name": "simulated"}}, "admins": [], "version": "0.19.11", "all_languages": languages}

    @routes.get("/post/list")
    def post_list(request: Request, community_name: str = "", limit: int = 10, page_cursor: str = ""):
        community = community_name.partition("@")[0]
        topic = settings.topic_of(community)
        if topic is None:
            return JSONResponse({"error": "couldnt_find_community"}, 404)
        if not 1 <= limit <= 50:
            return JSONResponse({"error": "couldnt_get_posts"}, 400)
        page, following = _page(settings, topic, limit, page_cursor, getattr(request.state, "fault", None))
        answer = {"posts": [_view(post, community, is_pinned) for post, is_pinned in page]}
        return answer | ({"next_page": following} if following else {})

    @routes.get("/post")
    def post(id: int):
        found = next((found for topic in TOPICS if (found := lookup(settings, "lemmy", topic, id))), None)
        if found is None:
            return JSONResponse({"error": "couldnt_find_post"}, 404)
        return {"post_view": _view(found, "games", False), "moderators": [], "cross_posts": []}

    return routes


def _page(settings: SimulatorSettings, topic: str, size: int, cursor: str, fault: str | None) -> tuple[list[tuple[Post, bool]], str | None]:
    if fault == "empty-page":
        return [], None
    after = int(cursor[1:], 16) if re.fullmatch("P[0-9a-f]{1,15}", cursor) else None
    if fault == "repeated-page" and after is not None:
        newer = list(takewhile(lambda one: one[0].post_id != after, _listed(settings, topic, None)))
        cursor_post = lookup(settings, "lemmy", topic, after)
        page = [*newer, *([(cursor_post, False)] if cursor_post else [])][-size:]
    else:
        page = list(islice(_listed(settings, topic, after), size))
    following = f"P{page[-1][0].post_id:x}" if page else None
    return page, cursor or following if fault == "same-cursor" else following


def _listed(settings: SimulatorSettings, topic: str, after: int | None) -> Iterator[tuple[Post, bool]]:
    """The posts below ``after``, and whether each is pinned: the pinned ones first, whatever their age."""
    pinned = _pinned(settings, topic)
    ids = [post.post_id for post in pinned]
    if after in ids:
        pinned, after = pinned[ids.index(after) + 1 :], None
    elif after is not None:
        pinned = []
    last = as_written(settings, "lemmy", topic, after) if after is not None else None
    ordinary = newest_first(settings, "lemmy", topic, None, last and last.moment + timedelta(seconds=1), order=lambda post: post.post_id)
    rest = (post for post in ordinary if post.post_id not in ids and (after is None or post.post_id < after))
    yield from chain(((post, True) for post in pinned), ((post, False) for post in rest))


def _pinned(settings: SimulatorSettings, topic: str) -> list[Post]:
    """Two posts of some days before, which moderators keep at the top."""
    return list(shown(settings, "lemmy", topic, (latest(settings) - _PINNED_AFTER).date())[:2])


def _view(post: Post, community: str, is_pinned: bool) -> dict:
    title, _, body = post.text.partition(". ")
    name = re.sub(r"\W", "_", post.author)
    points, down = post.numbers["points"], post.numbers["points"] // 6
    return {
        "post": {
            "id": post.post_id,
            "name": title,
            **({"body": body} if body else {}),
            "creator_id": sum(map(ord, name)) * 7919,
            "community_id": 5,
            "removed": post.post_id % 83 == 0,
            "locked": False,
            "published": _iso(post.created, post.post_id),
            **({"updated": _iso(post.edited_at, post.post_id)} if post.edited_at else {}),
            "deleted": False,
            "nsfw": False,
            "ap_id": f"{_HOST}/post/{post.post_id}",
            "local": True,
            "language_id": LANGUAGES.get(post.lang, 0),
            "featured_community": is_pinned,
            "featured_local": False,
        },
        "creator": {
            "id": sum(map(ord, name)) * 7919,
            "name": name,
            "display_name": post.author.title(),
            "banned": False,
            "actor_id": f"{_HOST}/u/{name}",
            "local": True,
            "deleted": False,
            "bot_account": post.kind == "bot",
            "instance_id": 1,
        },
        "community": {"id": 5, "name": community, "title": community.title(), "actor_id": f"{_HOST}/c/{community}", "nsfw": False},
        "creator_banned_from_community": False,
        "counts": {
            "post_id": post.post_id,
            "comments": post.numbers["comments"],
            "score": points - down,
            "upvotes": points,
            "downvotes": down,
            "published": _iso(post.created, post.post_id),
        },
        "subscribed": "NotSubscribed",
        "saved": False,
        "read": False,
        "creator_blocked": False,
        "unread_comments": post.numbers["comments"],
    }


def _iso(seconds: int, post_id: int) -> str:
    """With microseconds that grow with the id, so that time and id say the same order."""
    return (datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=post_id % 1_000_000)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
