"""What follows validation: the announcement, what it says, and when there is none; the marking after a revision."""

from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from groundswell_announce import AnnounceOperator, ImpactOperator

from tests.dags.test_operator import context

POSTS = Asset("posts")


def announced(report, params=None, **options):
    """Windows and extra of the event after ``validate`` reported ``report``."""

    def xcom_pull(task_ids, map_indexes):
        return {("topic.validate", 2): report}[task_ids, map_indexes]

    seen = {**context(**(params or {})), "ti": SimpleNamespace(task_id="topic.announce", map_index=2, xcom_pull=xcom_pull)}
    AnnounceOperator(task_id="announce", topic="games", outlets=[POSTS], **options).execute(seen)
    event = seen["outlet_events"][POSTS]
    return event.keys, event.extra


def report(*changed, **more):
    partitions = {"steam/games/2026-10-18": {"raw": {"rows": 4}, "valid": {"rows": 3, "content_sha256": "ab"}}}
    return {"stage": "validate", "topic": "games", "rows_valid": 3, "partitions": partitions, "changed": list(changed), **more}


def test_a_window_is_announced_with_its_rows_and_hashes():
    windows, extra = announced(report())
    assert windows == [["2026-10-19"]]
    assert extra["partitions"] == {"steam/games/2026-10-18": {"rows": 3, "content_sha256": "ab"}}


def test_a_report_that_was_too_large_for_an_xcom_is_announced_all_the_same():
    assert announced(report() | {"partitions": "left out here for its size: see the stage's report under var/reports"})[1] == {
        "stage": "validate",
        "topic": "games",
        "rows_valid": 3,
    }


def test_a_run_that_wakes_nobody_skips_it():
    with pytest.raises(AirflowSkipException, match="no_downstream"):
        announced(report("steam/games/2026-10-19"), {"no_downstream": True})


def test_only_news_are_told_of():
    changed = ("steam/games/2026-10-18", "hackernews/games/2026-10-18")
    assert announced(report(*changed), only_news=True, days_back=1)[0] == [["2026-10-18"]]
    with pytest.raises(AirflowSkipException, match="no news"):
        announced(report(try_number=1), only_news=True, days_back=1)


@pytest.mark.parametrize("found", [{"revised": ["steam/games/2026-10-19"]}, {"revised": [], "try_number": 2}])
def test_what_was_revised_is_looked_up_and_marked(monkeypatch, found):
    monkeypatch.setenv("GROUNDSWELL_STAGE_INTERPRETER", "echo")
    seen = {**context(), "ti": SimpleNamespace(task_id="topic.impact", map_index=0, try_number=1, xcom_pull=lambda **_: found)}
    words = ImpactOperator(task_id="impact", topic="games").command(seen)
    assert words[3:] == ["impact", "--topic", "games", "--mark", "--window", "2026-10-19"]
    with pytest.raises(AirflowException, match="no report.*impact --topic games --mark"):
        ImpactOperator(task_id="impact", topic="games").execute(seen)


def test_without_a_revision_nothing_is_looked_up():
    seen = {**context(), "ti": SimpleNamespace(task_id="topic.impact", map_index=0, xcom_pull=lambda **_: {"changed": ["new"], "revised": []})}
    with pytest.raises(AirflowSkipException, match="revised nothing"):
        ImpactOperator(task_id="impact", topic="games").execute(seen)


def test_in_doubt_everything_is_told_of():
    assert announced(report(try_number=2), only_news=True, days_back=1)[0] == [["2026-10-18"]]
    too_many = report() | {"changed": "left out here for its size: see the stage's report under var/reports"}
    assert announced(too_many, only_news=True, days_back=1)[0] == [["2026-10-18"]]
    hours = announced(report(try_number=2), only_news=True, days_back=3, unit="hour")[0][0]
    assert (hours[0], hours[-1], len(hours)) == ("2026-10-16T00", "2026-10-16T23", 24)
