"""Mastodon statuses by hashtag, from one instance: what its own people wrote, and what reached it from others.

A status's id holds its time (milliseconds, shifted by 16 bits), so a window is a range of ids: each tag is walked back from the
window's end until a status is older than its start. That status is the proof of the end; a page without any is asked for again. The
content is HTML and is read as the text that it shows. Boosts, statuses that are not public, and people who said that they do not want to
be indexed are counted, not kept. Statuses that reach the instance late lie in old windows.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from pydantic import Field

from groundswell.errors import AccessRefused, SourceError
from groundswell.http import Answer
from groundswell.params import Section
from groundswell.settings import Settings
from groundswell.sources.base import Found, Reading, Recheck, Source, iso_moment, whole, word

STATUSES_PER_PAGE = 40
STATUSES_PER_LOOKUP = 20
EMPTY_PAGES = 3
"""So many pages on end that bring nothing older are the end of a tag that has nothing before the window."""
LONG_ID = 8
"""An account's id with fewer digits is not looked for in links: it may be any number."""

PUBLIC = ("public", "unlisted")
OF_AN_ACCOUNT = ("id", "acct", "bot", "discoverable", "indexable")
"""What is kept of an author's profile."""
OURS = ("favourited", "reblogged", "muted", "bookmarked", "pinned", "filtered")
"""Parts of an answer that are about whoever asks."""
NO_BOTS = re.compile(r"#(?:<span>)?no(?:bots?|index)\b", re.IGNORECASE)
"""What people write into their profiles to be left alone by programs."""

_PARAGRAPH = re.compile(r"</p>\s*<p\b[^<>]*>", re.IGNORECASE)
_BREAK = re.compile(r"<br\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


class MastodonTopic(Section):
    """Which hashtags the Mastodon source reads, without their marks; a status with several of them is one post."""

    tags: list[str] = Field(min_length=1)


def _tags(section: MastodonTopic) -> list[str]:
    """The section's tags as the instance writes them, each once."""
    return list(dict.fromkeys(tag.strip().lstrip("#").lower() for tag in section.tags))


def posts(reading: Reading) -> Iterator[Found]:
    """Statuses of ``[start, end)`` under any of the tags; `SourceError` for an instance whose answers are none of Mastodon's."""
    of_other_tags: set[str] = set()
    for tag in _tags(reading.section):
        of_this_tag = set()
        for status in _walk(reading, tag):
            found = _found(status, reading)
            if found and found.post_id not in of_other_tags:
                of_this_tag.add(found.post_id)
                yield found
        of_other_tags |= of_this_tag


def snowflake(moment: datetime) -> int:
    """The smallest id that a status of ``moment`` can have."""
    return round(moment.timestamp() * 1000) << 16


def _walk(reading: Reading, tag: str) -> Iterator:
    """Statuses of the window's ids, newest first, and whatever has no id that could be compared."""
    first, cursor, idle = snowflake(reading.start), snowflake(reading.end), 0
    while idle < EMPTY_PAGES:
        page = _page(reading, tag, cursor)
        ids = [_id(status) for status in page]
        yield from (status for status, number in zip(page, ids, strict=True) if number is None or number >= first)
        oldest = min((number for number in ids if number is not None), default=cursor)
        if oldest < first:
            return
        idle = 0 if oldest < cursor else idle + 1
        cursor = min(cursor, oldest)
    if page:
        raise SourceError(f"mastodon: #{tag} brings the same page again and again: does GROUNDSWELL_MASTODON_URL understand max_id?")


def _id(status) -> int | None:
    number = word(status.get("id")) if isinstance(status, dict) else None
    return int(number) if number and number.isdecimal() else None


def _page(reading: Reading, tag: str, cursor: int) -> list:
    query = {"limit": min(reading.params.page_size, STATUSES_PER_PAGE), "max_id": str(cursor)}
    page = _ask(reading, f"timelines/tag/{quote(tag, safe='')}", query).value
    if not isinstance(page, list) or (page and all(_id(status) is None for status in page)):
        raise SourceError("mastodon: expected a list of statuses whose ids are numbers: is GROUNDSWELL_MASTODON_URL a Mastodon instance?")
    ids = [number for number in map(_id, page) if number is not None]
    if ids != sorted(ids, reverse=True):  # one that is out of its place would let the walk jump over others
        raise SourceError(f"mastodon: the statuses of #{tag} do not come newest first: run the window again")
    return page


def _ask(asking: Reading | Recheck, path: str, query: dict, accepted: tuple[int, ...] = (200,)) -> Answer:
    settings = asking.settings
    token = settings.mastodon_token.get_secret_value()
    headers = {"authorization": f"Bearer {token}"} if token else None
    try:
        return asking.http.ask(_url(settings, path), query, headers=headers, accepted=accepted)
    except AccessRefused as refused:
        hint = "is GROUNDSWELL_MASTODON_TOKEN still good?" if token else "it shows its timelines to tokens only: set GROUNDSWELL_MASTODON_TOKEN"
        raise AccessRefused(f"mastodon: the instance refuses (status {refused.status}): {hint}", refused.status) from None


def _url(settings: Settings, path: str) -> str:
    return f"{settings.mastodon_url.rstrip('/')}/api/v1/{path}"


def _found(status, reading: Reading) -> Found | None:
    reason, created = _fault(status)
    if reason is None and created not in reading:
        reason = "out_of_window"
    if reason:
        reading.dropped[reason] += 1
        return None
    account, text = status["account"], _text(status)
    edited = iso_moment(status.get("edited_at"))
    parent = word(status.get("in_reply_to_id"))
    return Found(
        post_id=word(status["id"]),
        created_at=created,
        edited_at=edited if edited and edited > created else None,
        text=text,
        record=_kept(status, account, text),
        author=word(account["acct"]),
        aliases=_number(account),
        shared_names=tuple(filter(None, (word(account.get("username")),))),
        lang=word(status.get("language")),
        kind="reply" if parent else "post",
        parent_id=parent,
        likes=whole(status.get("favourites_count")),
        reposts=whole(status.get("reblogs_count")),
        replies=whole(status.get("replies_count")),
    )


def _fault(status) -> tuple[str | None, datetime | None]:
    if _id(status) is None:
        return "no_id", None
    if status.get("reblog") is not None:
        return "boost", None
    account = status.get("account") if isinstance(status.get("account"), dict) else {}
    if word(account.get("acct")) is None:
        return "no_author", None
    if status.get("visibility", "public") not in PUBLIC:
        return "not_public", None
    if account.get("noindex") is True or NO_BOTS.search(str(account.get("note") or "")):
        return "opted_out", None
    created = iso_moment(status.get("created_at"))
    return (None, created) if created else ("bad_time", None)


def _text(status: dict) -> str | None:
    parts = [status.get("spoiler_text"), status.get("content")]
    spoiler, content = (part if isinstance(part, str) else "" for part in parts)
    return "\n".join(part for part in (spoiler, text_of(content)) if part) if any(isinstance(part, str) for part in parts) else None


def text_of(content: str) -> str:
    """The text that HTML of Mastodon's shows, with links in full: their parts that are not shown are only hidden to save room."""
    content = _BREAK.sub("\n", _PARAGRAPH.sub("\n\n", content))
    return html.unescape(_TAG.sub("", content))


def _number(account: dict) -> tuple[str, ...]:
    number = word(account.get("id")) or ""
    return (number,) if len(number) >= LONG_ID else ()


def _kept(status: dict, account: dict, text: str | None) -> dict:
    """The record with as much of its author as says something of the post, and without other people's posts and profiles."""
    kept = {name: value for name, value in status.items() if name not in OURS} | {"content": text}
    kept["account"] = {name: account[name] for name in OF_AN_ACCOUNT if name in account}
    for name, of_others in (("quote", ("quoted_status",)), ("card", ("author_name", "author_url", "authors", "html"))):
        if isinstance(kept.get(name), dict):
            kept[name] = {key: value for key, value in kept[name].items() if key not in of_others}
    return kept


def gone(recheck: Recheck) -> Iterator[str]:
    """Those of the statuses that the instance does not show any more.

    Many are asked for at once; but that answer leaves out people whom the instance has silenced, too, and instances before 4.3 have
    none, so a status counts as gone only when it is not found by itself.
    """
    ids = list(recheck.post_ids)
    for first in range(0, len(ids), STATUSES_PER_LOOKUP):
        batch = ids[first : first + STATUSES_PER_LOOKUP]
        there = _there(recheck, batch)
        yield from (
            post_id for post_id in batch if post_id not in there and _ask(recheck, f"statuses/{quote(post_id)}", {}, (200, 404, 410)).status != 200
        )


def _there(recheck: Recheck, batch: Sequence[str]) -> set[str | None]:
    answer = _ask(recheck, "statuses", {"id[]": batch}, accepted=(200, 404))
    statuses = answer.value if answer.status == 200 and isinstance(answer.value, list) else []
    return {word(status.get("id")) for status in statuses if isinstance(status, dict)}


SOURCE = Source(
    name="mastodon",
    version=1,
    section=MastodonTopic,
    posts=posts,
    author_paths=("account.id", "account.acct", "in_reply_to_account_id", "mentions.id", "mentions.username", "mentions.acct", "mentions.url"),
    settle=timedelta(hours=6),
    page_size=STATUSES_PER_PAGE,
    requests_per_minute=60,
    needs=("mastodon_url",),
    gone=gone,
    varies=lambda section: {"queries": len(_tags(section))},
)
