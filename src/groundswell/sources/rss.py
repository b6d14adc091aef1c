"""News feeds, RSS and Atom: what they show now. What has left a feed can't be had any more.

Feeds are read as they are written: HTML in titles and summaries, dates in local zones, other encodings than declared, XML that is
broken but whole. A feed that breaks off, has lost entries to its broken XML, or is a page of HTML is asked for again, then refused:
that one alone, the others are read all the same (`Reading.failed`).
Entries without an id and a link, or without a time, are dropped and counted. A feed that says that nothing has changed is not sent.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from pydantic import Field, field_validator

from groundswell.errors import ParamsError, SourceError
from groundswell.http import without_login
from groundswell.params import Section
from groundswell.settings import Settings
from groundswell.sources.base import Found, Reading, Shown, Source, moment, word
from groundswell.sources.markup import plain
from groundswell.sources.zones import feed_time, is_zone
from groundswell.waits import http_date

if TYPE_CHECKING:
    from feedparser import FeedParserDict

_ACCEPTED = "application/rss+xml, application/atom+xml, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.1"
_VALIDATORS = {"etag": "if-none-match", "last-modified": "if-modified-since"}
_END = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)
_END_IS_IN = 4096  # some servers add a comment or a counter after the last tag
_ENTRY = re.compile(rb"<(?:\w+:)?(?:item|entry)[\s/>]", re.IGNORECASE)
_HTML = re.compile(rb"^\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_TWICE = ("title_detail", "summary_detail", "href")  # the last is any person's address, which stands with the person
_PEOPLE = ("author_detail", "authors", "contributors", "publisher_detail", "source.author_detail", "source.authors")


class RssTopic(Section):
    """Which feeds are read, and in which zone their times are where they do not say."""

    feeds: list[str] = Field(min_length=1)
    """Addresses; one without a host is relative to GROUNDSWELL_RSS_URL."""
    time_zone: str | None = None
    """An IANA name, for times without a zone or with an unknown one; None: without a zone they are UTC, with an unknown one no times."""

    @field_validator("feeds")
    @classmethod
    def _are_no_secrets(cls, feeds: list[str]) -> list[str]:
        if any(without_login(feed) != feed for feed in feeds):
            raise ValueError("expected addresses without a login, which has no place in params.yaml: put it into GROUNDSWELL_RSS_URL")
        return feeds

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and not is_zone(name):
            raise ValueError("expected a time zone's IANA name like Europe/Berlin")
        return name


def posts(reading: Reading) -> Iterator[Found]:
    """The entries of ``[start, end)`` that the feeds show now; in ``reading.failed`` what is no feed, not the whole of one, or not there.

    `SourceError` where all of them failed.
    """
    for feed in reading.section.feeds:
        try:
            yield from _entries(reading, feed)
        except SourceError as error:
            reading.failed[feed] = error
    if reading.failed and not reading.shown:
        raise reading.failure


def _entries(reading: Reading, feed: str) -> Iterator[Found]:
    url, known = _address(feed, reading.settings), reading.known.get(feed)
    headers = {"accept": _ACCEPTED} | (known.validators if known else {})
    answer = reading.http.ask(url, headers=headers, read=partial(_read, url), accepted=(200, 304))
    at = moment(http_date(answer.headers.get("date", "")))
    if answer.status == 304:
        if known is None:
            raise SourceError(f"{feed}: says that nothing has changed (304) and was not asked: is there a broken cache in between?")
        reading.shown[feed] = replace(known, at=at)
        return
    read = [(entry, *_times(entry, reading.section.time_zone)) for entry in answer.value.entries]
    validators = {asked: answer.headers[given] for given, asked in _VALIDATORS.items() if answer.headers.get(given)}
    reading.shown[feed] = Shown(_reach([edited or created for _, created, edited in read if created]), validators, at)
    for entry, created, edited in read:
        reason = None if _id(entry, url) else "no_id"
        reason = reason or (None if created else "bad_time")
        if reason:
            reading.dropped[reason] += 1
        elif created in reading:
            yield _found(entry, url, created, edited, answer.value.feed)


def _address(feed: str, settings: Settings) -> str:
    if not urlsplit(feed).scheme and not settings.rss_url:
        raise ParamsError(f"rss.feeds: {feed!r} has no host: write the whole address, or set GROUNDSWELL_RSS_URL to what it is relative to")
    return urljoin(settings.rss_url.rstrip("/") + "/", feed)


def _read(url: str, content: bytes, headers: Mapping[str, str]) -> FeedParserDict:
    """The feed in ``content``; `ValueError` for what is none, or not the whole of one."""
    import feedparser

    told = {"content-type": headers.get("content-type", "application/xml"), "content-location": url}
    parsed = feedparser.parse(io.BytesIO(content), response_headers=told)
    marks = content.replace(b"\0", b"")  # UTF-16 has one beside every letter of a tag
    if not parsed.get("version"):
        raise ValueError("a page of HTML where a feed was due" if _HTML.match(marks) else "what is neither RSS nor Atom")
    if not _END.search(marks[-_END_IS_IN:]):
        raise ValueError(f"a feed that breaks off ({len(content)} bytes)")
    written = len(_ENTRY.findall(marks))
    if parsed.get("bozo") and len(parsed.entries) < written:
        raise ValueError(f"a feed so broken that {len(parsed.entries)} of its {written} entries can be read")
    return parsed


def _times(entry: FeedParserDict, zone: str | None) -> tuple[datetime | None, datetime | None]:
    """When an entry was published, and when it was updated where that is later; a feed that only has the one time has the other by it."""
    published, updated = (feed_time(entry.get(name), entry.get(f"{name}_parsed"), zone) for name in ("published", "updated"))
    created = published or updated
    return created, updated if updated and created and updated > created else None


def _reach(times: list[datetime]) -> datetime | None:
    """From when on a feed shows everything: the time at its end, where the oldest stands. An old entry that is kept at the top says nothing."""
    falls, rises = (sum(a > b for a, b in pairwise(order)) for order in (times, times[::-1]))
    return (times[-1] if falls >= rises else times[0]) if times else None


def _id(entry: FeedParserDict, url: str) -> str | None:
    """Its id where that is one in the whole world (a URI), else with its feed's host before it; without an id the link."""
    given = word(entry.get("id"))
    if given and ":" not in given:
        return f"{urlsplit(url).netloc}/{given}"
    return given or word(entry.get("link"))


def _found(entry: FeedParserDict, url: str, created: datetime, edited: datetime | None, feed: FeedParserDict) -> Found:
    person = entry.get("author_detail") or {}
    names = list(dict.fromkeys(filter(None, (person.get("name"), person.get("email"), word(entry.get("author"))))))
    return Found(
        post_id=_id(entry, url),
        created_at=created,
        edited_at=edited,
        text=_text(entry),
        record={name: value for name, value in entry.items() if not name.endswith("_parsed") and name not in _TWICE},
        author=names[0] if names else None,
        aliases=tuple(names[1:]),
        lang=_language((entry.get("title_detail") or {}).get("language")) or _language(feed.get("language")),
        kind="article",
        url=_page(entry),
    )


def _page(entry: FeedParserDict) -> str | None:
    """Where the article is; feedparser takes an id for the link where there is none, and not every id is an address."""
    link = word(entry.get("link"))
    return link if link and link.startswith(("http://", "https://")) else None


def _text(entry: FeedParserDict) -> str | None:
    """Title and summary without their markup; one that says the same as the other is left out."""
    parts = [_plain(entry.get(f"{name}_detail")) for name in ("title", "summary")]
    return "\n".join(dict.fromkeys(part for part in parts if part)) or None


def _plain(detail: Mapping | None) -> str:
    if not detail or not isinstance(detail.get("value"), str):
        return ""
    return detail["value"] if detail.get("type") == "text/plain" else plain(detail["value"])


def _language(said: str | None) -> str | None:
    said = (said or "").strip().replace("_", "-")
    return said if _LANGUAGE.fullmatch(said) else None


SOURCE = Source(
    name="rss",
    version=1,
    section=RssTopic,
    posts=posts,
    author_paths=("author", "publisher", *(f"{path}.{name}" for path in _PEOPLE for name in ("name", "email", "href")), "media_credit.content"),
    reads="append on sight",
    settle=timedelta(0),
)
