"""The contract: every rule of a source, run on every source there is."""

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx2
import pyarrow.parquet as pq
import pytest

from groundswell.collect import collect
from groundswell.config import CollectParams
from groundswell.errors import SourceError
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.schema import POST
from groundswell.sources import SOURCES, source_named
from groundswell.sources.base import Reading
from groundswell.window import Window, parse_windows
from tests.simulated import plan_faults, platforms, settings_at
from tests.sources.cases import CASES, Replay

DAY = Window.parse("2026-10-19")
START = int(DAY.start.timestamp())
NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOON = START + 43_200

every_source = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_author = pytest.mark.parametrize("case", [case for case in CASES if case.names_authors], ids=lambda case: case.name)
every_platform = pytest.mark.parametrize("case", [case for case in CASES if case.is_remote], ids=lambda case: case.name)
every_past = pytest.mark.parametrize(
    "case", [case for case in CASES if case.is_simulated and not source_named(case.name).is_on_sight], ids=lambda case: case.name
)
"""Platforms that can be asked for a past window; what a feed shows depends on when it is asked: test_rss has the like of these tests."""


def post(number, at=NOON, **changes):
    """A post that a test invents, in no platform's words."""
    return {"id": f"1844674407370955{number:04d}", "at": at, "author": f"sly_otter{number}", "text": f"level {number} was a joy", **changes}


def collected(case, home, posts, window=DAY, params=None, records=None):
    """Report and table of ``window`` after ``collect`` from a platform that has ``posts``."""
    records = records if records is not None else [case.record(one) for one in posts]
    settings = settings_at("http://platform.test", home)
    transport = case.transport(records, home)
    report = collect(
        case.name, "games", case.topic(home), [window], settings=settings, params=params or CollectParams(), now=NOW, transport=transport
    )
    lake = Lake(settings.lake)
    return report, lake.read(lake.partition("raw", case.name, "games", window))


def ids(case, table):
    """The posts' ids as the test gave them: a platform may wrap them."""
    return [case.given_id(post_id) for post_id in table["post_id"].to_pylist()]


def sha256(home, case):
    return hashlib.sha256((home / f"lake/raw/source={case.name}/topic=games/date=2026-10-19/part-0.parquet").read_bytes()).hexdigest()


def test_every_source_has_a_case():
    assert sorted(case.name for case in CASES) == sorted(SOURCES)


@every_source
def test_a_source_says_who_it_is(case):
    source = source_named(case.name)
    assert (source.name, source.version >= 1) == (case.name, True)


@every_source
def test_the_same_window_gives_the_same_bytes(case, tmp_path):
    posts = [post(number, at=NOON + number % 3) for number in range(9)]
    first, _ = collected(case, tmp_path / "a", posts)
    again, _ = collected(case, tmp_path / "a", posts)
    elsewhere, _ = collected(case, tmp_path / "b", posts[::-1])
    assert first["sha256"] == again["sha256"] == elsewhere["sha256"] == sha256(tmp_path / "b", case)


@every_source
def test_a_window_is_half_open(case, tmp_path):
    times = {1: START - 1, 2: START, 3: START + 86_399, 4: START + 86_400}
    _, table = collected(case, tmp_path, [post(number, at=at) for number, at in times.items()])
    assert [text for text in table["text"].to_pylist()] == ["level 2 was a joy", "level 3 was a joy"]


@every_source
def test_rows_are_canonical_and_sorted(case, tmp_path):
    report, table = collected(case, tmp_path, [post(3), post(1), post(2, at=NOON - 5)])
    assert table.schema.equals(POST)
    assert table.to_pylist() == sorted(table.to_pylist(), key=lambda row: (row["created_at"], row["post_id"]))
    assert ids(case, table)[0] == post(2)["id"] and sorted(ids(case, table)[1:]) == [post(1)["id"], post(3)["id"]]
    assert set(table["fetched_at"].to_pylist()) == {DAY.end}
    assert report["rows"] == 3 and report["window"] == DAY.key


@every_author
def test_author_ids_end_here(case, tmp_path):
    posts = [
        post(number, text=f"thanks @sly_otter{number}! #sly_otter{number} https://x.example/u/sly_otter{number}?a=1 says Sly_Otter{number}")
        for number in range(5)
    ]
    _, table = collected(case, tmp_path, posts)
    assert len(set(table["author"].to_pylist())) == 5
    assert all(len(author) == 32 for author in table["author"].to_pylist())
    assert "otter" not in json.dumps(table.to_pylist(), default=str).lower()
    assert all(json.loads(raw) for raw in table["raw"].to_pylist())


@every_author
def test_an_author_is_one_stranger_per_source_and_key(case, tmp_path):
    _, monday = collected(case, tmp_path, [post(1)])
    _, tuesday = collected(case, tmp_path, [post(1, at=NOON + 86_400)], window=DAY.next())
    assert monday["author"] == tuesday["author"]
    others = [other for other in CASES if other.names_authors]
    assert len({collected(other, tmp_path / other.name, [post(1)])[1]["author"][0].as_py() for other in others}) == len(others)


@every_source
def test_an_empty_window_is_a_file(case, tmp_path):
    report, table = collected(case, tmp_path, [post(1, at=NOON + 86_400)])
    assert (table.num_rows, report["rows"]) == (0, 0)
    assert table.schema.equals(POST)
    footer = pq.read_metadata(next(tmp_path.rglob("part-0.parquet"))).metadata[b"groundswell"]
    assert json.loads(footer)["status"] == "complete"


@every_source
def test_a_platform_without_posts_is_no_error(case, tmp_path):
    if case.name == Replay.name:
        pytest.skip("an empty corpus has no columns: that is an error of its own")
    assert collected(case, tmp_path, [])[0]["rows"] == 0


@every_platform
def test_a_post_that_comes_twice_is_one_row(case, tmp_path):
    report, table = collected(case, tmp_path, [post(1), post(2), post(1)])
    assert table.num_rows == 2
    assert report["dropped"] == {"duplicate_id": 1}


@every_source
def test_ids_stay_strings(case, tmp_path):
    _, table = collected(case, tmp_path, [post(615, id="18446744073709551615")])
    assert ids(case, table) == ["18446744073709551615"]


@every_source
def test_no_text_breaks_it(case, tmp_path):
    texts = [
        "a\x00b",
        "half \ud83d a pair",
        "x" * 100_000,
        "هذه اللعبة رائعة \u202e!",
        "🔥🔥🔥",
        "",
        "line\u2028sep\r\nnext",
        '"quoted", and, commas',
    ]
    _, table = collected(case, tmp_path, [post(number, text=text, at=NOON + number) for number, text in enumerate(texts)])
    found = table["text"].to_pylist()
    assert [text or "" for text in found] == [case.arrives(text) for text in texts]


@every_platform
def test_broken_records_are_counted_not_fatal(case, tmp_path):
    records = [case.record(post(number)) | change for number, (_, change) in enumerate(case.broken)]
    report, table = collected(case, tmp_path, [], records=[*records, case.record(post(900)), "no object", None])
    assert ids(case, table) == [post(900)["id"]]
    assert report["dropped"] == Counter([reason for reason, _ in case.broken] + ["no_id", "no_id"])


@every_platform
@pytest.mark.parametrize("record", [{"text": 5}, {"text": None}, {"text": ["a"]}, {"author": 76561}])
def test_odd_kinds_do_not_break_it(case, tmp_path, record):
    assert collected(case, tmp_path, [post(1, **record)])[1].num_rows == 1


FAULTS = {
    "429 seconds": (httpx2.Response(429, headers={"retry-after": "7"}), 7),
    "429 date": (httpx2.Response(429, headers={"date": "Mon, 19 Oct 2026 10:00:00 GMT", "retry-after": "Mon, 19 Oct 2026 10:00:09 GMT"}), 9),
    "429 epoch": (httpx2.Response(429, headers={"x-rate-limit-reset": str(START + 11)}), 11),
    "429 to go": (httpx2.Response(429, headers={"x-ratelimit-reset": "13.0"}), 13),
    "429 ISO": (httpx2.Response(429, headers={"x-ratelimit-reset": "2026-10-19T00:00:15.000Z"}), 15),
    "429 silent": (httpx2.Response(429), None),
    "503": (httpx2.Response(503, text="<html>no</html>"), None),
    "truncated": (httpx2.Response(200, content=b'{"hits": [{"objectID": "1'), None),
    "a page of HTML": (httpx2.Response(200, text="<!doctype html><title>one moment</title>"), None),
}


def failing(whole, number, response):
    """``whole``, but the request of that number (from 0) gets ``response``."""
    requests = count()
    return httpx2.MockTransport(lambda request: response if next(requests) == number else whole.handle_request(request))


def read_through(case, transport, home):
    """The client, and its waits, that read the one post of ``transport``."""
    waited = []
    http = Http(transport=transport, sleep=waited.append, clock=lambda: START)
    section = getattr(case.topic(home), case.name)
    reading = Reading(section, DAY.start, DAY.end, settings_at("http://platform.test", home), CollectParams(), http)
    assert [case.given_id(found.post_id) for found in source_named(case.name).posts(reading)] == [post(1)["id"]]
    return http, waited


@every_platform
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_tried_again_when_the_platform_says(case, tmp_path, fault):
    response, told = FAULTS[fault]
    whole = case.transport([case.record(post(1))], tmp_path)
    clean, _ = read_through(case, whole, tmp_path)
    for number in range(clean.requests):
        http, waited = read_through(case, failing(whole, number, response), tmp_path)
        assert (http.requests, http.retries) == (clean.requests + 1, 1)
        assert waited == [told] if told else 0 < waited[0] < 1


@every_platform
def test_a_platform_that_stays_down_leaves_the_lake_alone(case, tmp_path):
    case_down = httpx2.MockTransport(lambda request: httpx2.Response(404, json={"message": "no"}))
    settings = settings_at("http://platform.test", tmp_path)
    with pytest.raises(SourceError, match="404"):
        collect(case.name, "games", case.topic(tmp_path), [DAY], settings=settings, params=CollectParams(), now=NOW, transport=case_down)
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.fixture(scope="module")
def busy():
    """Platforms with more posts a day than one query or page can give."""
    world = {
        "now": DAY.end + timedelta(hours=3),
        "hackernews_per_day": 1300,
        "steam_per_day": 320,
        "bluesky_per_day": 320,
        "x_per_day": 320,
        "reddit_per_day": 400,
        "mastodon_per_day": 320,
        "gdelt_per_day": 1300,
    }
    with platforms(**world) as url:
        yield url


@every_past
def test_more_than_a_query_gives_comes_all_the_same(case, busy, tmp_path):
    settings = settings_at(busy, tmp_path)
    arguments = {"settings": settings, "now": NOW}
    whole = collect(case.name, "games", case.topic(tmp_path), [DAY], params=CollectParams(), **arguments)
    lake = Lake(settings.lake)
    ids = lake.read(lake.partition("raw", case.name, "games", DAY))["post_id"].to_pylist()
    hours = collect(
        case.name,
        "games",
        case.topic(tmp_path),
        parse_windows("2026-10-19T00..2026-10-19T23"),
        params=CollectParams(page_size=50, window="hour"),
        **arguments,
    )
    assert len(ids) == len(set(ids)) == whole["rows"] == hours["rows"] > 200
    assert whole["requests"] > whole["rows"] / 100


@every_past
def test_faults_change_no_byte(case, busy, tmp_path):
    arguments = {"params": CollectParams(), "now": NOW}
    clean = collect(case.name, "games", case.topic(tmp_path), [DAY], settings=settings_at(busy, tmp_path / "clean"), **arguments)
    plan_faults(busy, case.name, {1: "503", 2: "truncated", 4: "429-silent", 5: "html"})
    faulty = collect(case.name, "games", case.topic(tmp_path), [DAY], settings=settings_at(busy, tmp_path / "faulty"), **arguments)
    plan_faults(busy, case.name, {})
    assert faulty["retries"] == 4
    assert faulty["sha256"] == clean["sha256"]


@every_source
def test_windows_of_a_range_are_the_same_as_one_by_one(case, tmp_path):
    posts = [post(number, at=START + number * 21_600) for number in range(12)]
    records = [case.record(one) for one in posts]
    days = [Window(DAY.start + timedelta(days=number)) for number in range(3)]
    settings = settings_at("http://platform.test", tmp_path / "range")
    transport = case.transport(records, tmp_path)
    together = collect(case.name, "games", case.topic(tmp_path), days, settings=settings, params=CollectParams(), now=NOW, transport=transport)
    for day in days:
        alone, _ = collected(case, tmp_path, posts, window=day)
        assert alone["rows"] == 4
        assert together["windows"][day.key]["sha256"] == alone["sha256"]
