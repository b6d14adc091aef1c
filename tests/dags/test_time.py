"""One helper reads a run's dates; nothing else in dags/ or plugins/ does."""

import ast
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from groundswell_context import earlier_of, partition_of, topic_of, topics_of

from tests.dags.airflow_home import PROJECT

THE_HELPER = "groundswell_context.py"
FORBIDDEN = {"now", "utcnow", "today", "logical_date", "execution_date", "data_interval_start", "data_interval_end", "data_interval", "run_after"}
MAY_PASS_ON = {("groundswell_requests.py", "logical_date"), ("groundswell_plugin.py", "now")}
"""File and word: Airflow's operator must be told that the run which it starts has no logical date; a page says when it was made."""


def run_with(**known):
    given = {"conf": {}, "partition_key": None, "data_interval_start": None, "data_interval_end": None, "run_after": None, "run_id": "a_run"}
    return {"dag_run": SimpleNamespace(**{**given, **known})}


MIDNIGHT = datetime(2026, 10, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run", "key"),
    [
        ({"conf": {"window": "2026-10-01"}, "partition_key": "2026-10-19", "run_after": MIDNIGHT}, "2026-10-01"),
        ({"conf": {"window": "2026-10-01..2026-10-03"}}, "2026-10-01..2026-10-03"),
        ({"conf": None, "partition_key": "2026-10-19", "run_after": datetime(2030, 1, 1, tzinfo=UTC)}, "2026-10-19"),
        ({"data_interval_start": MIDNIGHT, "data_interval_end": datetime(2026, 10, 21, tzinfo=UTC), "run_after": MIDNIGHT}, "2026-10-20"),
        ({"data_interval_start": MIDNIGHT, "data_interval_end": MIDNIGHT, "run_after": MIDNIGHT}, "2026-10-19"),
        ({"run_after": datetime(2026, 10, 20, 17, 30, tzinfo=UTC)}, "2026-10-19"),
        ({"run_after": "2026-10-20T00:00:00+00:00"}, "2026-10-19"),
    ],
)
def test_the_window_of_a_run(run, key):
    assert partition_of(run_with(**run)) == key


def test_an_hour_when_windows_are_hours():
    assert partition_of(run_with(run_after=datetime(2026, 10, 20, 0, 30, tzinfo=UTC)), "hour") == "2026-10-19T23"
    assert partition_of(run_with(partition_key="2026-10-19T05"), "hour") == "2026-10-19T05"


@pytest.mark.parametrize(("unit", "key"), [("day", "2026-10-16"), ("hour", "2026-10-16T00..2026-10-16T23")])
def test_the_windows_of_an_earlier_day(unit, key):
    assert earlier_of(run_with(partition_key="2026-10-19"), unit, 3) == key


@pytest.mark.parametrize(("key", "unit"), [("2026-10-19T05", "day"), ("2026-10-19", "hour")])
def test_a_window_of_the_other_length_fails_for_good(key, unit):
    """Both lengths side by side in one lake would count a post twice."""
    with pytest.raises(AirflowFailException, match=f"is no {unit}"):
        partition_of(run_with(partition_key=key), unit)


@pytest.mark.parametrize("key", ["yesterday", "2026-02-30", "2026-10-19..2026-10-01", "../2026-10-19"])
def test_a_key_that_names_no_window_fails_for_good(key):
    with pytest.raises(AirflowFailException, match="a_run: window"):
        partition_of(run_with(conf={"window": key}))


def events(*topics):
    return {"posts": [SimpleNamespace(extra={"topic": topic} if topic else {}) for topic in topics]}


def test_the_topic_of_a_run():
    assert topic_of({"topic": "films"}, events("games"), "news") == "films"
    assert topic_of({"topic": ""}, events("games"), "news") == "games"
    assert topic_of({}, None, "news") == "news"
    assert topics_of(events("games", None, "films", "games")) == ["games", "films"]


@pytest.mark.parametrize("path", sorted([*(PROJECT / "dags").glob("*.py"), *(PROJECT / "plugins").glob("*.py")]), ids=lambda path: path.name)
def test_nobody_else_reads_dates(path):
    words = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.keyword(arg=str(name)):
                words.add(name)
            case ast.Constant(value=str(text)):
                words |= {word for word in FORBIDDEN if "{{" in text and word in text}
    found = {(path.name, word) for word in words & FORBIDDEN} - MAY_PASS_ON
    assert path.name == THE_HELPER or not found
