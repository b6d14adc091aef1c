"""hackernews: the cap of a thousand hits, and answers that are no search's."""

import re

import httpx2
import pytest

from groundswell.errors import SourceError
from groundswell.http import Http
from groundswell.params import CollectParams
from groundswell.sources.base import Reading
from groundswell.sources.hackernews import SOURCE, HackerNewsTopic
from groundswell.window import Window
from tests.simulated import settings_at

DAY = Window.parse("2026-10-19")
START = int(DAY.start.timestamp())


def read(handler, tmp_path):
    http = Http(transport=httpx2.MockTransport(handler), sleep=lambda seconds: None)
    reading = Reading(
        HackerNewsTopic(query="game"), DAY.start, DAY.end, settings_at("http://platform.test", tmp_path), CollectParams(page_size=1000), http
    )
    return list(SOURCE.posts(reading)), reading


def search_over(times):
    """A search with a hit at each of ``times``, capped as the real one."""

    def handler(request):
        start, end = map(int, re.findall(r"\d+", request.url.params["numericFilters"].replace("created_at_i", "")))
        hits = [{"objectID": str(number), "author": "a", "created_at_i": at, "title": "t"} for number, at in enumerate(times) if start <= at < end]
        page = int(request.url.params["page"])
        return httpx2.Response(200, json={"hits": hits[: 1000 if page == 0 else 0], "nbHits": len(hits), "nbPages": 1})

    return handler


def test_a_busy_interval_is_halved_until_each_part_fits(tmp_path):
    times = [START + 7] * 900 + [START + 8] * 900 + [START + 86_399] * 3
    found, reading = read(search_over(times), tmp_path)
    assert len({post.post_id for post in found}) == len(found) == 1803
    assert reading.http.requests < 50


def test_more_than_the_cap_in_one_second_is_said(tmp_path):
    with pytest.raises(SourceError, match="1001 hits in the one second"):
        read(search_over([START + 5] * 1001), tmp_path)


def test_hits_that_did_not_come_are_said(tmp_path):
    with pytest.raises(SourceError, match="0 of 3 hits"):
        read(lambda request: httpx2.Response(200, json={"hits": [], "nbHits": 3, "nbPages": 1, "exhaustiveNbHits": True}), tmp_path)


@pytest.mark.parametrize("there", [380, 900])
def test_a_count_that_is_a_guess_cuts_nothing_off(tmp_path, there):
    """Algolia says so where it did not count to the end: of pages and hits there may be more than it says."""

    def guessed(request):
        start, end = map(int, re.findall(r"\d+", request.url.params["numericFilters"].replace("created_at_i", "")))
        times = [(number, START + number * 60) for number in range(there)]
        hits = [{"objectID": str(number), "author": "a", "created_at_i": at, "title": "t"} for number, at in times if start <= at < end]
        first, said = int(request.url.params["page"]) * 100, len(hits) * 2 // 3
        found = hits[:1000][first : first + 100]
        return httpx2.Response(200, json={"hits": found, "nbHits": said, "nbPages": -(-said // 100), "exhaustiveNbHits": False})

    found, _ = read(guessed, tmp_path)
    assert len({post.post_id for post in found}) == len(found) == there


def test_another_service_is_recognised(tmp_path):
    with pytest.raises(SourceError, match="expected a list 'hits'"):
        read(lambda request: httpx2.Response(200, json={"message": "hello"}), tmp_path)


def test_a_story_is_its_title_and_text(tmp_path):
    hit = {
        "objectID": 9,
        "author": "a",
        "created_at_i": START,
        "title": "Ask: which one?",
        "story_text": "I can&#x27;t say",
        "points": 4,
        "_tags": ["story"],
    }
    (post,), _ = read(lambda request: httpx2.Response(200, json={"hits": [hit], "nbHits": 1, "nbPages": 1}), tmp_path)
    assert (post.text, post.kind, post.likes, post.post_id) == ("Ask: which one?\nI can&#x27;t say", "story", 4, "9")
    assert post.url == "https://news.ycombinator.com/item?id=9"
