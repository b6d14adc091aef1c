"""Approval and retraining: what is asked, who decided, and that only drift asks for a new model."""

from types import SimpleNamespace

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException
from groundswell_requests import RequestRetrainOperator, decided_by, next_step, question

from tests.dags.test_operator import context

VERDICT = {"verdict": "PROMOTE", "summary": "**PROMOTE**: version 7\n", "challenger_version": "7", "digest": "d1"}


@pytest.mark.parametrize(
    ("verdict", "is_approval_required", "task"),
    [("PROMOTE", True, "approval"), ("PROMOTE", False, "promote"), ("HOLD", False, []), ("INCONCLUSIVE", True, []), (None, False, [])],
)
def test_only_promote_goes_on(verdict, is_approval_required, task):
    assert next_step({"verdict": verdict}, is_approval_required=is_approval_required) == task


def test_the_question_has_the_reasons_and_what_the_answers_do():
    asked = question(VERDICT)
    assert "**PROMOTE**: version 7" in asked
    assert "no answer in time, changes nothing" in asked
    assert "`d1`" in asked


@pytest.mark.parametrize(
    ("answer", "user", "by"),
    [
        ({"responded_by_user": {"id": "alice", "name": "Alice"}}, "bob", "Alice"),
        ({"responded_by_user": {"id": "alice", "name": None}}, "bob", "alice"),
        (None, "bob", "bob (no approval required)"),
        (None, None, "scheduled (no approval required)"),
    ],
)
def test_somebody_answers_for_every_promotion(answer, user, by):
    task_instance = SimpleNamespace(xcom_pull=lambda task_ids: answer)
    assert decided_by(task_instance, SimpleNamespace(triggering_user_name=user, run_type="scheduled")) == by


def request(report, queued=()):
    """``queued``: the ids of runs of `retrain` that have not begun yet."""
    asset, seen = Asset("retrain_requested"), context()
    seen["ti"] = SimpleNamespace(
        task_id="topic.request_retrain",
        map_index=0,
        xcom_pull=lambda task_ids, map_indexes: report if task_ids == "topic.monitor" else None,
        get_dr_count=lambda dag_id, run_ids, states: len({*run_ids} & {*queued}) if (dag_id, states) == ("retrain", ["queued"]) else 0,
    )
    task = RequestRetrainOperator(task_id="request_retrain", topic="games", unit="day", trigger_dag_id="retrain", outlets=[asset])
    return asset, seen, task


@pytest.mark.parametrize("report", [None, {}, {"is_drift": False}])
def test_no_drift_asks_for_nothing(report):
    asset, seen, task = request(report)
    with pytest.raises(AirflowSkipException):
        task.execute(seen)
    assert not seen["outlet_events"]


def test_where_an_earlier_window_has_its_retraining_in_the_queue_nothing_more_is_asked():
    asset, seen, task = request({"is_drift": True}, queued=["drift__games__2026-10-17"])
    with pytest.raises(AirflowSkipException, match="an earlier window's retraining of games is in the queue"):
        task.execute(seen)
    assert not seen["outlet_events"]


@pytest.mark.parametrize("queued", ["drift__films__2026-10-18", "drift__games__2026-10-19", "manual__2026-10-18"])
def test_other_topics_and_the_window_itself_stand_in_nobodys_way(queued):
    _, seen, task = request({"is_drift": True}, queued=[queued])
    with pytest.raises(DagRunTriggerException):
        task.execute(seen)


def test_drift_asks_once_a_window_and_topic():
    asset, seen, task = request({"is_drift": True, "topic": "games", "window": "2026-10-19", "reasons": ["length moved"]})
    with pytest.raises(DagRunTriggerException) as asked:
        task.execute(seen)
    assert (asked.value.trigger_dag_id, asked.value.dag_run_id) == ("retrain", "drift__games__2026-10-19")
    assert asked.value.conf == {"topic": "games"}
    assert asked.value.logical_date is None
    assert asked.value.skip_when_already_exists
    event = seen["outlet_events"][asset]
    assert event.keys == ["2026-10-19"], "an event with a key starts no second run"
    assert event.extra["topic"] == "games"
