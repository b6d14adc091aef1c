"""Bluesky posts by app.bsky.feed.searchPosts, which wants a session: handle and app password.

The window is the search's own (``since`` included, ``until`` not), but it goes by the time at which a post was sorted in; what its
author says of its time (``createdAt``) can be any, and outside the window it is counted, not kept. One search never gives more than
10,000 posts; an interval that may have more is cut in halves. A page may be empty before the end: only a page without a cursor is the
end. A token that runs out on the way is replaced. The author's id is part of a post's
name, so `collect` wraps it there (`groundswell.wrapped`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from groundswell.errors import AccessRefused, SourceError
from groundswell.params import Section
from groundswell.settings import Settings
from groundswell.sources.base import Found, Reading, Recheck, Source, iso_moment, whole, word
from groundswell.wrapped import unwrap

log = logging.getLogger(__name__)

NAME = "bluesky"
POSTS_PER_PAGE = 100
POSTS_PER_QUERY = 10_000
POSTS_PER_LOOKUP = 25
SAME_CURSORS = 5
"""How often a page that gives its own cursor for the next one is asked for again."""
SHORTEST = timedelta(seconds=1)
"""The interval that is not cut any more."""

EXPIRED = ("ExpiredToken", "InvalidToken")
HIDDEN = ("!hide", "!takedown", "spam")
"""Labels of posts that no reader is shown."""
OF_OTHERS = ("embed", "viewer", "threadgate")
"""Parts of an answer that show other people's posts, or us: they are not kept."""
OF_AN_AUTHOR = ("did", "handle", "labels")
"""What is kept of an author's profile."""

_URI = re.compile(r"at://(did:[^/]+)/([^/]+/[^/]+)")
_AUTHOR_IN_URI = re.compile(r"(?<=^at://)did:[^/]+")
_WRAPPED = re.compile(r"at://([^/:]+)/([^/]+/[^/]+)")


class BlueskyTopic(Section):
    """What the Bluesky source searches for."""

    query: str
    lang: str | None = None


def posts(reading: Reading) -> Iterator[Found]:
    """Posts of ``[start, end)``; `AccessRefused` for credentials that are no good, `SourceError` for an answer that is not complete."""
    yield from _interval(reading, reading.start, reading.end)


def _interval(reading: Reading, start: datetime, end: datetime) -> Iterator[Found]:
    records = _walk(reading, start, end)
    if records is not None:
        yield from (found for record in records if (found := _found(record, reading)))
    elif end - start <= SHORTEST:
        raise SourceError(
            f"bluesky: {POSTS_PER_QUERY} posts or more in the second from {_iso(start)}, and no more can be had: narrow the topic's query"
        )
    else:
        middle = start + (end - start) / 2
        middle -= timedelta(microseconds=middle.microsecond % 1000)
        yield from _interval(reading, start, middle)
        yield from _interval(reading, middle, end)


def _walk(reading: Reading, start: datetime, end: datetime) -> list | None:
    """All posts of an interval; None where the search's cap was reached, so that there may be more than came."""
    size = min(reading.params.page_size, POSTS_PER_PAGE)
    cursor, used, records, asked, again = None, set(), [], 0, 0
    while asked < POSTS_PER_QUERY:
        page = _page(reading, start, end, size, cursor)
        records += page["posts"]
        following = word(page.get("cursor"))
        # Posts are taken out of full pages after they were counted: what was asked for says how far the search went, not what came.
        asked += size
        if following is None:
            return records if asked < POSTS_PER_QUERY else None
        if following == cursor and again < SAME_CURSORS:
            asked, again = asked - size, again + 1
            continue
        if following in used or following == cursor:
            raise SourceError(f"bluesky: the search goes round in circles after {len(records)} posts of [{start:%Y-%m-%dT%H:%MZ}, …): run it again")
        used.add(following)
        cursor, again = following, 0
    return None


def _page(reading: Reading, start: datetime, end: datetime, size: int, cursor: str | None) -> dict:
    section = reading.section
    query = {"q": section.query, "sort": "latest", "since": _iso(start), "until": _iso(end), "limit": size, "lang": section.lang, "cursor": cursor}
    page = _ask(reading, "app.bsky.feed.searchPosts", {name: value for name, value in query.items() if value is not None})
    if not isinstance(page.get("posts"), list):
        raise SourceError(f"bluesky: expected a list 'posts' in the answer, found {sorted(page)}: is GROUNDSWELL_BLUESKY_URL a Bluesky server?")
    return page


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ask(asking: Reading | Recheck, method: str, query: dict) -> dict:
    """What ``method`` answers; with a new session where there is none yet, and where its token has run out."""
    token = asking.http.tokens.get(NAME)
    answer = _call(asking, method, query, token) if token else None
    if answer is None:
        answer = _call(asking, method, query, _login(asking))
    if answer is None:
        raise SourceError("bluesky: a session's token was refused as soon as it was given: try again later")
    return answer


def _call(asking: Reading | Recheck, method: str, query: dict, token: str) -> dict | None:
    """None where the token has run out: status 401, or 400 with an error of `EXPIRED`."""
    try:
        answer = asking.http.ask(_url(asking.settings, method), query, headers={"authorization": f"Bearer {token}"}, accepted=(200, 400))
    except AccessRefused as refused:
        if refused.status == 401:
            return None
        raise
    value = answer.value if isinstance(answer.value, dict) else {}
    if answer.status == 200:
        return value
    if value.get("error") in EXPIRED:
        return None
    raise SourceError(f"bluesky: {method} was refused as {str(value.get('error'))[:80]!r}: check the topic's query and lang")


def _login(asking: Reading | Recheck) -> str:
    settings = asking.settings
    credentials = {"identifier": settings.bluesky_handle, "password": settings.bluesky_app_password.get_secret_value()}
    try:
        session = asking.http.post(_url(settings, "com.atproto.server.createSession"), credentials)
    except AccessRefused as refused:
        raise AccessRefused(
            f"bluesky: no session for GROUNDSWELL_BLUESKY_HANDLE (status {refused.status}): make an app password in Bluesky's settings, "
            "and give it as GROUNDSWELL_BLUESKY_APP_PASSWORD",
            refused.status,
        ) from None
    token = word(session.get("accessJwt"))
    if token is None:
        raise SourceError(
            f"bluesky: expected a token 'accessJwt' in a new session, found {sorted(session)}: is GROUNDSWELL_BLUESKY_URL a Bluesky server?"
        )
    asking.http.tokens[NAME] = token
    return token


def _url(settings: Settings, method: str) -> str:
    return f"{settings.bluesky_url.rstrip('/')}/xrpc/{method}"


def _found(post, reading: Reading) -> Found | None:
    reason, author, created = _fault(post, reading)
    if reason:
        reading.dropped[reason] += 1
        return None
    record = post["record"]
    profile = post.get("author") if isinstance(post.get("author"), dict) else {}
    handle = word(profile.get("handle"))
    langs = record.get("langs") if isinstance(record.get("langs"), list) else []
    parent = word(_at(record, "reply", "parent", "uri"))
    return Found(
        post_id=post["uri"],
        created_at=created,
        text=record.get("text") if isinstance(record.get("text"), str) else None,
        record=_kept(post, profile),
        author=author,
        aliases=(handle,) if handle else (),
        lang=next((lang for lang in langs if isinstance(lang, str) and lang), None),
        kind="reply" if parent else "post",
        parent_id=parent if parent and _URI.fullmatch(parent) else None,
        likes=whole(post.get("likeCount")),
        reposts=whole(post.get("repostCount")),
        replies=whole(post.get("replyCount")),
    )


def _fault(post, reading: Reading) -> tuple[str | None, str | None, datetime | None]:
    uri = _URI.fullmatch(post["uri"]) if isinstance(post, dict) and isinstance(post.get("uri"), str) else None
    if uri is None:
        return "no_id", None, None
    created = iso_moment(_at(post, "record", "createdAt"))
    if created is None:
        return "bad_time", None, None
    if created not in reading:
        return "out_of_window", None, None
    labels = post.get("labels") if isinstance(post.get("labels"), list) else []
    is_hidden = any(isinstance(label, dict) and label.get("val") in HIDDEN and not label.get("neg") for label in labels)
    return ("hidden" if is_hidden else None), uri[1], created


def _at(value, *path: str):
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _kept(post: dict, profile: dict) -> dict:
    """The record without other people's posts, and with as much of the author as says something of the post."""
    return {name: value for name, value in post.items() if name not in OF_OTHERS} | {"author": {k: profile[k] for k in OF_AN_AUTHOR if k in profile}}


def gone(recheck: Recheck) -> Iterator[str]:
    """Those of the posts that app.bsky.feed.getPosts does not know any more; names under a key that was lost can't be asked for."""
    names = {name: _native(name, recheck.settings) for name in recheck.post_ids}
    lost = sum(uri is None for uri in names.values())
    if lost:
        log.warning("bluesky: %d of %d posts can't be looked up: no key that is known opens their names", lost, len(names))
    known = [(name, uri) for name, uri in names.items() if uri]
    for first in range(0, len(known), POSTS_PER_LOOKUP):
        batch = known[first : first + POSTS_PER_LOOKUP]
        answer = _ask(recheck, "app.bsky.feed.getPosts", {"uris": [uri for _, uri in batch]})
        if not isinstance(answer.get("posts"), list):
            raise SourceError(f"bluesky: expected a list 'posts' in the answer, found {sorted(answer)}: is GROUNDSWELL_BLUESKY_URL a Bluesky server?")
        there = {post.get("uri") for post in answer["posts"] if isinstance(post, dict)}
        yield from (name for name, uri in batch if uri not in there)


def _native(name: str, settings: Settings) -> str | None:
    parts = _WRAPPED.fullmatch(name)
    author = unwrap(parts[1], settings.keys_for_pseudonyms(), NAME) if parts else None
    return f"at://{author}/{parts[2]}" if author else None


SOURCE = Source(
    name=NAME,
    version=1,
    section=BlueskyTopic,
    posts=posts,
    author_paths=(
        "author.did",
        "author.handle",
        "record.bridgyOriginalUrl",
        "record.embed.record.uri",
        "record.embed.record.record.uri",
        "record.facets.features.did",
        "record.reply.parent.uri",
        "record.reply.root.uri",
    ),
    author_in_id=_AUTHOR_IN_URI,
    page_size=POSTS_PER_PAGE,
    query_cap=POSTS_PER_QUERY,
    requests_per_minute=600,
    needs=("bluesky_url", "bluesky_handle", "bluesky_app_password"),
    gone=gone,
)
