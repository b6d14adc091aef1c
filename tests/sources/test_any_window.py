"""Any window, cut anywhere, under any faults: the same posts as the whole window undisturbed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.errors import SourceError
from groundswell.http import Http
from groundswell.params import CollectParams
from groundswell.simulator.drift import RECORDS
from groundswell.simulator.faults import PASSING
from groundswell.sources import source_named
from groundswell.sources.base import Reading
from tests.simulated import plan_faults, platforms, settings_at
from tests.sources.cases import CASES

START = datetime(2026, 10, 19, tzinfo=UTC)
DAY_SECONDS = 86_400
FAULTS = tuple(fault for fault in PASSING if fault != "slow")

every_platform = pytest.mark.parametrize("case", [case for case in CASES if case.is_past], ids=lambda case: case.name)
every_platform_with_records = pytest.mark.parametrize(
    "case", [case for case in CASES if case.is_past and case.name in RECORDS], ids=lambda case: case.name
)
pytestmark = pytest.mark.slow
few = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def url():
    with platforms(now=START + timedelta(hours=28)) as address:
        yield address


def read(case, url, home, start, end, page_size=40, dropped=None):
    """(id, text, time) of what the source finds in ``[start, end)`` seconds of the day, in its own order; it never really waits."""
    moments = (START + timedelta(seconds=start), START + timedelta(seconds=end))
    with Http(attempts=12, sleep=lambda seconds: None) as http:
        section = getattr(case.topic(home), case.name)
        reading = Reading(section, *moments, settings_at(url, home), CollectParams(page_size=page_size), http)
        found = [(found.post_id, found.text, found.created_at) for found in source_named(case.name).posts(reading)]
        if dropped is not None:
            dropped.update(reading.dropped)
        return found


@pytest.fixture(scope="module")
def whole(url, tmp_path_factory):
    """Source → what an undisturbed reading of the whole day finds, read once."""
    found = {}

    def of(case):
        if case.name not in found:
            plan_faults(url, case.name, {})
            found[case.name] = read(case, url, tmp_path_factory.mktemp(case.name), 0, DAY_SECONDS)
        return found[case.name]

    return of


@every_platform
@few
@given(cuts=st.sets(st.integers(1, DAY_SECONDS - 1), min_size=1, max_size=4), page_size=st.sampled_from([10, 25, 100]))
def test_the_parts_of_a_window_are_the_window(case, url, whole, tmp_path, cuts, page_size):
    bounds = [0, *sorted(cuts), DAY_SECONDS]
    parts = [read(case, url, tmp_path, start, end, page_size) for start, end in zip(bounds, bounds[1:], strict=False)]
    found = [post for part in parts for post in set(part)]
    assert len(found) == len(set(found)), "a post is in two parts"
    assert set(found) == set(whole(case))


@every_platform
@few
@given(plan=st.dictionaries(st.integers(1, 8), st.sampled_from(FAULTS), max_size=6))
def test_no_fault_takes_a_post_away_or_adds_one(case, url, whole, tmp_path, plan):
    expected = whole(case)
    plan_faults(url, case.name, plan)
    try:
        assert set(read(case, url, tmp_path, 0, DAY_SECONDS)) == set(expected)
    finally:
        plan_faults(url, case.name, {})


@every_platform
def test_there_is_something_to_lose(case, whole):
    assert len(whole(case)) > 50


@every_platform_with_records
@pytest.mark.parametrize("drift", ["new-field", "out-of-window"])
def test_what_comes_on_top_of_the_records_takes_none_away(case, url, whole, tmp_path, drift):
    """The same posts, or an error: X counts what it sends, and a page with one more is refused."""
    expected = whole(case)
    plan_faults(url, case.name, dict.fromkeys(range(1, 30), drift))
    try:
        found = read(case, url, tmp_path, 0, DAY_SECONDS)
    except SourceError as error:
        assert (case.name, drift) == ("x", "out-of-window"), error
        return
    finally:
        plan_faults(url, case.name, {})
    assert set(found) == set(expected)


@every_platform_with_records
@pytest.mark.parametrize("drift", ["missing-key", "type-change"])
def test_records_that_can_not_be_read_are_never_just_not_there(case, url, whole, tmp_path, drift):
    """An error, or what was dropped is counted, all of it."""
    expected, dropped = whole(case), Counter()
    plan_faults(url, case.name, dict.fromkeys(range(1, 30), drift))
    try:
        found = read(case, url, tmp_path, 0, DAY_SECONDS, dropped=dropped)
    except SourceError:
        return
    finally:
        plan_faults(url, case.name, {})
    assert len(set(found)) + sum(dropped.values()) >= len(set(expected))
