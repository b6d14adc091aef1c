"""bluesky: a session for everything, a cap of ten thousand, empty pages on the way, and times that authors make up."""

import json
from bisect import bisect_left
from datetime import timedelta

import httpx2
import pytest

from groundswell.collect import collect
from groundswell.erase import erase
from groundswell.erasure.subjects import Subject
from groundswell.errors import AccessRefused, ParamsError, RateLimited, SourceError
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.sources.base import Reading, Recheck, iso_moment
from groundswell.sources.bluesky import SOURCE, BlueskyTopic
from groundswell.window import Window
from tests.simulated import plan_faults, platforms, settings_at

DAY = Window.parse("2026-10-19")
NOW = DAY.end + timedelta(days=1)
TOPIC = BlueskyTopic(query="game")


@pytest.fixture(scope="module")
def url():
    with platforms(bluesky_per_day=330) as address:
        yield address


def read(transport, tmp_path, url="http://platform.test", section=TOPIC, page_size=100, **client):
    http = Http(transport=transport, sleep=lambda seconds: None, **client)
    reading = Reading(section, DAY.start, DAY.end, settings_at(url, tmp_path), CollectParams(page_size=page_size), http)
    return list(SOURCE.posts(reading)), reading


def post(number, created=None, **changes):
    created = created or (DAY.start + timedelta(seconds=number)).isoformat()
    record = {"text": f"level {number}", "createdAt": created}
    return {"uri": f"at://did:plc:otter/app.bsky.feed.post/{number}", "author": {"did": "did:plc:otter"}, "record": record, **changes}


def server(search, sessions=None):
    """A server that gives a new token at each login and answers searches with ``search(query, token)``."""
    given = sessions if sessions is not None else []

    def handler(request):
        if request.url.path.endswith("createSession"):
            given.append(json.loads(request.content))
            return httpx2.Response(200, json={"accessJwt": f"token {len(given)}"})
        answer = search(request.url.params, request.headers["authorization"].removeprefix("Bearer "))
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)

    return httpx2.MockTransport(handler)


def test_one_session_serves_a_whole_run(tmp_path):
    sessions = []
    transport = server(lambda query, token: {"posts": []}, sessions)
    days = [DAY, DAY.next(), DAY.next().next()]
    arguments = {"settings": settings_at("http://platform.test", tmp_path), "params": CollectParams(), "transport": transport}
    report = collect("bluesky", "games", Topic(bluesky=TOPIC), days, now=NOW + timedelta(days=3), **arguments)
    assert sessions == [{"identifier": "collector.example.social", "password": "an-app-password-of-the-tests"}]
    assert report["requests"] == 4


@pytest.mark.parametrize("status", [400, 401])
def test_a_token_that_runs_out_on_the_way_is_replaced_once(tmp_path, status):
    def search(query, token):
        if "cursor" not in query:
            return {"posts": [post(1)], "cursor": "1"}
        return {"posts": [post(2)]} if token == "token 2" else httpx2.Response(status, json={"error": "ExpiredToken", "message": "Token has expired"})

    sessions = []
    found, _ = read(server(search, sessions), tmp_path)
    assert [one.text for one in found] == ["level 1", "level 2"] and len(sessions) == 2


def test_tokens_that_are_never_good_are_said(tmp_path):
    refuse = server(lambda query, token: httpx2.Response(400, json={"error": "InvalidToken"}))
    with pytest.raises(SourceError, match="refused as soon as it was given"):
        read(refuse, tmp_path)


def test_credentials_that_are_no_good_are_said_without_them(tmp_path):
    refuse = httpx2.MockTransport(lambda request: httpx2.Response(401, json={"error": "AuthenticationRequired"}))
    with pytest.raises(AccessRefused, match="no session for GROUNDSWELL_BLUESKY_HANDLE.*app password") as caught:
        read(refuse, tmp_path)
    assert "an-app-password" not in str(caught.value) and "collector." not in str(caught.value)


def test_without_credentials_nobody_is_asked(tmp_path):
    settings = settings_at("http://platform.test", tmp_path).model_copy(update={"bluesky_handle": ""})
    with pytest.raises(ParamsError, match="GROUNDSWELL_BLUESKY_HANDLE"):
        collect("bluesky", "games", Topic(bluesky=TOPIC), [DAY], settings=settings, params=CollectParams(), now=NOW)


def test_a_query_that_is_refused_is_said(tmp_path):
    with pytest.raises(SourceError, match="searchPosts was refused as 'BadQueryString'"):
        read(server(lambda query, token: httpx2.Response(400, json={"error": "BadQueryString", "message": "no"})), tmp_path)


def test_the_search_is_asked_for_exactly_the_window(tmp_path):
    asked = []
    read(server(lambda query, token: asked.append(dict(query)) or {"posts": []}), tmp_path, section=BlueskyTopic(query="game", lang="de"))
    window = {"since": "2026-10-19T00:00:00.000Z", "until": "2026-10-20T00:00:00.000Z"}
    assert asked == [{"q": "game", "sort": "latest", "limit": "100", "lang": "de", **window}]


def capped_search(moments, cap=10_000):
    """A search over ``moments``, in order, that ends at ``cap`` as the real one does."""

    def search(query, token):
        start, end = (bisect_left(moments, iso_moment(query[name])) for name in ("since", "until"))
        matching = range(start, end)[::-1][:cap]
        place, size = int(query.get("cursor", 0)), int(query["limit"])
        page = [post(number, moments[number].isoformat()) for number in matching[place : place + size]]
        return {"posts": page} | ({"cursor": str(place + size)} if place + size < len(matching) else {})

    return search


def test_an_interval_with_more_than_a_search_gives_is_cut_in_halves(tmp_path):
    moments = [DAY.start + timedelta(seconds=number * 5) for number in range(10_500)] + [DAY.end - timedelta(milliseconds=1)]
    found, reading = read(server(capped_search(moments)), tmp_path)
    assert {one.post_id.rsplit("/", 1)[1] for one in found} == {str(number) for number in range(10_501)}
    assert len(found) == 10_501


def test_more_than_the_cap_in_one_second_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("groundswell.sources.bluesky.POSTS_PER_QUERY", 200)
    moments = [DAY.start + timedelta(microseconds=number) for number in range(200)]
    with pytest.raises(SourceError, match="200 posts or more in the second from 2026-10-19T00:00:00.000Z"):
        read(server(capped_search(moments, cap=200)), tmp_path)


def test_a_page_without_posts_is_not_the_end(tmp_path):
    pages = {"": {"posts": [post(1)], "cursor": "a"}, "a": {"posts": [], "cursor": "b"}, "b": {"posts": [post(2)]}}
    found, _ = read(server(lambda query, token: pages[query.get("cursor", "")]), tmp_path)
    assert len(found) == 2


def test_a_search_that_goes_round_is_said(tmp_path):
    pages = {"": {"posts": [post(1)], "cursor": "a"}, "a": {"posts": [post(2)], "cursor": "b"}, "b": {"posts": [post(3)], "cursor": "a"}}
    with pytest.raises(SourceError, match="round in circles"):
        read(server(lambda query, token: pages[query.get("cursor", "")]), tmp_path)
    with pytest.raises(SourceError, match="round in circles"):
        read(server(lambda query, token: {"posts": [], "cursor": "a"}), tmp_path)


@pytest.mark.parametrize("answer", [{"feed": []}, {"posts": 5}, []])
def test_another_service_is_recognised(tmp_path, answer):
    with pytest.raises(SourceError, match="expected a list 'posts'"):
        read(server(lambda query, token: answer), tmp_path)


def test_a_limit_told_in_epoch_seconds_is_obeyed_or_given_back(tmp_path):
    answers = [httpx2.Response(429, headers={"ratelimit-reset": "2000000030", "ratelimit-remaining": "0"}), {"posts": [post(1)]}]
    found, reading = read(server(lambda query, token: answers.pop(0)), tmp_path, clock=lambda: 2_000_000_000)
    assert len(found) == 1 and reading.http.retries == 1
    far = server(lambda query, token: httpx2.Response(429, headers={"ratelimit-reset": "2000000300"}))
    with pytest.raises(RateLimited) as caught:
        read(far, tmp_path, clock=lambda: 2_000_000_000)
    assert caught.value.seconds == 300


def test_a_time_that_its_author_made_up_is_counted_not_kept(tmp_path):
    posts = [post(1), post(2, "2031-01-01T00:00:00Z"), post(3, "2026-10-18T23:59:59.999999Z"), post(4, "2026-10-19T02:00:00+02:00")]
    found, reading = read(server(lambda query, token: {"posts": posts}), tmp_path)
    assert [one.text for one in found] == ["level 1", "level 4"]
    assert reading.dropped == {"out_of_window": 2}


def test_of_others_nothing_stays_and_of_the_author_little(tmp_path):
    author = {"did": "did:plc:otter", "handle": "otter.example.social", "displayName": "Ot Ter", "avatar": "https://x.example/a.jpeg"}
    quoted = {"record": {"uri": "at://did:plc:heron/app.bsky.feed.post/9", "author": {"handle": "heron"}, "value": {"text": "what she said"}}}
    mention = {"features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:crane"}]}
    record = {
        "text": "as @crane says",
        "createdAt": "2026-10-19T05:00:00Z",
        "facets": [mention],
        "embed": {"record": {"uri": quoted["record"]["uri"]}},
    }
    record["reply"] = {"parent": {"uri": "at://did:plc:heron/app.bsky.feed.post/8"}, "root": {"uri": "at://did:plc:crane/app.bsky.feed.post/7"}}
    transport = server(lambda query, token: {"posts": [post(1, author=author, record=record, embed=quoted, new_field={"a": 1})]})
    settings = settings_at("http://platform.test", tmp_path)
    collect("bluesky", "games", Topic(bluesky=TOPIC), [DAY], settings=settings, params=CollectParams(), now=NOW, transport=transport)
    lake = Lake(settings.lake)
    (row,) = lake.read(lake.partition("raw", "bluesky", "games", DAY)).to_pylist()
    for trace in ("otter", "Ot Ter", "a.jpeg", "did:plc:heron", "did:plc:crane", "what she said"):
        assert trace not in json.dumps(row, default=str), trace
    assert json.loads(row["raw"])["new_field"] == {"a": 1}
    assert row["kind"] == "reply" and row["parent_id"].endswith("/app.bsky.feed.post/8")


def test_a_post_and_its_reply_know_each_other_in_the_lake(tmp_path):
    reply = {"text": "no", "createdAt": "2026-10-19T05:00:00Z", "reply": {"parent": {"uri": post(1)["uri"]}}}
    transport = server(lambda query, token: {"posts": [post(1), post(2, record=reply)]})
    settings = settings_at("http://platform.test", tmp_path)
    collect("bluesky", "games", Topic(bluesky=TOPIC), [DAY], settings=settings, params=CollectParams(), now=NOW, transport=transport)
    lake = Lake(settings.lake)
    first, second = lake.read(lake.partition("raw", "bluesky", "games", DAY)).to_pylist()
    assert second["parent_id"] == first["post_id"] != post(1)["uri"]


def otter_answers_heron():
    """Heron's post, and Otter's answer to it."""
    heron = "at://did:plc:heron/app.bsky.feed.post/8"
    answer = {"text": "no", "createdAt": "2026-10-19T05:00:00Z", "reply": {"parent": {"uri": heron}, "root": {"uri": heron}}}
    return server(lambda query, token: {"posts": [post(8, uri=heron, author={"did": "did:plc:heron"}), post(9, record=answer)]})


@pytest.mark.parametrize(("kind", "native"), [("author", "did:plc:heron"), ("post", "at://did:plc:heron/app.bsky.feed.post/8")])
def test_who_or_what_is_erased_goes_and_stays_away(tmp_path, kind, native):
    settings = settings_at("http://platform.test", tmp_path)
    arguments = {"settings": settings, "params": CollectParams(), "now": NOW}

    def collected():
        collect("bluesky", "games", Topic(bluesky=TOPIC), [DAY], transport=otter_answers_heron(), **arguments)
        lake = Lake(settings.lake)
        return lake.read(lake.partition("raw", "bluesky", "games", DAY)).to_pylist()

    assert len(collected()) == 2
    receipt = erase([Subject(kind, "bluesky", native)], settings=settings, now=NOW, seal=lambda topic: {})
    assert receipt["stores"]["lake"]["rows_removed"]["raw"] == 1
    lake = Lake(settings.lake)
    (left,) = lake.read(lake.partition("raw", "bluesky", "games", DAY)).to_pylist()
    assert left["text"] == "no" and collected() == [left]
    assert (left["parent_id"] is None) == (kind == "author"), "the answer's name for the post it answers holds its author"


def test_the_simulators_habits_lose_no_post(url, tmp_path):
    clean, reading = read(None, tmp_path, url)
    assert len(clean) > 300 and reading.dropped["out_of_window"] > 0
    plan_faults(url, "bluesky", {2: "empty-page", 3: "same-cursor", 4: "expired-token", 6: "repeated-page"})
    found, disturbed = read(None, tmp_path, url)
    plan_faults(url, "bluesky", {})
    assert {one.post_id for one in found} == {one.post_id for one in clean}
    assert disturbed.http.requests > reading.http.requests


def test_answers_in_the_simulator_name_posts_that_are_there(url, tmp_path):
    found, _ = read(None, tmp_path, url)
    answers = [one for one in found if one.parent_id]
    assert len(answers) > 30 and {one.kind for one in answers} == {"reply"}
    # Whoever is answered may have made up their time, and be outside the window.
    assert sum(one.parent_id in {each.post_id for each in found} for one in answers) > 0.9 * len(answers)


def test_deleted_posts_are_found_out(tmp_path):
    with platforms(bluesky_per_day=330) as url:
        at = {"now": (DAY.end + timedelta(hours=1)).isoformat()}
        httpx2.put(f"{url}/now", json=at).raise_for_status()
        settings = settings_at(url, tmp_path)
        collect("bluesky", "games", Topic(bluesky=TOPIC), [DAY], settings=settings, params=CollectParams(), now=NOW)
        lake = Lake(settings.lake)
        names = lake.read(lake.partition("raw", "bluesky", "games", DAY))["post_id"].to_pylist()
        httpx2.put(f"{url}/now", json={"now": (DAY.end + timedelta(days=5)).isoformat()}).raise_for_status()
        later, _ = read(None, tmp_path, url)
        with Http() as http:
            gone = list(SOURCE.gone(Recheck(TOPIC, [*names, "at://nobody-knows-this/app.bsky.feed.post/1", "nonsense"], settings, http)))
            assert http.requests == 1 + -(-len(names) // 25)
    kept = {one.post_id.rsplit("/", 1)[1] for one in later}
    assert gone == [name for name in names if name.rsplit("/", 1)[1] not in kept] and len(gone) > 3
