"""takedown: the DAG that takes back what platforms show no longer, and what is older than it may be."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task_group
from groundswell_operator import StageOperator

from groundswell.params import load_params
from groundswell.settings import load_settings

RUNBOOK = """
### What it does
Every day at 05:00 UTC, a topic after the other: `takedown` asks the platforms whether posts of the last `takedown.days` days are still
there, `takedown.posts_per_run` of each source a day in turn, and erases those that are gone, everywhere (docs/rights.md). `retain` removes
partitions older than `retain.<layer>_days`; 0, the default, keeps them. Both leave receipts under `var/rights/receipts`.

### When it fails
- A platform was down or limits were reached: the others were asked and erased all the same. It is retried; missed posts have their turn again.
- `… of … posts are said to be gone`: more than `takedown.max_gone_share`, which looks like an outage. Nothing of that source was erased. Look at the
  platform; if the posts are gone, raise the share for one run.
- `files still hold traces`: the receipt names files that no stage makes again. Clean them by hand, then clear the task.

It may be killed and cleared at any time: an erasure that was begun is finished by the next one.
"""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""As in collect: the demo starts nothing by itself."""

settings = load_settings()
params = load_params(settings)

with DAG(
    "takedown",
    description="What platforms show no longer goes from here too; what is too old goes",
    doc_md=RUNBOOK,
    schedule=CronTriggerTimetable("0 5 * * *", timezone="UTC"),
    end_date=LONG_AGO if settings.is_demo else None,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": 2, "max_retry_delay": timedelta(hours=1)},
    tags=["groundswell"],
) as dag:

    @task_group
    def topic(name):
        # In the pool of one slot that sealing has: an erasure seals again.
        shared = {"topic": name, "pool": "seal", "map_index_template": "{{ task.topic }}"}
        StageOperator(task_id="takedown", stage="takedown", **shared) >> StageOperator(
            task_id="retain", stage="retain", trigger_rule="all_done", **shared
        )

    topic.expand(name=sorted(params.topics))
