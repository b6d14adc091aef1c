"""steam: the thumb as a label, and the service's habits with cursors and empty pages."""

import json

import httpx2
import pytest

from groundswell.errors import SourceError
from groundswell.http import Http
from groundswell.params import CollectParams
from groundswell.sources.base import Reading
from groundswell.sources.steam import SOURCE, SteamTopic
from groundswell.window import Window
from tests.simulated import plan_faults, platforms, settings_at

DAY = Window.parse("2026-10-19")
START = int(DAY.start.timestamp())


def read(transport, tmp_path, url="http://platform.test", app_ids=(730,)):
    http = Http(transport=transport, sleep=lambda seconds: None)
    reading = Reading(SteamTopic(app_ids=list(app_ids)), DAY.start, DAY.end, settings_at(url, tmp_path), CollectParams(page_size=20), http)
    return list(SOURCE.posts(reading)), reading


def scripted(*pages):
    left = iter(pages)
    return httpx2.MockTransport(lambda request: httpx2.Response(200, json={"response": next(left)}))


def review(number, **changes):
    return {
        "recommendationid": str(number),
        "author": {"steamid": "1"},
        "review": "ok",
        "timestamp_created": START + number,
        "voted_up": True,
        **changes,
    }


def test_the_thumb_is_a_native_label(tmp_path):
    page = {"reviews": [review(1), review(2, voted_up=False), review(3, voted_up=None)], "total_matching": 3, "cursor": "x"}
    found, _ = read(scripted(page), tmp_path)
    assert [(post.label, post.label_provenance, post.native_label) for post in found] == [
        ("positive", "native", "voted_up=true"),
        ("negative", "native", "voted_up=false"),
        (None, None, None),
    ]


def test_edits_and_languages_are_kept(tmp_path):
    reviews = [review(1, timestamp_updated=START + 90, language="schinese"), review(2, timestamp_updated=START + 2, language="klingon")]
    (first, second), _ = read(scripted({"reviews": reviews, "total_matching": 2}), tmp_path)
    assert (first.lang, (first.edited_at - first.created_at).seconds) == ("zh-CN", 89)
    assert (second.lang, second.edited_at) == (None, None)


def test_a_false_end_is_asked_again(tmp_path):
    empty = {"total_matching": 2, "cursor": "b"}
    found, reading = read(
        scripted({"reviews": [review(1)], "total_matching": 2, "cursor": "b"}, empty, empty, {"reviews": [review(2)], "total_matching": 2}), tmp_path
    )
    assert len(found) == 2
    assert reading.http.requests == 4


def test_an_end_that_stays_false_is_said(tmp_path):
    pages = [{"reviews": [review(1)], "total_matching": 9, "cursor": "b"}] + [{"total_matching": 9, "cursor": "b"}] * 9
    with pytest.raises(SourceError, match="1 of 9 reviews of app 730"):
        read(scripted(*pages), tmp_path)


def test_a_cursor_that_comes_back_ends_it(tmp_path):
    page = {"reviews": [review(1)], "total_matching": 9, "cursor": "*"}
    with pytest.raises(SourceError, match="1 of 9"):
        read(scripted(*[page] * 9), tmp_path)


def test_no_reviews_key_is_an_empty_window(tmp_path):
    assert read(scripted({"total_matching": 0, "cursor": "*"}), tmp_path)[0] == []


@pytest.mark.parametrize("response", ["text", {"reviews": 5, "cursor": "a"}])
def test_another_service_is_recognised(tmp_path, response):
    with pytest.raises(SourceError, match="expected an object 'response'"):
        read(httpx2.MockTransport(lambda request: httpx2.Response(200, json={"response": response})), tmp_path)


def test_the_cursor_survives_its_signs(tmp_path):
    cursors = []

    def handler(request):
        cursors.append(json.loads(request.url.params["input_json"])["cursor"])
        number = len(cursors)
        return httpx2.Response(200, json={"response": {"reviews": [review(number)], "total_matching": 2, "cursor": "AoJ4+/=&%#"}})

    read(httpx2.MockTransport(handler), tmp_path)
    assert cursors == ["*", "AoJ4+/=&%#"]


@pytest.fixture(scope="module")
def url():
    with platforms() as address:
        yield address


def test_an_app_that_does_not_exist_is_named(url, tmp_path):
    with pytest.raises(SourceError, match="app 7 does not exist"):
        read(None, tmp_path, url, app_ids=(730, 7))


@pytest.mark.parametrize("faults", [{2: "empty-page", 3: "empty-page"}, {3: "repeated-page"}])
def test_the_simulators_habits_lose_no_review(url, tmp_path, faults):
    clean, _ = read(None, tmp_path, url)
    plan_faults(url, "steam", faults)
    found, _ = read(None, tmp_path, url)
    plan_faults(url, "steam", {})
    assert {post.post_id for post in found} == {post.post_id for post in clean}
    assert len(clean) > 40
