"""retrain: the DAG from the lake to a champion that answers."""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable, Param, task
from groundswell_context import topic_of
from groundswell_operator import StageOperator
from groundswell_requests import decided_by, next_step, question

from groundswell.params import load_params
from groundswell.settings import load_settings

RUNBOOK = """
### What it does
Weekly, and whenever `retrain_requested` has an event: every window in the lake? → data set → DistilBERT and its baseline in MLflow →
measured → sealed with DVC, and judged against the champion on the same rows. The verdict PROMOTE asks a person (*Required Actions*), then moves the
alias and waits until serving answers with the new version. HOLD and INCONCLUSIVE end the run here, which is no failure. A promotion has the DAG
`report` write the topic's report anew.

### Approve
*Browse → Required Actions*, or the task `approval`: the verdict's reasons are there. Only the users in `promote.approvers` may
answer; no answer within `promote.approval_timeout_hours` is a rejection. `skip_approval` in this run's parameters leaves the question out.

### When it fails
- `coverage`: the log names the missing windows: backfill them with `collect`, or give `window` a range that is whole.
- `prepare`: too few rows of a class, or one class only: more windows, more labels.
- `train`: see its MLflow run. Clearing it trains again with the same seed on the same data.
- `seal`: the DVC remote is out of reach, or another DVC command holds the repository. Clear it; nothing is promoted that is not sealed.
- `promote`: the registry was out of reach; the alias is where it was. Clear it. Where another run judged since, the verdict that was approved here
  is no more: it is refused, and that run's approval decides.
- `verify`: the alias moved but serving does not answer with it: look at serving's log and `/v1/model` (`trouble`).
  Back to the last champion: `groundswell rollback --by YOU`.
"""

params = load_params(load_settings())
promotion = params.promote

with DAG(
    "retrain",
    description="Data set, training, judgement, approval, promotion",
    doc_md=RUNBOOK,
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 3 * * 1", timezone="UTC"), assets=[Asset("retrain_requested")]),
    catchup=False,
    max_active_runs=1,
    params={
        "topic": Param("", type="string", enum=["", *sorted(params.topics)], description="Empty: the event's, else params.yaml's."),
        "window": Param(
            "", type="string", description="The windows that must be there, A..B; empty: all between the first and the last in the lake."
        ),
        "skip_approval": Param(not promotion.requires_approval, type="boolean", description="Promote without asking a person."),
    },
    user_defined_macros={"question": question, "decided_by": decided_by, "topic_of": topic_of, "default_topic": params.topic},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["groundswell"],
) as dag:

    def stage(name, **kwargs):
        return StageOperator(task_id=name, stage=name, topic="{{ topic_of(params, triggering_asset_events, default_topic) }}", **kwargs)

    coverage = stage("coverage", options={"window": "{{ params.window }}", "require": True})
    prepare = stage("prepare", pool="heavy")
    train = stage("train", pool="heavy")
    evaluate = stage("evaluate", pool="heavy")
    seal = stage("seal", pool="seal")
    judge = stage("judge", pool="heavy")

    @task.branch
    def decide(verdict, *, params):
        return next_step(verdict, is_approval_required=not params["skip_approval"])

    approval = ApprovalOperator(
        task_id="approval",
        subject="Promote version {{ ti.xcom_pull(task_ids='judge')['challenger_version'] }}?",
        body="{{ question(ti.xcom_pull(task_ids='judge')) }}",
        defaults="Reject",
        response_timeout=timedelta(hours=promotion.approval_timeout_hours),
        assigned_users=[{"id": name, "name": name} for name in promotion.approvers],
    )
    approved = {"by": "{{ decided_by(ti, dag_run) }}", "verdict": "{{ ti.xcom_pull(task_ids='judge')['digest'] }}"}
    promote = stage("promote", options=approved, trigger_rule="none_failed_min_one_success", outlets=[Asset("promoted")])
    verify = stage("verify", options={"version": "{{ ti.xcom_pull(task_ids='promote')['champion_version'] }}"})

    decided = decide(judge.output)
    coverage >> prepare >> train >> evaluate >> [seal, judge] >> decided >> [approval, promote]
    approval >> promote >> verify
