"""Simulated news feeds, RSS 2.0 and Atom: the latest entries of a topic and no more, with the words of HTTP for "nothing has changed"."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from html import escape
from xml.sax.saxutils import escape as in_xml

from fastapi import APIRouter, HTTPException, Request, Response

from groundswell.simulator.content import Post, shown
from groundswell.simulator.settings import SimulatorSettings

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOST_DAYS = 60
_TITLE_CHARACTERS = 70
_LOCAL = timezone(timedelta(hours=2))
"""The Atom feeds' editors live somewhere else than in UTC."""


def router(settings: SimulatorSettings) -> APIRouter:
    """``GET /rss/NAME.xml`` (RSS 2.0) and ``/rss/NAME.atom``; NAME says which topic."""
    routes = APIRouter(prefix="/rss")

    @routes.get("/{name}.{kind}")
    def feed(request: Request, name: str, kind: str):
        topic = settings.topic_of(name)
        if topic is None or kind not in ("xml", "atom"):
            raise HTTPException(404)
        entries = _latest(settings, topic)
        body = (_atom if kind == "atom" else _rss)(topic, entries, str(request.url)).encode("utf-8")
        return _answer(request, body, entries, f"application/{'atom' if kind == 'atom' else 'rss'}+xml; charset=utf-8")

    return routes


def _latest(settings: SimulatorSettings, topic: str) -> list[Post]:
    """The newest ``rss_entries``, newest first, as of ``now``: a feed has no other time than that, so without one it is the clock's."""
    now = settings.now or datetime.now(UTC)
    found: list[Post] = []
    for days in range(_MOST_DAYS):
        day = shown(settings, "rss", topic, (now - timedelta(days=days)).date())
        found += [post for post in reversed(day) if post.created <= now.timestamp()]
        if len(found) >= settings.rss_entries:
            break
    return found[: settings.rss_entries]


def _answer(request: Request, body: bytes, entries: list[Post], media_type: str) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    changed = datetime.fromtimestamp(max((post.edited_at or post.created for post in entries), default=0), UTC)
    headers = {"etag": etag, "last-modified": format_datetime(changed, usegmt=True), "cache-control": "max-age=300"}
    asked = request.headers
    if asked.get("if-none-match") == etag or ("if-none-match" not in asked and _is_since(asked.get("if-modified-since"), changed)):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _is_since(said: str | None, changed: datetime) -> bool:
    try:
        return said is not None and parsedate_to_datetime(said) >= changed
    except (TypeError, ValueError):
        return False


def _rss(topic: str, entries: list[Post], url: str) -> str:
    items = "\n".join(_item(post) for post in entries)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel>
<title>Copper Gazette: {topic}</title>
<link>https://copper-gazette.example/{topic}</link>
<description>News of {topic}</description>
<language>en-us</language>
<ttl>30</ttl>
{items}
</channel>
</rss>
"""


def _item(post: Post) -> str:
    title, rest = _title(post)
    summary = f'<p>{escape(rest)}</p><img src="https://copper-gazette.example/pictures/{post.post_id}.jpg" alt="">'
    author = f"<dc:creator>{_xml(post.author)}</dc:creator>\n" if post.author else ""
    return f"""<item>
<title>{_xml(escape(title, quote=False))}</title>
<link>{_link(post)}</link>
<guid isPermaLink="false">{post.post_id}</guid>
<pubDate>{format_datetime(post.moment, usegmt=True)}</pubDate>
{author}<description>{_xml(summary)}</description>
</item>"""


def _atom(topic: str, entries: list[Post], url: str) -> str:
    changed = max((post.edited_at or post.created for post in entries), default=0)
    items = "\n".join(_entry(post) for post in entries)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">
<id>tag:copper-gazette.example,2025:{topic}</id>
<title>Copper Gazette: {topic}</title>
<link rel="self" href="{_xml(url)}"/>
<updated>{_local(changed)}</updated>
{items}
</feed>
"""


def _entry(post: Post) -> str:
    title, rest = _title(post)
    author = f"<author><name>{_xml(post.author)}</name></author>\n" if post.author else ""
    return f"""<entry>
<id>tag:copper-gazette.example,2025:{post.post_id}</id>
<title>{_xml(title)}</title>
<link href="{_link(post)}"/>
<published>{_local(post.created)}</published>
<updated>{_local(post.edited_at or post.created)}</updated>
{author}<summary type="html">{_xml("<p>" + escape(rest) + "</p>")}</summary>
</entry>"""


def _title(post: Post) -> tuple[str, str]:
    """The first words of a text as a headline, and the rest as the summary."""
    if len(post.text) <= _TITLE_CHARACTERS:
        return post.text, ""
    end = post.text.rfind(" ", 0, _TITLE_CHARACTERS)
    end = end if end > 0 else _TITLE_CHARACTERS
    return post.text[:end], post.text[end:].strip()


def _link(post: Post) -> str:
    return f"https://copper-gazette.example/{post.moment:%Y/%m/%d}/{post.post_id}"


def _local(epoch_seconds: int) -> str:
    return datetime.fromtimestamp(epoch_seconds, _LOCAL).isoformat()


def _xml(text: str) -> str:
    return in_xml(_NO_XML.sub("\ufffd", text), {'"': "&quot;"})
