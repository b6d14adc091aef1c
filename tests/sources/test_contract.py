"""The contract, on every source of ours; and what it takes a simulated platform to see."""

from datetime import timedelta

import pytest

from groundswell.collect import collect
from groundswell.lake import Lake
from groundswell.params import CollectParams
from groundswell.sources import SOURCES
from groundswell.sources.contract import *  # noqa: F403
from groundswell.sources.contract import DAY, NOW, collected, needs, post, rules_for
from groundswell.window import parse_windows
from tests.simulated import plan_faults, platforms, settings_at
from tests.sources.cases import CASES

pytest_generate_tests = rules_for(*CASES)


def test_every_source_has_a_case():
    assert sorted(case.name for case in CASES) == sorted(SOURCES)


def test_an_author_is_another_stranger_to_every_source(tmp_path):
    cases = [case for case in CASES if case.names_authors]
    assert len({collected(case, tmp_path / case.name, [post(1)])[1]["author"][0].as_py() for case in cases}) == len(cases)


@pytest.fixture(scope="module")
def busy():
    """Platforms with more posts a day than one query or page can give."""
    world = {
        "now": DAY.end + timedelta(hours=3),
        "lemmy_per_day": 240,
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


@pytest.mark.slow
@needs("is_past")
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


@pytest.mark.slow
@needs("is_past")
def test_faults_change_no_byte(case, busy, tmp_path):
    arguments = {"params": CollectParams(), "now": NOW}
    clean = collect(case.name, "games", case.topic(tmp_path), [DAY], settings=settings_at(busy, tmp_path / "clean"), **arguments)
    plan_faults(busy, case.name, {1: "503", 2: "truncated", 4: "429-silent", 5: "html"})
    faulty = collect(case.name, "games", case.topic(tmp_path), [DAY], settings=settings_at(busy, tmp_path / "faulty"), **arguments)
    plan_faults(busy, case.name, {})
    assert faulty["retries"] == 4
    assert faulty["sha256"] == clean["sha256"]
