"""lemmy: a walk back from now, pinned posts that are no end, cursors that must lead on, and a 429 without a word."""

import json
from datetime import timedelta

import httpx2
import pytest

from groundswell.collect import collect
from groundswell.errors import SourceError
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.sources.base import Reading, Recheck
from groundswell.sources.lemmy import SOURCE, LemmyTopic
from groundswell.window import Window
from tests.simulated import plan_faults, platforms, settings_at

DAY = Window.parse("2026-10-19")
NOW = DAY.end + timedelta(days=1)
PINNED_DAY = DAY.end + timedelta(days=2, hours=12)
"""The simulated instance's present in which its pinned posts are of `DAY`."""


def read(transport, tmp_path, url="http://platform.test", communities=("games",), page_size=50):
    http = Http(transport=transport, sleep=lambda seconds: None)
    reading = Reading(
        LemmyTopic(communities=list(communities)), DAY.start, DAY.end, settings_at(url, tmp_path), CollectParams(page_size=page_size), http
    )
    return list(SOURCE.posts(reading)), reading


def view(number, seconds=None, creator=None, **post):
    published = DAY.start + timedelta(seconds=number if seconds is None else seconds)
    return {
        "post": {"id": number, "name": f"level {number}", "published": published.isoformat().replace("+00:00", "Z"), "language_id": 37} | post,
        "creator": creator or {"id": 7, "name": "otter", "actor_id": "https://pond.example/u/otter"},
        "counts": {"upvotes": 5, "score": 3, "comments": 2},
    }


END = (view(2, seconds=-1), view(1, seconds=-2))
"""Two posts older than the window, one after the other: there is nothing of it behind them."""


def instance(pages, asked=None):
    """An instance that gives the page of each cursor; a page is a list of posts and the next cursor, or a whole answer."""

    def handler(request):
        if request.url.path.endswith("/site"):
            return httpx2.Response(200, json={"all_languages": [{"id": 37, "code": "en"}, {"id": 0, "code": "und"}]})
        cursor = request.url.params.get("page_cursor")
        if asked is not None:
            asked.append(cursor)
        page = pages[cursor]
        if isinstance(page, list) and page and callable(page[0]):
            page = page[0]()
        if isinstance(page, httpx2.Response):
            return page
        posts, following = page
        return httpx2.Response(200, json={"posts": posts} | ({"next_page": following} if following else {}))

    return httpx2.MockTransport(handler)


def test_the_walk_goes_from_now_past_what_is_newer_to_what_is_older(tmp_path):
    asked = []
    newer, older = view(90, seconds=86_400), view(1, seconds=-1)
    pages = {None: ([newer, newer], "P1"), "P1": ([newer, view(8)], "P2"), "P2": ([view(7), older, older], "P3")}
    found, reading = read(instance(pages, asked), tmp_path)
    assert [post.text for post in found] == ["level 8", "level 7"]
    assert asked == [None, "P1", "P2"] and not reading.dropped


def test_one_older_post_out_of_its_place_is_no_end(tmp_path):
    stray, older, asked = view(1, seconds=-900), view(2, seconds=-5), []
    pages = {None: ([stray, view(9)], "P1"), "P1": ([view(8), stray], "P2"), "P2": ([view(7), older], "P3"), "P3": ([older], "P4")}
    found, _ = read(instance(pages, asked), tmp_path)
    assert [post.text for post in found] == ["level 9", "level 8", "level 7"]
    assert asked == [None, "P1", "P2", "P3"]


@pytest.mark.parametrize("kind", ["featured_community", "featured_local"])
def test_a_pinned_post_is_no_end(tmp_path, kind):
    pages = {
        None: ([view(1, seconds=-900_000, **{kind: True}), view(2, **{kind: True}), view(9)], "P1"),
        "P1": ([view(8), *END], "P2"),
    }
    found, _ = read(instance(pages), tmp_path)
    assert [post.text for post in found] == ["level 2", "level 9", "level 8"]


def test_a_community_ends_after_empty_pages_and_no_sooner(tmp_path):
    answers = iter([([], None), ([], None), ([view(8)], "P2")])
    asked = []
    pages = {None: ([view(9)], "P1"), "P1": [lambda: next(answers)], "P2": ([], None)}
    found, _ = read(instance(pages, asked), tmp_path)
    assert len(found) == 2
    assert asked == [None, "P1", "P1", "P1", "P2", "P2", "P2"]


def test_a_page_that_names_no_next_one_is_refused(tmp_path):
    with pytest.raises(SourceError, match="must be Lemmy 0.19 or later"):
        read(instance({None: ([view(9)], None)}), tmp_path)


def test_pages_that_lead_nowhere_are_said(tmp_path):
    with pytest.raises(SourceError, match="same page again and again"):
        read(instance({None: ([view(9)], "P1"), "P1": ([view(8)], "P1")}), tmp_path)
    with pytest.raises(SourceError, match="round in circles"):
        read(instance({None: ([view(9)], "P1"), "P1": ([view(8)], "P2"), "P2": ([view(7)], "P1")}), tmp_path)


@pytest.mark.parametrize("status", [400, 404])
def test_a_community_that_does_not_exist_is_named(tmp_path, status):
    missing = httpx2.Response(status, json={"error": "couldnt_find_community"})
    with pytest.raises(SourceError, match=f"post/list answered {status} 'couldnt_find_community'"):
        read(instance({None: missing}), tmp_path)


@pytest.mark.parametrize("answer", [{"items": []}, {"posts": {}}, []])
def test_another_service_is_recognised(tmp_path, answer):
    with pytest.raises(SourceError, match="expected a list 'posts'"):
        read(instance({None: httpx2.Response(200, json=answer)}), tmp_path)


def test_a_refusal_without_a_word_is_waited_for(tmp_path):
    answers = iter([httpx2.Response(429, json={"error": "rate_limit_error"}), ([view(9), *END], "P1")])
    found, reading = read(instance({None: [lambda: next(answers)]}), tmp_path)
    assert len(found) == 1 and reading.http.retries == 1


def test_each_community_is_read_once(tmp_path):
    asked = []
    found, _ = read(instance({None: ([view(9), *END], "P1")}, asked), tmp_path, communities=("games", "pc@else.example", "games"))
    assert len(asked) == 2 and len(found) == 2


def test_a_post_in_the_lake(tmp_path):
    heron = {"id": 70_000_001, "name": "heron", "display_name": "He Ron", "actor_id": "https://pond.example/u/heron", "bio": "lives in a pond"}
    pages = {
        None: (
            [
                view(
                    9,
                    body="and *so* on @heron",
                    updated="2026-10-19T07:00:00Z",
                    ap_id="https://pond.example/post/9",
                    creator=heron,
                    creator_id=70_000_001,
                )
            ],
            "P1",
        ),
        "P1": ([view(8, language_id=0), *END], "P2"),
    }
    settings = settings_at("http://platform.test", tmp_path)
    topic = Topic(lemmy=LemmyTopic(communities=["games"]))
    collect("lemmy", "games", topic, [DAY], settings=settings, params=CollectParams(), now=NOW, transport=instance(pages))
    lake = Lake(settings.lake)
    plain, row = lake.read(lake.partition("raw", "lemmy", "games", DAY)).to_pylist()
    for trace in ("heron", "He Ron", "lives in a pond", "70000001"):
        assert trace not in json.dumps(row, default=str), trace
    assert row["text"].startswith("level 9\nand *so* on @") and row["url"] == "https://pond.example/post/9"
    assert (row["likes"], row["score"], row["replies"], row["lang"], plain["lang"]) == (5, 3.0, 2, "en", None)
    assert row["edited_at"].hour == 7 and plain["edited_at"] is None


@pytest.fixture(scope="module")
def url():
    with platforms(lemmy_per_day=180, now=PINNED_DAY.isoformat(), late_share=0, deleted_share=0) as address:
        yield address


def test_the_simulators_habits_lose_no_post(url, tmp_path):
    clean, reading = read(None, tmp_path, url)
    assert len({post.post_id for post in clean}) == len(clean) > 150 and reading.dropped["removed"] > 0
    assert [post.record["post"]["featured_community"] for post in clean[:3]] == [True, True, False]
    plan_faults(url, "lemmy", {3: "empty-page", 4: "empty-page", 6: "same-cursor", 8: "repeated-page", 9: "429-silent"})
    found, disturbed = read(None, tmp_path, url)
    plan_faults(url, "lemmy", {})
    assert {post.post_id for post in found} == {post.post_id for post in clean}
    assert disturbed.http.requests > reading.http.requests


def test_pages_of_any_size_are_the_same_posts(url, tmp_path):
    pages = [{post.post_id for post in read(None, tmp_path, url, page_size=size)[0]} for size in (7, 50)]
    assert pages[0] == pages[1]


def test_deleted_posts_are_found_out(tmp_path):
    with platforms(lemmy_per_day=90, now=(DAY.end + timedelta(hours=1)).isoformat()) as url:
        ids = [post.post_id for post in read(None, tmp_path, url)[0]]
        httpx2.put(f"{url}/now", json={"now": (DAY.end + timedelta(days=5)).isoformat()}).raise_for_status()
        there = {post.post_id for post in read(None, tmp_path, url)[0]}
        with Http() as http:
            gone = list(SOURCE.gone(Recheck(LemmyTopic(communities=["games"]), ids, settings_at(url, tmp_path), http)))
            assert http.requests == len(ids)
    assert gone == [each for each in ids if each not in there] and gone


@pytest.mark.parametrize(
    ("answer", "is_gone"),
    [
        ((404, {"error": "couldnt_find_post"}), True),
        ((400, {"error": "couldnt_find_post"}), True),
        ((200, {"post_view": {"post": {"id": 5, "deleted": True}}}), True),
        ((200, {"post_view": {"post": {"id": 5, "removed": True}}}), True),
        ((200, {"post_view": {"post": {"id": 5}}}), False),
    ],
)
def test_what_gone_means(tmp_path, answer, is_gone):
    status, body = answer
    with Http(transport=httpx2.MockTransport(lambda request: httpx2.Response(status, json=body))) as http:
        assert list(SOURCE.gone(Recheck(None, ["5"], settings_at("http://platform.test", tmp_path), http))) == (["5"] if is_gone else [])


@pytest.mark.parametrize(("status", "body"), [(404, {"detail": "no such path"}), (200, {}), (200, {"post_view": None}), (400, {"error": "unknown"})])
def test_an_answer_that_is_none_does_not_make_a_post_gone(tmp_path, status, body):
    transport = httpx2.MockTransport(lambda request: httpx2.Response(status, json=body))
    with Http(transport=transport) as http, pytest.raises(SourceError):
        list(SOURCE.gone(Recheck(None, ["5"], settings_at("http://platform.test", tmp_path), http)))
