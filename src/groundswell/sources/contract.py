"""The contract of a source: the rules that every one of them keeps, as tests.

For whoever writes a source: describe in a `Case` how posts that a test invents look on its wire, and have pytest find the rules:

    pytest.register_assert_rewrite("groundswell.sources.contract")
    from groundswell.sources.contract import *
    pytest_generate_tests = rules_for(MyCase())

They collect into a folder of the test's own, from a transport of the case's own; nothing is asked over a network. Needs pytest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import httpx2
import pyarrow.parquet as pq
import pytest

from groundswell.collect import collect
from groundswell.errors import SourceError
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.params import CollectParams
from groundswell.schema import POST
from groundswell.settings import Settings
from groundswell.sources import source_named
from groundswell.sources.base import Reading
from groundswell.window import Window

DAY = Window.parse("2026-10-19")
START = int(DAY.start.timestamp())
NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOON = START + 43_200


class Case:
    """A source and its wire; what most platforms have in common. A case has ``name``, and besides:

    ``topic(home)``: a `Topic` with the source's section; ``record(post)``: a `post` as the platform has it; ``body(records)``: the JSON of
    an answer with them all; ``broken``: (reason, change of a record's keys) of records that can be no post. Where the platform has pages,
    ``page(records, request)``: the JSON of the page that ``request`` asks for, of three records at most.
    """

    is_remote = True
    names_authors = True
    is_simulated = True
    """Whether groundswell.simulator has routes for it."""
    broken = ()
    page = None

    def settings(self, home) -> Settings:
        """Addresses and credentials, and a lake under ``home``."""
        return Settings(project=home, home=home, pseudonym_key="a-key-that-only-the-tests-know")

    def given_id(self, post_id):
        """The id that the test gave a post, from the one that it has in the lake."""
        return post_id

    def arrives(self, text):
        """What of a text its wire can carry."""
        return text.replace("\ud83d", "\ufffd")

    def transport(self, records, home) -> httpx2.BaseTransport:
        """A platform that has ``records`` and nothing else."""
        return httpx2.MockTransport(lambda request: answer(self.body(records)))


def answer(body):
    """A JSON answer; ASCII-escaped as real services do it, so that it can hold anything."""
    return httpx2.Response(200, content=json.dumps(body).encode(), headers={"content-type": "application/json"})


def needs(trait: str):
    """A rule for those cases only of which ``trait`` is true."""

    def mark(rule):
        rule.needs = trait
        return rule

    return mark


def rules_for(*cases: Case):
    """A ``pytest_generate_tests`` that runs every rule on every one of ``cases`` that it is for."""

    def pytest_generate_tests(metafunc):
        if "case" in metafunc.fixturenames:
            trait = getattr(metafunc.function, "needs", "name")
            metafunc.parametrize("case", [case for case in cases if getattr(case, trait)], ids=lambda case: case.name)

    return pytest_generate_tests


def post(number, at=NOON, **changes):
    """A post that a test invents, in no platform's words."""
    return {"id": f"1844674407370955{number:04d}", "at": at, "author": f"sly_otter{number}", "text": f"level {number} was a joy", **changes}


def collected(case, home, posts, window=DAY, params=None, records=None):
    """Report and table of ``window`` after ``collect`` from a platform that has ``posts``."""
    records = records if records is not None else [case.record(one) for one in posts]
    settings = case.settings(home)
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


def test_a_source_says_who_it_is(case):
    source = source_named(case.name)
    assert (source.name, source.version >= 1) == (case.name, True)


def test_the_same_window_gives_the_same_bytes(case, tmp_path):
    posts = [post(number, at=NOON + number % 3) for number in range(9)]
    first, _ = collected(case, tmp_path / "a", posts)
    again, _ = collected(case, tmp_path / "a", posts)
    elsewhere, _ = collected(case, tmp_path / "b", posts[::-1])
    assert first["sha256"] == again["sha256"] == elsewhere["sha256"] == sha256(tmp_path / "b", case)


def test_a_window_is_half_open(case, tmp_path):
    times = {1: START - 1, 2: START, 3: START + 86_399, 4: START + 86_400}
    _, table = collected(case, tmp_path, [post(number, at=at) for number, at in times.items()])
    assert [text for text in table["text"].to_pylist()] == ["level 2 was a joy", "level 3 was a joy"]


@pytest.mark.parametrize("cuts", [[1], [NOON - START], [NOON - START + 1, NOON - START + 2], [10, 43_203, 86_399]])
def test_the_parts_of_a_window_are_the_window(case, tmp_path, cuts):
    posts = [post(number, at=at) for number, at in enumerate([START, *range(NOON - 2, NOON + 6), START + 86_399])]
    transport, settings = case.transport([case.record(one) for one in posts], tmp_path), case.settings(tmp_path)
    found, bounds = [], [START, *(START + cut for cut in cuts), START + 86_400]
    with Http(transport=transport, sleep=lambda seconds: None, clock=lambda: START) as http:
        for first, last in pairwise(datetime.fromtimestamp(bound, UTC) for bound in bounds):
            reading = Reading(getattr(case.topic(tmp_path), case.name), first, last, settings, CollectParams(), http)
            found += {case.given_id(one.post_id) for one in source_named(case.name).posts(reading)}
    assert sorted(found) == [one["id"] for one in posts]


@needs("page")
def test_every_page_is_asked_for(case, tmp_path):
    posts = [post(number, at=NOON + number) for number in range(10)]
    records, settings = [case.record(one) for one in posts], case.settings(tmp_path)
    transport = httpx2.MockTransport(lambda request: answer(case.page(records, request)))
    report = collect(case.name, "games", case.topic(tmp_path), [DAY], settings=settings, params=CollectParams(), now=NOW, transport=transport)
    assert (report["rows"], +Counter(report["dropped"])) == (10, Counter())


def test_rows_are_canonical_and_sorted(case, tmp_path):
    report, table = collected(case, tmp_path, [post(3), post(1), post(2, at=NOON - 5)])
    assert table.schema.equals(POST)
    assert table.to_pylist() == sorted(table.to_pylist(), key=lambda row: (row["created_at"], row["post_id"]))
    assert ids(case, table)[0] == post(2)["id"] and sorted(ids(case, table)[1:]) == [post(1)["id"], post(3)["id"]]
    assert set(table["fetched_at"].to_pylist()) == {DAY.end}
    assert report["rows"] == 3 and report["window"] == DAY.key


@needs("names_authors")
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


@needs("names_authors")
def test_an_author_is_the_same_stranger_every_day(case, tmp_path):
    _, monday = collected(case, tmp_path, [post(1)])
    _, tuesday = collected(case, tmp_path, [post(2, at=NOON + 86_400, author=post(1)["author"])], window=DAY.next())
    assert monday["author"] == tuesday["author"]


def test_an_empty_window_is_a_file(case, tmp_path):
    report, table = collected(case, tmp_path, [post(1, at=NOON + 86_400)])
    assert (table.num_rows, report["rows"]) == (0, 0)
    assert table.schema.equals(POST)
    footer = pq.read_metadata(next(tmp_path.rglob("part-0.parquet"))).metadata[b"groundswell"]
    assert json.loads(footer)["status"] == "complete"


@needs("is_remote")
def test_a_platform_without_posts_is_no_error(case, tmp_path):
    assert collected(case, tmp_path, [])[0]["rows"] == 0


@needs("is_remote")
def test_a_post_that_comes_twice_is_one_row(case, tmp_path):
    report, table = collected(case, tmp_path, [post(1), post(2), post(1)])
    assert table.num_rows == 2
    assert report["dropped"] == {"duplicate_id": 1}


def test_ids_stay_strings(case, tmp_path):
    _, table = collected(case, tmp_path, [post(615, id="18446744073709551615")])
    assert ids(case, table) == ["18446744073709551615"]


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


@needs("is_remote")
def test_broken_records_are_counted_not_fatal(case, tmp_path):
    records = [case.record(post(number)) | change for number, (_, change) in enumerate(case.broken)]
    report, table = collected(case, tmp_path, [], records=[*records, case.record(post(900)), "no object", None])
    assert ids(case, table) == [post(900)["id"]]
    assert report["dropped"] == Counter([reason for reason, _ in case.broken] + ["no_id", "no_id"])


@needs("is_remote")
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
    reading = Reading(section, DAY.start, DAY.end, case.settings(home), CollectParams(), http)
    assert [case.given_id(found.post_id) for found in source_named(case.name).posts(reading)] == [post(1)["id"]]
    return http, waited


@needs("is_remote")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_tried_again_when_the_platform_says(case, tmp_path, fault):
    response, told = FAULTS[fault]
    whole = case.transport([case.record(post(1))], tmp_path)
    clean, _ = read_through(case, whole, tmp_path)
    for number in range(clean.requests):
        http, waited = read_through(case, failing(whole, number, response), tmp_path)
        assert (http.requests, http.retries) == (clean.requests + 1, 1)
        assert waited == [told] if told else 0 < waited[0] < 1


@needs("is_remote")
def test_a_platform_that_stays_down_leaves_the_lake_alone(case, tmp_path):
    case_down = httpx2.MockTransport(lambda request: httpx2.Response(404, json={"message": "no"}))
    settings = case.settings(tmp_path)
    with pytest.raises(SourceError, match="404"):
        collect(case.name, "games", case.topic(tmp_path), [DAY], settings=settings, params=CollectParams(), now=NOW, transport=case_down)
    assert not list(tmp_path.rglob("*.parquet"))


def test_windows_of_a_range_are_the_same_as_one_by_one(case, tmp_path):
    posts = [post(number, at=START + number * 21_600) for number in range(12)]
    records = [case.record(one) for one in posts]
    days = [Window(DAY.start + timedelta(days=number)) for number in range(3)]
    settings = case.settings(tmp_path / "range")
    transport = case.transport(records, tmp_path)
    together = collect(case.name, "games", case.topic(tmp_path), days, settings=settings, params=CollectParams(), now=NOW, transport=transport)
    for day in days:
        alone, _ = collected(case, tmp_path, posts, window=day)
        assert alone["rows"] == 4
        assert together["windows"][day.key]["sha256"] == alone["sha256"]
