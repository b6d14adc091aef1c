"""Posts on X (v2 search): of the last seven days, or of the full archive. The one source that is paid for by the post.

Before each page it is asked whether the most that the page may cost still fits under the topic's caps; if not, the window is an
error and nothing of it is written. An answer without posts is no end while it names a next page, and a page that brings fewer
posts than it counts is an error. An edited post keeps the id under which it was first written: X gives every version a new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import Field, model_validator

from groundswell.errors import QuotaSpent, SourceError
from groundswell.params import Section
from groundswell.sources.base import Found, Reading, Recheck, Source, iso_moment, whole, word
from groundswell.sources.x_api import SEARCHES, USD_PER_POST, Search, asked, count, span

FEWEST_PER_PAGE = 10
IDS_PER_LOOKUP = 100
FIELDS = "author_id,conversation_id,created_at,edit_history_tweet_ids,entities,in_reply_to_user_id,lang,note_tweet,public_metrics,referenced_tweets"
"""Of the posts alone: whoever asks for their users too pays twice as much for each of those."""
LANGUAGES = {"in": "id", "iw": "he", "ji": "yi"} | dict.fromkeys(("und", "zxx", "art", "qam", "qct", "qht", "qme", "qst"))
"""X's words that BCP 47 has another one for, or none: undecided, only tags, only links."""
KINDS = {"retweeted": "repost", "replied_to": "reply", "quoted": "quote"}
_NAME_IN_ADDRESS = re.compile(
    r"(?<![\w.-])((?:www\.|mobile\.)?(?:twitter|x)\.com/)(?!(?:i|hashtag|home|intent|search|share)\b)\w{1,15}\b", re.IGNORECASE
)
"""A person's name where X writes it without being asked: in the address of a picture, of a quoted post, of a profile."""
_SNOWFLAKES_FROM_MS = 1_288_834_974_657
_DEAD = ("resource-not-found", "not-authorized-for-resource")
"""Deleted or suspended, and protected: neither may be kept."""


class XTopic(Section):
    """What is searched for on X, with which access, and for how much money at most."""

    query: str = Field(min_length=1)
    access: Literal["recent", "archive"] = "recent"
    has_reposts: bool = False
    max_usd_per_window: float = Field(1.0, ge=FEWEST_PER_PAGE * USD_PER_POST)
    max_usd_per_run: float = Field(10.0, ge=FEWEST_PER_PAGE * USD_PER_POST)
    seconds_apart: float = Field(1.0, ge=0, le=60)

    @property
    def search(self) -> Search:
        return SEARCHES[self.access]

    @property
    def asked(self) -> str:
        """The query as it is sent; in brackets, because "and" binds before "or"."""
        return self.query if self.has_reposts else f"({self.query}) -is:retweet"

    @model_validator(mode="after")
    def _is_short_enough(self) -> XTopic:
        if len(self.asked) > self.search.longest_query:
            raise ValueError(f"query: expected at most {self.search.longest_query} characters as sent, found {len(self.asked)}: shorten it")
        return self


def posts(reading: Reading) -> Iterator[Found]:
    """Posts of ``[start, end)``; `QuotaSpent` before a page that could break a cap, `SourceError` for an incomplete answer."""
    before, used, token = reading.http.usd, {None}, None
    size = _page_size(reading)
    while True:
        _require_affordable(reading, size, reading.http.usd - before)
        page = _page(reading, size, token)
        records = page.get("data") or []
        reading.http.usd += len(records) * USD_PER_POST
        yield from (found for record in records if (found := _found(record, reading)))
        token = page["meta"].get("next_token")
        if token is None:
            return
        if token in used:
            raise SourceError(f"x: page {len(used)} of [{reading.start:%Y-%m-%dT%H:%MZ}, …) names a next page that came before: run the window again")
        used.add(token)


def _page_size(reading: Reading) -> int:
    """The same for all pages of a walk, and not more than the caps allow for the first."""
    section = reading.section
    left = min(section.max_usd_per_window, section.max_usd_per_run - reading.http.usd)
    return max(FEWEST_PER_PAGE, min(reading.params.page_size, section.search.page_size, int(left / USD_PER_POST + 1e-6)))


def _require_affordable(reading: Reading, most: int, spent: float) -> None:
    section = reading.section
    for key, paid in (("max_usd_per_window", spent), ("max_usd_per_run", reading.http.usd)):
        cap = getattr(section, key)
        if paid + most * USD_PER_POST > cap + 1e-6:
            raise QuotaSpent(
                f"x: a page more of [{reading.start:%Y-%m-%dT%H:%MZ}, …) may cost ${most * USD_PER_POST:.2f}, and ${paid:.2f} of the ${cap:.2f} "
                f"that {key} allows are spent: nothing of the window was written; narrow the topic's query or raise {key} in params.yaml"
            )


def _page(reading: Reading, size: int, token: str | None) -> dict:
    search, settings = reading.section.search, reading.settings
    query = {
        "query": reading.section.asked,
        **span(reading),
        "max_results": size,
        "tweet.fields": FIELDS,
    } | ({"next_token": token} if token else {})
    page = asked(reading.http, settings, search.path, query, reading.section.seconds_apart)
    meta, data = page.get("meta"), page.get("data") or []
    if not isinstance(meta, dict) or whole(meta.get("result_count")) is None or not isinstance(data, list):
        raise SourceError(f"x: expected 'meta' with a result_count and a list 'data', found {sorted(page)}: is GROUNDSWELL_X_URL X's API?")
    if len(data) != whole(meta["result_count"]):
        raise SourceError(f"x: a page counts {meta['result_count']} posts and brings {len(data)}: run the window again")
    return page


def _found(record, reading: Reading) -> Found | None:
    reason, created = _fault(record)
    kind, parent = _reference(record) if reason is None else (None, None)
    if reason is None and created not in reading:
        reason = "out_of_window"
    if reason is None and kind == "repost" and not reading.section.has_reposts:
        reason = "repost"
    if reason:
        reading.dropped[reason] += 1
        return None
    metrics = _part(record, "public_metrics")
    first, edited = _versions(record, created)
    return Found(
        post_id=first,
        created_at=created,
        edited_at=edited,
        text=_text(record),
        record=_kept(record),
        author=word(record.get("author_id")),
        lang=LANGUAGES.get(record.get("lang"), record.get("lang")) if isinstance(record.get("lang"), str) else None,
        kind=kind,
        parent_id=parent,
        likes=whole(metrics.get("like_count")),
        reposts=whole(metrics.get("retweet_count")),
        replies=whole(metrics.get("reply_count")),
        url=f"https://x.com/i/web/status/{first}",
    )


def _fault(record) -> tuple[str | None, datetime | None]:
    if not isinstance(record, dict) or not word(record.get("id")):
        return "no_id", None
    created = iso_moment(record.get("created_at"))
    return (None, created) if created else ("bad_time", None)


def _part(record: dict, name: str) -> dict:
    return record[name] if isinstance(record.get(name), dict) else {}


def _kept(record: dict) -> dict:
    """The record without people's names in addresses; a post's address leads to it by its number alone."""
    kept = record | {"entities": _nameless(record["entities"])} if "entities" in record else record
    note = _part(record, "note_tweet")
    return kept | {"note_tweet": note | {"entities": _nameless(note["entities"])}} if "entities" in note else kept


def _nameless(value):
    if isinstance(value, dict):
        return {name: _nameless(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_nameless(child) for child in value]
    return _NAME_IN_ADDRESS.sub(r"\1i", value) if isinstance(value, str) else value


def _text(record: dict) -> str | None:
    """A long post's whole text stands elsewhere; ``text`` is its beginning."""
    texts = (_part(record, "note_tweet").get("text"), record.get("text"))
    return next((text for text in texts if isinstance(text, str)), None)


def _reference(record: dict) -> tuple[str, str | None]:
    """What kind of post it is, and the post that it answers, quotes or repeats."""
    references = record.get("referenced_tweets")
    named = {one.get("type"): word(one.get("id")) for one in references if isinstance(one, dict)} if isinstance(references, list) else {}
    return next(((kind, named[name]) for name, kind in KINDS.items() if name in named), ("post", None))


def _versions(record: dict, created: datetime) -> tuple[str, datetime | None]:
    """The id of the first version, and when the last one was written where there is more than one."""
    history = record.get("edit_history_tweet_ids")
    ids = sorted({word(one) for one in history} - {None}, key=lambda one: (len(one), one)) if isinstance(history, list) else []
    if len(ids) < 2:
        return word(record["id"]), None
    edited = written_at(ids[-1])
    return ids[0], edited if edited and edited > created else None


def written_at(post_id: str) -> datetime | None:
    """When a post was written, by its id (a snowflake: milliseconds above 22 other bits)."""
    if not post_id.isdecimal() or len(post_id) > 19:
        return None
    return datetime.fromtimestamp(((int(post_id) >> 22) + _SNOWFLAKES_FROM_MS) / 1000, UTC)


def gone(recheck: Recheck) -> Iterator[str]:
    """Ids of posts that were deleted or withdrawn from the public. A post that is still there costs what reading it costs."""
    for start in range(0, len(recheck.post_ids), IDS_PER_LOOKUP):
        ids = recheck.post_ids[start : start + IDS_PER_LOOKUP]
        if recheck.http.usd + len(ids) * USD_PER_POST > recheck.section.max_usd_per_run + 1e-6:
            raise QuotaSpent(
                f"x: to ask for {len(ids)} posts more may cost ${len(ids) * USD_PER_POST:.2f}, and ${recheck.http.usd:.2f} of the "
                f"${recheck.section.max_usd_per_run:.2f} that max_usd_per_run allows are spent: ask for fewer or raise it in params.yaml"
            )
        page = asked(recheck.http, recheck.settings, "/2/tweets", {"ids": ",".join(ids)}, recheck.section.seconds_apart)
        there, dead = _answered(page)
        recheck.http.usd += len(page.get("data") or []) * USD_PER_POST
        if missing := [one for one in ids if one not in there and one not in dead]:
            raise SourceError(f"x: {len(missing)} of {len(ids)} posts were neither shown nor called gone: ask again later")
        yield from (one for one in ids if one in dead)


def _answered(page: dict) -> tuple[set[str], set[str]]:
    data, errors = (page.get(name) if isinstance(page.get(name), list) else [] for name in ("data", "errors"))
    records = [record for record in data if isinstance(record, dict)]
    there = {word(name) for record in records for name in (record.get("id"), *(record.get("edit_history_tweet_ids") or ()))}
    dead = {
        word(error.get("resource_id")) or word(error.get("value"))
        for error in errors
        if isinstance(error, dict) and str(error.get("type", "")).rpartition("/")[2] in _DEAD
    }
    return there - {None}, dead - {None}


def _varies(section: XTopic) -> dict:
    search = section.search
    a_minute = 60 / section.seconds_apart if section.seconds_apart else search.requests_per_minute
    return {"look_back": search.look_back, "page_size": search.page_size, "requests_per_minute": min(search.requests_per_minute, a_minute)}


SOURCE = Source(
    name="x",
    version=1,
    section=XTopic,
    posts=posts,
    author_paths=(
        "author_id",
        "in_reply_to_user_id",
        "entities.mentions.id",
        "entities.mentions.username",
        "note_tweet.entities.mentions.id",
        "note_tweet.entities.mentions.username",
    ),
    look_back=SEARCHES["recent"].look_back,
    settle=timedelta(hours=1),  # for so long a post may be edited
    page_size=SEARCHES["recent"].page_size,
    requests_per_minute=SEARCHES["recent"].requests_per_minute,
    usd_per_post=USD_PER_POST,
    count=count,
    needs=("x_url", "x_bearer_token"),
    gone=gone,
    varies=_varies,
)
