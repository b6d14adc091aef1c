"""score: the DAG that has the champion answer each window of posts."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, task_group
from groundswell_operator import StageOperator

from groundswell.params import load_params
from groundswell.settings import load_settings

RUNBOOK = """
### What it does
Follows the asset `posts`: the champion answers each window that `collect` validated, into `lake/scored`, and the asset `scored` has an event
of the window. A window that is collected again is scored again, and where its posts are the same no byte changes.

### When it fails
- Before the first promotion it skips itself: nobody is champion. Score those windows afterwards:
  `groundswell score --window 2026-10-19..2026-11-01`; the same after a promotion, for windows that the new champion shall answer.
- `… was written anew while its posts were scored`: it is retried, and reads the new ones.
- The registry does not answer: it is retried. *Coverage* shows which windows have no scores, or stale ones.

One window by hand: *Trigger* with its partition key. It may be killed and cleared at any time: it ends in the same bytes.
"""

params = load_params(load_settings())
unit = params.collect.window
posts, scored = Asset("posts"), Asset("scored")

with DAG(
    "score",
    description="Each window of posts, answered by the champion",
    doc_md=RUNBOOK,
    schedule=PartitionedAssetTimetable(assets=posts),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["groundswell"],
) as dag:

    @task_group
    def topic(name):
        StageOperator(
            task_id="score",
            stage="score",
            topic=name,
            options={"spare-missing": True, "if-champion": True},
            windowed=True,
            unit=unit,
            pool="heavy",
            outlets=[scored],
            map_index_template="{{ task.topic }}",
        )

    topic.expand(name=sorted(params.topics))
