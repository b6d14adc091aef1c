"""gdelt: no pages, 250 articles a query, sentences instead of errors, and JSON with escapes that are none."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from groundswell.collect import collect
from groundswell.errors import SourceError, WindowError
from groundswell.http import Http
from groundswell.params import CollectParams, Topic
from groundswell.sources.base import Reading
from groundswell.sources.gdelt import SOURCE, GdeltTopic
from groundswell.window import Window
from tests.simulated import platforms, settings_at

DAY = Window.parse("2026-10-19")


def read(handler, home, pause=0, sleep=lambda seconds: None, **options):
    transport = httpx2.MockTransport(handler) if callable(handler) else None
    url = "http://platform.test" if transport else handler
    settings = settings_at(url, home).model_copy(update={"gdelt_pause_seconds": pause})
    http = Http(transport=transport, sleep=sleep, **options)
    reading = Reading(GdeltTopic(query="game"), DAY.start, DAY.end, settings, CollectParams(), http)
    return list(SOURCE.posts(reading)), reading


def article(number, seconds=0, **changes):
    seen = DAY.start + timedelta(seconds=seconds)
    return {
        "url": f"https://n.example/{number}",
        "title": f"headline {number}",
        "seendate": f"{seen:%Y%m%dT%H%M%SZ}",
        "language": "German",
        **changes,
    }


def newsroom(articles):
    """The articles between both bounds, the newest 250 at most, as GDELT answers."""

    def handler(request):
        first, last = (request.url.params[name] for name in ("startdatetime", "enddatetime"))
        found = [each for each in articles if first <= each["seendate"].replace("T", "").rstrip("Z") <= last]
        return httpx2.Response(200, json={"articles": found[:250]} if found else {})

    return handler


def test_a_busy_interval_is_halved_until_each_part_fits(tmp_path):
    articles = [article(number, number % 96 * 900) for number in range(1200)]
    found, reading = read(newsroom(articles), tmp_path)
    assert sorted(post.post_id for post in found) == sorted(each["url"] for each in articles)
    assert reading.http.requests < 20 and not reading.dropped


def test_more_than_can_be_had_of_a_moment_is_said(tmp_path):
    with pytest.raises(SourceError, match="250 or more articles at 2026-10-19T11:59:59/12:00:00Z.*narrow the topic's query"):
        read(newsroom([article(number, 43_200) for number in range(250)]), tmp_path)


def test_languages_are_codes_and_times_are_utc(tmp_path):
    (first, second), _ = read(newsroom([article(1), article(2, 900, language="Klingon")]), tmp_path)
    assert (first.lang, first.created_at, first.kind, first.author) == ("de", DAY.start, "article", None)
    assert second.lang is None


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (rb'{"articles": [{"url": "u", "seendate": "20261019T100000Z", "title": "it\'s"}]}'.replace(b"'", rb"\'"), r"it\'s"),
        (rb'{"articles": [{"url": "u", "seendate": "20261019T100000Z", "title": "a \x b \\ c \" d \u00e9 \u00z"}]}', 'a \\x b \\ c " d é \\u00z'),
        (b'{"articles": [{"url": "u", "seendate": "20261019T100000Z", "title": "a\tb"}]}', "a\tb"),
        (b'{"articles": [{"url": "u", "seendate": "20261019T100000Z", "title": "caf\xe9"}]}', "caf\ufffd"),
    ],
)
def test_json_that_is_not_quite_json_is_read(tmp_path, body, title):
    (post,), _ = read(lambda request: httpx2.Response(200, content=body), tmp_path)
    assert post.text == title


def test_what_gdelt_says_in_words_is_repeated(tmp_path):
    with pytest.raises(SourceError, match="is none .*'The specified phrase is too short.', 5 times"):
        read(lambda request: httpx2.Response(200, text="The specified phrase is too short.\n"), tmp_path)


@pytest.mark.parametrize("body", [{"timeline": []}, [], {"articles": 5}, {"articles": None}])
def test_another_service_is_recognised(tmp_path, body):
    with pytest.raises(SourceError, match="expected an object with a list 'articles'"):
        read(lambda request: httpx2.Response(200, json=body), tmp_path)


def test_requests_are_kept_apart_those_after_a_429_too(tmp_path):
    """GDELT's 429 is a sentence without a time: the next try comes when its one rule allows it."""
    limit = httpx2.Response(429, text="Please limit requests to one every 5 seconds.")
    answers = iter([limit, limit, httpx2.Response(200, json={})])
    now, asked = [0.0], []

    def handler(request):
        asked.append(now[0])
        return next(answers)

    def sleep(seconds):
        now[0] += seconds

    read(handler, tmp_path, pause=5, sleep=sleep, clock=lambda: now[0])
    assert [later - earlier >= 5 for earlier, later in zip(asked, asked[1:], strict=False)] == [True, True]


def test_what_may_be_found_in_part_only_is_refused(tmp_path):
    with pytest.raises(WindowError, match="gdelt looks back 90 days"):
        collect(
            "gdelt",
            "games",
            Topic(gdelt=GdeltTopic(query="game")),
            [DAY],
            settings=settings_at("http://platform.test", tmp_path),
            params=CollectParams(),
            now=datetime(2027, 2, 1, tzinfo=UTC),
        )


def test_the_simulator_has_gdelts_ways(tmp_path):
    with platforms(gdelt_per_day=400) as url:
        found, reading = read(f"{url}", tmp_path)
        asked = {"query": "game", "mode": "artlist", "format": "json", "startdatetime": "20261019000000", "enddatetime": "20261019235959"}
        address = f"{url}/gdelt/api/v2/doc/doc"
        page = httpx2.get(address, params={**asked, "maxrecords": 250})
        assert len(httpx2.get(address, params=asked).text.split('"seendate"')) - 1 == 75
        assert httpx2.get(address, params={**asked, "query": "g"}).text == "The specified phrase is too short.\n"
        assert httpx2.get(address, params={**asked, "query": "knitting patterns"}).json() == {}
    assert len(found) > 300 and reading.http.requests >= 3
    assert {post.created_at.timestamp() % 900 for post in found} == {0}
    assert r"\'t " in page.text and any("'t " in post.text for post in found) and page.text.count('"seendate"') == 250
