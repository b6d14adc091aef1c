"""What people and other runs are asked: the approval of a promotion, and a retraining.

The texts and decisions around Airflow's own operators, as functions that DAG files name.
"""

from __future__ import annotations

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowSkipException
from groundswell_context import partition_of
from groundswell_links import RequestedRunLink
from groundswell_operator import event_of

from groundswell.window import parse_windows

_LOOK_BACK = 100
"""So many windows before the present one may have a retraining in the queue: days or hours, more than an approval may take."""


def next_step(verdict: dict, *, is_approval_required: bool) -> str | list[str]:
    """The task after `judge`: ``approval`` or ``promote`` for the verdict PROMOTE, none for any other."""
    if verdict.get("verdict") != "PROMOTE":
        return []
    return "approval" if is_approval_required else "promote"


def question(verdict: dict) -> str:
    """What the approver reads, as Markdown: the judge's summary, and what their answer does."""
    return f"""{verdict["summary"]}
**Approve** makes version {verdict["challenger_version"]} the champion; **Reject**, and no answer in time, changes nothing.

Digest of the verdict, for the ledger: `{verdict["digest"]}`
"""


def decided_by(task_instance, dag_run) -> str:
    """Who answers for a promotion: the approver; where no approval was needed, whoever started the run, else the schedule."""
    answer = task_instance.xcom_pull(task_ids="approval") or {}
    approver = answer.get("responded_by_user") or {}
    return approver.get("name") or approver.get("id") or f"{dag_run.triggering_user_name or dag_run.run_type} (no approval required)"


class RequestRetrainOperator(TriggerDagRunOperator):
    """Where the window's monitor decided that there is drift: an event of the outlet asset, and a run of ``trigger_dag_id``.

    Both, because Airflow 3.3 gives every event of a partitioned run its partition key, and starts only partitioned DAGs from such
    events; the key that this event always bears also keeps it from starting a second run. One request a window and topic: a window
    that is monitored again asks for nothing new. Nor does one whose drift has lasted, while an earlier window's run has not begun:
    that will train on everything in the lake, this window too. A run that has begun may have left it out, so that does not count.
    """

    operator_extra_links = (RequestedRunLink(),)
    template_fields = (*TriggerDagRunOperator.template_fields, "topic")

    def __init__(self, *, topic: str, unit: str, **kwargs):
        super().__init__(logical_date=None, skip_when_already_exists=True, **kwargs)
        self.topic = topic
        self.unit = unit

    def execute(self, context):
        ti = context["ti"]
        report = ti.xcom_pull(task_ids=ti.task_id.replace("request_retrain", "monitor"), map_indexes=ti.map_index) or {}
        if not report.get("is_drift"):
            raise AirflowSkipException("no drift: nothing to request")
        window = partition_of(context, self.unit)
        if self._is_queued(ti, window):
            raise AirflowSkipException(f"an earlier window's retraining of {self.topic} is in the queue and will see {window} too")
        for asset in self.outlets:
            event = context["outlet_events"][asset]
            event.extra = event_of(report)
            event.add_partitions(window)
        self.trigger_run_id = self._run_id(window)
        self.conf = {"topic": self.topic}
        self.note = f"drift in {window}: {'; '.join(report.get('reasons', []))}"[:1000]
        super().execute(context)

    def _is_queued(self, ti, window: str) -> bool:
        """Whether the run that one of the windows before asked for has not begun yet."""
        [each, *_] = parse_windows(window)
        earlier = [each := each.previous() for _ in range(_LOOK_BACK)]
        return ti.get_dr_count(self.trigger_dag_id, run_ids=[self._run_id(one.key) for one in earlier], states=["queued"]) > 0

    def _run_id(self, window: str) -> str:
        return f"drift__{self.topic}__{window}"
