"""monitor: the DAG that holds each window of posts against what the champion was trained on."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task_group
from groundswell_operator import StageOperator
from groundswell_requests import RequestRetrainOperator

from groundswell.params import load_params
from groundswell.settings import load_settings

RUNBOOK = """
### What it does
Follows the asset `posts`: each window that `collect` validated gets an Evidently report against the champion's reference profile (*Drift
report*) and a decision with its reasons. Only where the decision is drift, `request_retrain` has an event of `retrain_requested` and
starts `retrain`, once a window and topic.

### When it fails
- Nothing to compare with: before the first promotion it ends well and says `no_champion`; there is no page.
- It runs again for a window whenever the window is collected again. One window by hand: *Trigger* with its partition key.

Drift that you know about and accept: retrain, or raise `monitor.effect_size` / `monitor.persistence_windows` in params.yaml.
"""

params = load_params(load_settings())
unit = params.collect.window
posts, retrain_requested = Asset("posts"), Asset("retrain_requested")

with DAG(
    "monitor",
    description="Each window of posts against the champion's reference: drift, or none",
    doc_md=RUNBOOK,
    schedule=PartitionedAssetTimetable(assets=posts),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["groundswell"],
) as dag:

    @task_group
    def topic(name):
        monitor = StageOperator(
            task_id="monitor", stage="monitor", topic=name, windowed=True, unit=unit, pool="heavy", map_index_template="{{ task.topic }}"
        )
        request = RequestRetrainOperator(
            task_id="request_retrain",
            topic=name,
            unit=unit,
            trigger_dag_id="retrain",
            outlets=[retrain_requested],
            map_index_template="{{ task.topic }}",
        )
        monitor >> request

    topic.expand(name=sorted(params.topics))
