"""Windows: keys, ranges, and what can't be one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import WindowError
from groundswell.window import Window, parse_windows

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@given(MOMENTS, st.sampled_from(["day", "hour"]))
def test_a_key_names_its_window_and_a_moment_lies_in_it(moment, unit):
    window = Window.of(moment, unit)
    assert Window.parse(window.key) == window
    assert window.start <= moment < window.end
    assert window.next().previous() == window


def test_the_path_of_a_day_and_of_an_hour():
    assert Window.parse("2026-10-19").path == "date=2026-10-19"
    assert Window.parse("2026-10-19T05").path == "date=2026-10-19/hour=05"


def test_a_range_has_both_ends():
    assert [window.key for window in parse_windows("2026-10-30..2026-11-02")] == ["2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02"]
    assert len(parse_windows("2026-10-30T22..2026-10-31T01")) == 4
    assert len(parse_windows("2026-10-30")) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-02-30", "no date"),
        ("yesterday", "expected a UTC day"),
        ("2026-1-1", "expected a UTC day"),
        ("2026-11-02..2026-11-01", "ends before it starts"),
        ("2026-11-01..2026-11-01T05", "one end is a day"),
        ("2026-11-01T24", "no date"),
        ("", "expected a UTC day"),
    ],
)
def test_what_is_no_window_says_why(text, why):
    with pytest.raises(WindowError, match=why):
        parse_windows(text)


def test_a_window_must_be_over():
    window = Window.parse("2026-10-19")
    window.require_over(window.end)
    with pytest.raises(WindowError, match="after now"):
        window.require_over(window.end - timedelta(seconds=1))
