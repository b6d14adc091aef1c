"""Lemmy posts by community, from one instance (0.19, API v3): walked back from now until older than the window.

The list takes no time, so every window costs a walk from its newest post down. Pinned posts stand at the top whatever their age: they are
posts like others, but no sign of the end. A page with posts always names the next one; one without posts is asked for again before it is
the end of a community. What its author deleted or a moderator removed is counted, not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import Field

from groundswell.errors import SourceError
from groundswell.params import Section
from groundswell.settings import Settings
from groundswell.sources.base import Found, Reading, Recheck, Source, iso_moment, real, whole, word

POSTS_PER_PAGE = 50
IDLE_PAGES = 3
"""So many pages on end without posts are the end of a community; so many that lead nowhere else are an error."""

OF_A_CREATOR = ("id", "name", "actor_id", "bot_account")
OF_A_COMMUNITY = ("id", "name", "actor_id", "nsfw")
"""What is kept of an author's and a community's profile."""
OURS = ("subscribed", "saved", "read", "hidden", "creator_blocked", "my_vote", "unread_comments")
"""Parts of an answer that are about whoever asks."""
UNDETERMINED = "und"
GONE = ("couldnt_find_post", "not_found")


class LemmyTopic(Section):
    """Which communities the Lemmy source reads: ``name`` for the instance's own, ``name@host`` for others."""

    communities: list[str] = Field(min_length=1)


def posts(reading: Reading) -> Iterator[Found]:
    """Posts of ``[start, end)``, community by community; `SourceError` for one that does not exist and for an answer that is not complete."""
    languages = _languages(reading)
    for community in dict.fromkeys(reading.section.communities):
        for view in _walk(reading, community):
            found = _found(view, languages, reading)
            if found:
                yield found


def _languages(reading: Reading) -> dict[int, str]:
    """The instance's numbers of languages → BCP 47."""
    known = _ask(reading, "site", {}).get("all_languages")
    named = {each.get("id"): word(each.get("code")) for each in known or () if isinstance(each, dict)} if isinstance(known, list | None) else {}
    return {number: code for number, code in named.items() if code and code != UNDETERMINED}


def _walk(reading: Reading, community: str) -> Iterator:
    cursor, used, idle, last = None, {None}, 0, []
    while idle < IDLE_PAGES:
        page = _page(reading, community, cursor)
        yield from (view for view in page["posts"] if _may_be_due(view, reading))
        # One older post may stand where it does not belong; two on end, the last that came, are the list's own order.
        last = [*last, *filter(None, map(_unpinned, page["posts"]))][-2:]
        if len(last) == 2 and max(last) < reading.start:
            return
        following = word(page.get("next_page"))
        if page["posts"] and following is None:
            raise SourceError("lemmy: a page with posts names no next one (next_page): GROUNDSWELL_LEMMY_URL must be Lemmy 0.19 or later")
        if following is None or following == cursor:
            idle += 1
        elif following in used:
            raise SourceError(f"lemmy: the pages of {community!r} go round in circles: run the window again")
        else:
            used.add(following)
            cursor, idle = following, 0
    if page["posts"]:
        raise SourceError(f"lemmy: {community!r} brings the same page again and again: run the window again")


def _may_be_due(view, reading: Reading) -> bool:
    """In the window, or not a post at all: what is newer or older is only walked past."""
    created = _created(view)
    return created is None or created in reading


def _unpinned(view) -> datetime | None:
    """The time of a post that stands where its time puts it."""
    post = _post(view)
    return None if post.get("featured_community") or post.get("featured_local") else _created(view)


def _post(view) -> dict:
    post = view.get("post") if isinstance(view, dict) else None
    return post if isinstance(post, dict) else {}


def _created(view) -> datetime | None:
    return iso_moment(_post(view).get("published"))


def _page(reading: Reading, community: str, cursor: str | None) -> dict:
    query = {"type_": "All", "sort": "New", "limit": min(reading.params.page_size, POSTS_PER_PAGE), "community_name": community}
    page = _ask(reading, "post/list", query | ({"page_cursor": cursor} if cursor else {}))
    if not isinstance(page.get("posts"), list):
        raise SourceError(f"lemmy: expected a list 'posts' in the answer, found {sorted(page)}: is GROUNDSWELL_LEMMY_URL a Lemmy instance?")
    return page


def _ask(asking: Reading | Recheck, path: str, query: dict, accepted_errors: tuple[str, ...] = ()) -> dict:
    """The object that the instance answers; an ``error`` of its own is a `SourceError` unless it is among ``accepted_errors``."""
    answer = asking.http.ask(_url(asking.settings, path), query, accepted=(200, 400, 404))
    value = answer.value if isinstance(answer.value, dict) else {}
    error = word(value.get("error"))
    if answer.status == 200 or error in accepted_errors:
        return value
    raise SourceError(
        f"lemmy: {path} answered {answer.status} {(error or 'without a reason')[:80]!r}: check the topic's communities and GROUNDSWELL_LEMMY_URL"
    )


def _url(settings: Settings, path: str) -> str:
    return f"{settings.lemmy_url.rstrip('/')}/api/v3/{path}"


def _found(view, languages: dict[int, str], reading: Reading) -> Found | None:
    reason = _fault(view)
    if reason:
        reading.dropped[reason] += 1
        return None
    post, creator, created = view["post"], view["creator"], _created(view)
    counts = view.get("counts") if isinstance(view.get("counts"), dict) else {}
    edited = iso_moment(post.get("updated"))
    name = word(creator.get("name"))
    return Found(
        post_id=word(post["id"]),
        created_at=created,
        edited_at=edited if edited and edited > created else None,
        text="\n".join(part for part in (post.get("name"), post.get("body")) if isinstance(part, str) and part) or None,
        record=_kept(view),
        author=word(creator["actor_id"]),
        shared_names=(name,) if name else (),
        lang=languages.get(whole(post.get("language_id"))),
        kind="post",
        likes=whole(counts.get("upvotes")),
        replies=whole(counts.get("comments")),
        score=real(counts.get("score")),
        url=word(post.get("ap_id")),
    )


def _fault(view) -> str | None:
    post = _post(view)
    creator = view.get("creator") if isinstance(view, dict) else None
    faults = {
        "no_id": word(post.get("id")) is None,
        "bad_time": _created(view) is None,
        "deleted": bool(post.get("deleted")),
        "removed": bool(post.get("removed")),
        "no_author": not isinstance(creator, dict) or word(creator.get("actor_id")) is None,
    }
    return next((reason for reason, is_so in faults.items() if is_so), None)


def _kept(view: dict) -> dict:
    """The record with as much of its author and community as says something of the post."""
    kept = {name: value for name, value in view.items() if name not in OURS}
    for name, of_it in (("creator", OF_A_CREATOR), ("community", OF_A_COMMUNITY)):
        if isinstance(kept.get(name), dict):
            kept[name] = {key: kept[name][key] for key in of_it if key in kept[name]}
    return kept


def gone(recheck: Recheck) -> Iterator[str]:
    """Those of the posts that the instance does not know any more, or knows as deleted or removed: one request each."""
    for post_id in recheck.post_ids:
        answer = _ask(recheck, "post", {"id": post_id}, GONE)
        post = _post(answer.get("post_view"))
        if answer.get("error") not in GONE and not post:
            raise SourceError("lemmy: expected a post or why there is none, found neither: is GROUNDSWELL_LEMMY_URL a Lemmy instance?")
        if not post or post.get("deleted") or post.get("removed"):
            yield post_id


SOURCE = Source(
    name="lemmy",
    version=1,
    section=LemmyTopic,
    posts=posts,
    author_paths=("creator.id", "creator.name", "creator.actor_id", "post.creator_id"),
    reads="walk back",
    settle=timedelta(hours=6),
    page_size=POSTS_PER_PAGE,
    needs=("lemmy_url",),
    gone=gone,
    varies=lambda section: {"queries": len(set(section.communities))},
)
