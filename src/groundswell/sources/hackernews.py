"""Hacker News by Algolia's search: stories and comments that match a query.

One query never gives more than its first 1,000 hits, whatever the page size; a busier interval is cut in halves until each
fits. Records without an author (deleted accounts) are dropped and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from groundswell.errors import SourceError
from groundswell.params import Section
from groundswell.sources.base import Found, Reading, Recheck, Source, moment, whole, word

HITS_PER_QUERY = 1000
KINDS = ("story", "comment")


class HackerNewsTopic(Section):
    """What the Hacker News source searches for."""

    query: str


def posts(reading: Reading) -> Iterator[Found]:
    """Stories and comments of ``[start, end)``; `SourceError` where the answers are not a search's or not complete."""
    yield from _interval(reading, int(reading.start.timestamp()), int(reading.end.timestamp()))


def count(reading: Reading) -> int:
    """What the search says that ``[start, end)`` has; for an estimate, before a backfill."""
    return whole(_page(reading, int(reading.start.timestamp()), int(reading.end.timestamp()), 0).get("nbHits")) or 0


def _interval(reading: Reading, start: int, end: int) -> Iterator[Found]:
    first = _page(reading, start, end, 0)
    matching = whole(first.get("nbHits")) or 0
    if matching <= (HITS_PER_QUERY if _is_counted(first) else HITS_PER_QUERY // 2):
        yield from _pages(reading, start, end, first, matching)
    elif end - start == 1:
        raise SourceError(f"hackernews: {matching} hits in the one second {start}, at most {HITS_PER_QUERY} can be had: narrow the topic's query")
    else:
        middle = (start + end) // 2
        yield from _interval(reading, start, middle)
        yield from _interval(reading, middle, end)


def _pages(reading: Reading, start: int, end: int, page: dict, matching: int) -> Iterator[Found]:
    number, delivered = 0, 0
    while page["hits"]:
        delivered += len(page["hits"])
        yield from (found for hit in page["hits"] if (found := _found(hit, reading)))
        number += 1
        if _is_counted(page) and number >= (whole(page.get("nbPages")) or 0):
            break
        page = _page(reading, start, end, number)
    if delivered < matching and _is_counted(page):
        raise SourceError(f"hackernews: {delivered} of {matching} hits came for [{start}, {end}): run the window again")


def _is_counted(page: dict) -> bool:
    """Whether the search counted its hits; else their number is a guess, and the end is a page without any."""
    return page.get("exhaustiveNbHits", True) is not False


def _page(reading: Reading, start: int, end: int, number: int) -> dict:
    parameters = {
        "query": reading.section.query,
        "tags": f"({','.join(KINDS)})",
        "numericFilters": f"created_at_i>={start},created_at_i<{end}",
        "hitsPerPage": min(reading.params.page_size, HITS_PER_QUERY),
        "page": number,
    }
    page = reading.http.get(f"{reading.settings.hackernews_url.rstrip('/')}/api/v1/search_by_date", parameters)
    if not isinstance(page.get("hits"), list):
        raise SourceError(f"hackernews: expected a list 'hits' in the answer, found {sorted(page)}: is GROUNDSWELL_HACKERNEWS_URL an Algolia search?")
    return page


def _found(hit, reading: Reading) -> Found | None:
    reason, created = _fault(hit)
    if reason:
        reading.dropped[reason] += 1
        return None
    if created not in reading:
        reading.dropped["out_of_window"] += 1
        return None
    return Found(
        post_id=word(hit["objectID"]),
        created_at=created,
        text=_text(hit),
        record=hit,
        author=word(hit["author"]),
        kind=next((kind for kind in KINDS if kind in (hit.get("_tags") or ())), None),
        parent_id=word(hit.get("parent_id")),
        likes=whole(hit.get("points")),
        replies=whole(hit.get("num_comments")),
        url=f"https://news.ycombinator.com/item?id={word(hit['objectID'])}",
    )


def _fault(hit) -> tuple[str | None, datetime | None]:
    if not isinstance(hit, dict) or not word(hit.get("objectID")):
        return "no_id", None
    created = moment(hit.get("created_at_i"))
    if created is None:
        return "bad_time", None
    return (None if word(hit.get("author")) else "no_author"), created


def _text(hit: dict) -> str | None:
    parts = [hit.get(name) for name in ("title", "story_text", "comment_text")]
    return "\n".join(part for part in parts if isinstance(part, str) and part) or None


def gone(recheck: Recheck) -> Iterator[str]:
    """Those of the posts that are deleted, dead (killed by moderators) or not there: an item each, the search forgets late or never."""
    for post_id in recheck.post_ids:
        address = f"{recheck.settings.hackernews_items_url.rstrip('/')}/v0/item/{quote(post_id, safe='')}.json"
        item = recheck.http.ask(address).value
        if item is not None and (not isinstance(item, dict) or str(item.get("id")) != post_id):
            raise SourceError("hackernews: expected an item or null, found something else: is GROUNDSWELL_HACKERNEWS_ITEMS_URL the items' address?")
        if item is None or item.get("deleted") or item.get("dead"):
            yield post_id


SOURCE = Source(
    name="hackernews",
    version=1,
    section=HackerNewsTopic,
    posts=posts,
    author_paths=("author", "_highlightResult.author.value"),
    page_size=HITS_PER_QUERY,
    query_cap=HITS_PER_QUERY,
    requests_per_minute=166,
    count=count,
    gone=gone,
)
