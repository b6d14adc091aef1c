"""Posts (and, where asked for, comments) of subreddits, newest first: Reddit knows no time windows.

A listing is walked back until it is older than the window's start. It shows about its newest 1,000 things (a search 250) and then
ends as if nothing were before: an end at the cap is an error, because a window that can't be had whole is not had. An end
before the cap is believed when it is said twice: a listing also ends where the post at its page break was deleted meanwhile.
A listing that fails takes nothing from the others (`Reading.failed`): what they show now may be out of reach by the next try.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from groundswell.errors import AccessRefused, OutOfReach, RateLimited, SourceError
from groundswell.http import Http
from groundswell.params import Section
from groundswell.settings import Settings
from groundswell.sources.base import Found, Reading, Recheck, Shown, Source, moment, real, whole, word

POSTS_PER_PAGE = 100
LISTING_CAP, SEARCH_CAP = 1000, 250
CAP_SHARE = 0.5
"""What moderators removed counts towards the cap but is not shown: from this share on, an end may be the cap. A third less than the cap was
seen in practice (praw-dev/praw issue 2025: 673). Whoever reads a quiet subreddit loses nothing: there the walk ends at an older post."""
IDS_PER_LOOKUP = 100
OTHERS_POSTS = ("crosspost_parent_list", "replies")
"""Whole posts of other people inside a post: they are not kept, because nothing would take them out when they are deleted."""
IDLE_PAGES = 5
"""So many pages on end may bring nothing new."""
KINDS = {"t3": "post", "t1": "comment"}
WITHDRAWN = {"[deleted]": "deleted", "[removed]": "removed"}
"""What stands in the place of an author or a text that is no more: taken back by its writer, or taken down by a moderator."""


class RedditTopic(Section):
    """Which subreddits are read, and whether all of them or what a search in them finds."""

    subreddits: list[Annotated[str, Field(pattern=r"^\w{2,21}$")]] = Field(min_length=1)
    query: str | None = Field(None, min_length=1, max_length=512)
    has_comments: bool = False

    @model_validator(mode="after")
    def _is_possible(self) -> RedditTopic:
        if self.query and self.has_comments:
            raise ValueError("query and has_comments: Reddit's search finds posts only, leave one of the two out")
        return self

    @property
    def listings(self) -> list[Listing]:
        """What has to be walked back."""
        found = []
        for name in self.subreddits:
            if self.query:
                # t=all: a shorter span would end the listing on its own, and silently, before an older window.
                asked = {"q": self.query, "restrict_sr": "1", "sort": "new", "t": "all"}
                found.append(Listing(f"/r/{name}/search", SEARCH_CAP, asked))
            else:
                found += [Listing(f"/r/{name}/{path}", LISTING_CAP) for path in ("new", *(["comments"] if self.has_comments else []))]
        return found


@dataclass(frozen=True)
class Listing:
    path: str
    cap: int
    asked: dict[str, str] = field(default_factory=dict)


def posts(reading: Reading) -> Iterator[Found]:
    """Posts of ``[start, end)``; in ``reading.failed`` the listings that end before it (`OutOfReach`), are none, or not to be had.

    `SourceError` where all of them failed. After a told wait no further one is asked: the limit is the app's, not the listing's.
    """
    listings = reading.section.listings
    for number, listing in enumerate(listings):
        try:
            yield from (found for child in _walk(reading, listing) if (found := _found(child, reading)))
            reading.shown[listing.path] = Shown(reading.start)
        except RateLimited as error:
            reading.failed |= {left.path: error for left in listings[number:]}
            break
        except SourceError as error:
            reading.failed[listing.path] = error
    if reading.failed and not reading.shown:
        raise reading.failure


def _walk(reading: Reading, listing: Listing) -> Iterator[dict]:
    """The things of ``listing``, newest first, until they are older than the window; each page's own repeats included."""
    seen: set[str] = set()
    before, at, is_again, idle = None, None, False, 0
    while idle <= IDLE_PAGES:
        page = _page(reading, listing, at)
        fresh = [child for child in page["children"] if _key(child) not in seen]
        seen |= {_key(child) for child in fresh}
        yield from fresh
        following, idle = page.get("after"), 0 if fresh else idle + 1
        if _is_past(page["children"], reading.start):
            return
        if following and following != at:
            before, at, is_again = at, following, is_again and not fresh
            continue
        if len(seen) >= listing.cap * CAP_SHARE:
            raise OutOfReach(_too_far(reading, listing, len(seen)))
        if is_again and not fresh and not following:
            return
        at, is_again = before, True
    raise SourceError(f"reddit: {listing.path} names next pages on which nothing is new, {idle} times on end: run the window again")


def _key(child) -> str:
    data = child.get("data") if isinstance(child, dict) else None
    return word(data.get("name")) or json.dumps(data) if isinstance(data, dict) else json.dumps(child)


def _is_past(children: list, start: datetime) -> bool:
    """Whether a page ends before ``start``; one strange time alone does not say so."""
    times = [_part(child).get("created_utc") for child in children]
    known = [there for value in times if (there := moment(value))]
    return bool(known) and all(there < start for there in known[-2:])


def _too_far(reading: Reading, listing: Listing, count: int) -> str:
    return (
        f"reddit: {listing.path} ended after {count} things and did not reach the window's start, {reading.start:%Y-%m-%dT%H:%MZ}: Reddit shows "
        f"about the newest {listing.cap:,} and no others, so the window can't be had whole and nothing of it was written; collect sooner after "
        "a window's end (collect.window: hour), or read a quieter subreddit"
    )


def _page(reading: Reading, listing: Listing, after: str | None) -> dict:
    query = {**listing.asked, "limit": min(reading.params.page_size, POSTS_PER_PAGE), "raw_json": 1} | ({"after": after} if after else {})
    return _listing(_asked(reading.http, reading.settings, listing.path, query))


def _listing(answer) -> dict:
    data = answer.get("data") if isinstance(answer, dict) and answer.get("kind") == "Listing" else None
    if not isinstance(data, dict) or not isinstance(data.get("children"), list) or not isinstance(data.get("after"), str | None):
        raise SourceError("reddit: expected a Listing with a list 'children', found something else: is GROUNDSWELL_REDDIT_URL Reddit's API?")
    return data


def _asked(http: Http, settings: Settings, path: str, query: dict) -> object:
    """What Reddit answers; a token that ran out on the way is replaced once."""
    url = f"{settings.reddit_url.rstrip('/')}{path}"
    _have_token(http, settings)
    try:
        return _once(http, settings, url, query)
    except AccessRefused as error:
        if error.status != 401:
            raise
    http.tokens.pop("reddit", None)
    _have_token(http, settings)
    return _once(http, settings, url, query)


def _once(http: Http, settings: Settings, url: str, query: dict) -> object:
    headers = {"authorization": f"bearer {http.tokens['reddit']}", "user-agent": settings.reddit_user_agent}
    answer = http.ask(url, query, headers=headers)
    left, seconds = (real(answer.headers.get(f"x-ratelimit-{name}")) for name in ("remaining", "reset"))
    if left is not None and left < 1 and seconds is not None:
        http.rest(seconds, url)
    return answer.value


def _have_token(http: Http, settings: Settings) -> None:
    """Get a token for the app alone, without a user, where this run has none: it may read what anybody may."""
    if "reddit" in http.tokens:
        return
    login = f"{settings.reddit_client_id}:{settings.reddit_client_secret.get_secret_value()}"
    headers = {"authorization": f"Basic {base64.b64encode(login.encode()).decode()}", "user-agent": settings.reddit_user_agent}
    answer = http.ask(settings.reddit_token_url, headers=headers, form={"grant_type": "client_credentials"}).value
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        said = answer.get("error", "none") if isinstance(answer, dict) else "none"
        raise SourceError(f"reddit: expected an access_token from GROUNDSWELL_REDDIT_TOKEN_URL, found {said}: check the app's id and secret")
    http.tokens["reddit"] = token


def _part(child) -> dict:
    data = child.get("data") if isinstance(child, dict) else None
    return data if isinstance(data, dict) else {}


def _found(child, reading: Reading) -> Found | None:
    record = _part(child)
    created = moment(record.get("created_utc"))
    reason = "no_id" if not word(record.get("name")) else "bad_time" if created is None else None
    if reason is None:
        if created not in reading:
            return None  # what a walk back passes on its way is no loss
        reason = withdrawn(record)
    if reason:
        reading.dropped[reason] += 1
        return None
    edited, full_name, path = moment(record.get("edited")), word(record.get("author_fullname")), record.get("permalink")
    return Found(
        post_id=word(record["name"]),
        created_at=created,
        edited_at=edited if edited and edited > created else None,
        text=_text(record),
        record={name: value for name, value in record.items() if name not in OTHERS_POSTS},
        author=word(record.get("author")),
        aliases=(full_name,) if full_name else (),
        kind=KINDS.get(child.get("kind")),
        parent_id=word(record.get("parent_id")),
        likes=whole(record.get("ups")),
        replies=whole(record.get("num_comments")),
        score=real(record.get("score")),
        url=f"https://www.reddit.com{path}" if isinstance(path, str) and path.startswith("/") else None,
    )


def withdrawn(record: dict) -> str | None:
    """Whether a post was ``deleted`` by its writer or ``removed`` by others; None: neither. Reddit goes on showing its place."""
    if record.get("removed_by_category"):
        return "deleted" if record["removed_by_category"] in ("deleted", "author") else "removed"
    marks = [record.get(name) for name in ("selftext", "body", "author")]
    return next((WITHDRAWN[mark.strip()] for mark in marks if isinstance(mark, str) and mark.strip() in WITHDRAWN), None)


def _text(record: dict) -> str | None:
    parts = [record.get(name) for name in ("title", "selftext", "body")]
    return "\n".join(part for part in parts if isinstance(part, str) and part) or None


def gone(recheck: Recheck) -> Iterator[str]:
    """Ids of posts that were deleted or removed, or that Reddit does not show in two answers."""
    for start in range(0, len(recheck.post_ids), IDS_PER_LOOKUP):
        ids = list(recheck.post_ids[start : start + IDS_PER_LOOKUP])
        shown = _shown(recheck, ids)
        if missing := [one for one in ids if one not in shown]:
            shown |= _shown(recheck, missing)
        yield from (one for one in ids if one not in shown or withdrawn(shown[one]))


def _shown(recheck: Recheck, ids: list[str]) -> dict[str, dict]:
    answer = _asked(recheck.http, recheck.settings, "/api/info", {"id": ",".join(ids), "raw_json": 1})
    return {word(record.get("name")): record for child in _listing(answer)["children"] if (record := _part(child))}


SOURCE = Source(
    name="reddit",
    version=1,
    section=RedditTopic,
    posts=posts,
    author_paths=(
        "author",
        "author_fullname",
        "link_author",
        "approved_by",
        "banned_by",
        "removed_by",
    ),
    reads="walk back",
    settle=timedelta(minutes=30),
    page_size=POSTS_PER_PAGE,
    query_cap=LISTING_CAP,
    requests_per_minute=100,
    needs=("reddit_url", "reddit_token_url", "reddit_client_id", "reddit_client_secret", "reddit_user_agent"),
    gone=gone,
    varies=lambda section: {"queries": len(section.listings)},
)
