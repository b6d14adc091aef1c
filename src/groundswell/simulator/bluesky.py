"""Simulated Bluesky, on the wire of a personal data server: sessions, the search, and the look-up of posts.

Nobody searches without a session. A search ends at 10,000 posts, its second page of three or more is empty with a cursor, and now and
then a post claims a time that is not its own.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from groundswell.simulator.content import TOPICS, Post, shown
from groundswell.simulator.listing import newest_first
from groundswell.simulator.settings import SimulatorSettings

POSTS_PER_QUERY = 10_000
_COLLECTION = "app.bsky.feed.post"
_TID = "234567abcdefghijklmnopqrstuvwxyz"
_BEARER = "Bearer sim."
_LIMITS = {"ratelimit-limit": "3000", "ratelimit-policy": "3000;w=300"}
_FACET = re.compile(r"(?P<tag>(?<!\w)#\w+)|(?P<mention>(?<!\w)@[\w.-]*\w)|(?P<link>https?://\S+)")


class Credentials(BaseModel):
    identifier: str = ""
    password: str = ""


def router(settings: SimulatorSettings) -> APIRouter:
    """``/bluesky/xrpc/…``: createSession, searchPosts, getPosts."""
    routes = APIRouter(prefix="/bluesky/xrpc")

    @routes.post("/com.atproto.server.createSession")
    def create_session(credentials: Credentials):
        if not credentials.identifier or not credentials.password:
            return _refusal(401, "AuthenticationRequired", "Invalid identifier or password")
        who = base64.urlsafe_b64encode(credentials.identifier.encode()).decode()
        return {"accessJwt": f"sim.{who}", "refreshJwt": f"sim.again.{who}", "did": _did(credentials.identifier), "handle": credentials.identifier}

    @routes.get("/app.bsky.feed.searchPosts")
    def search_posts(
        request: Request,
        response: Response,
        q: str = "",
        since: str = "",
        until: str = "",
        lang: str = "",
        limit: int = 25,
        cursor: str = "",
        authorization: str = Header(""),
    ):
        refusal = _no_session(request, authorization)
        start, end = _time(since), _time(until)
        if refusal or not 1 <= limit <= 100 or (since and not start) or (until and not end):
            return refusal or _refusal(400, "InvalidRequest", "Error: Params must have valid since, until and limit")
        response.headers.update(_limits())
        topic = settings.topic_of(q)
        posts = newest_first(settings, "bluesky", topic, start, end) if topic else ()
        found = islice((post for post in posts if not lang or post.lang == lang), POSTS_PER_QUERY)
        return _page(list(found), limit, cursor, getattr(request.state, "fault", None))

    @routes.get("/app.bsky.feed.getPosts")
    def get_posts(request: Request, response: Response, uris: Annotated[list[str], Query()], authorization: str = Header("")):
        refusal = _no_session(request, authorization)
        if refusal or not 1 <= len(uris) <= 25:
            return refusal or _refusal(400, "InvalidRequest", "Error: uris must have 1 to 25 items")
        response.headers.update(_limits())
        return {"posts": [_view(post) for uri in uris if (post := _named(settings, uri))]}

    return routes


def _refusal(status: int, error: str, message: str) -> JSONResponse:
    return JSONResponse({"error": error, "message": message}, status)


def _no_session(request: Request, authorization: str) -> JSONResponse | None:
    if getattr(request.state, "fault", None) == "expired-token":
        return _refusal(400, "ExpiredToken", "Token has expired")
    return None if authorization.startswith(_BEARER) else _refusal(403, "AuthMissing", "Authentication Required")


def _limits() -> dict[str, str]:
    now = int(datetime.now(UTC).timestamp())
    return _LIMITS | {"ratelimit-remaining": "2999", "ratelimit-reset": str(now - now % 300 + 300)}


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _page(posts: list[Post], size: int, cursor: str, fault: str | None) -> dict:
    """A cursor is a place, ``200``, or with ``+`` the place behind a page that turned out empty."""
    place, is_past_it = int(cursor.rstrip("+") or 0) if cursor.rstrip("+").isdigit() else 0, cursor.endswith("+")
    if fault == "repeated-page":
        place = max(0, place - size)
    if fault == "empty-page" or (place == 2 * size and not is_past_it and place < len(posts)):
        return {"posts": [], "cursor": f"{place}+"}
    page = posts[place : place + size]
    following = cursor or "0" if fault == "same-cursor" else str(place + size)
    return {"posts": [_view(post) for post in page]} | ({"cursor": following} if place + size < len(posts) else {})


def _named(settings: SimulatorSettings, uri: str) -> Post | None:
    did, _, rkey = uri.removeprefix("at://").partition(f"/{_COLLECTION}/")
    if len(rkey) != 13 or not set(rkey) <= set(_TID):
        return None
    number = 0
    for sign in rkey:
        number = number * 32 + _TID.index(sign)
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number >> 10)).date()
    posts = (post for topic in TOPICS for post in shown(settings, "bluesky", topic, day))
    return next((post for post in posts if _rkey(post) == rkey and _did(post.author) == did), None)


def _micros(post: Post) -> int:
    return post.created * 1_000_000 + post.post_id % 1_000_000


def _rkey(post: Post) -> str:
    """A TID: 53 bits of microseconds and 10 of a clock, in 13 signs that sort by time."""
    number = _micros(post) << 10 | post.post_id % 1024
    return "".join(_TID[number >> shift & 31] for shift in range(60, -5, -5))


def _did(author: str) -> str:
    return "did:plc:" + _base32(f"did/{author}")[:24]


def _base32(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()).decode().lower().rstrip("=")


def _handle(author: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", author.lower()) + ".example.social"


def _created(post: Post) -> str:
    """The time as its author's program puts it; one in ninety-seven is wrong by more than a year."""
    created = datetime.fromtimestamp(post.created, UTC) + timedelta(microseconds=post.post_id % 1_000_000)
    created += timedelta(days=400 if post.post_id % 97 == 0 else 0)
    return created.isoformat(timespec="milliseconds" if post.post_id % 3 else "microseconds").replace("+00:00", "Z")


def _view(post: Post) -> dict:
    did = _did(post.author)
    indexed = datetime.fromtimestamp(post.created + 1, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "uri": _uri(post),
        "cid": _cid(post),
        "author": {
            "did": did,
            "handle": _handle(post.author),
            "displayName": post.author.replace("_", " ").title(),
            "avatar": f"https://cdn.example.social/img/avatar/plain/{did}/{_base32('avatar/' + post.author)}@jpeg",
            "viewer": {"muted": False, "blockedBy": False},
            "labels": [],
            "createdAt": "2024-09-04T11:55:00.863Z",
        },
        "record": _record(post),
        "replyCount": post.numbers["comments"],
        "repostCount": post.numbers["points"] // 5,
        "likeCount": post.numbers["points"],
        "quoteCount": 0,
        "indexedAt": indexed,
        "viewer": {"threadMuted": False, "embeddingDisabled": False},
        "labels": [],
    }


def _record(post: Post) -> dict:
    record = {"$type": _COLLECTION, "createdAt": _created(post), "text": post.text}
    if post.post_id % 12:
        record["langs"] = [post.lang]
    facets = [_facet(post.text, match) for match in _FACET.finditer(post.text)]
    if facets:
        record["facets"] = facets
    if post.parent:
        record["reply"] = {"root": _reference(post.root), "parent": _reference(post.parent)}
    return record


def _reference(post: Post) -> dict:
    return {"uri": _uri(post), "cid": _cid(post)}


def _uri(post: Post) -> str:
    return f"at://{_did(post.author)}/{_COLLECTION}/{_rkey(post)}"


def _cid(post: Post) -> str:
    return "bafyrei" + _base32(f"cid/{post.post_id}/{post.text}")


def _facet(text: str, match: re.Match) -> dict:
    """Where a tag, a mention or a link stands, in bytes of UTF-8."""
    start, end = (len(text[:place].encode("utf-8", "surrogatepass")) for place in match.span())
    feature = {
        "tag": lambda what: {"tag": what[1:]},
        "mention": lambda what: {"did": _did(what[1:])},
        "link": lambda what: {"uri": what},
    }[match.lastgroup](match[0])
    return {
        "index": {"byteStart": start, "byteEnd": end},
        "features": [{"$type": f"app.bsky.richtext.facet#{match.lastgroup}", **feature}],
    }
