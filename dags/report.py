"""report: the DAG that writes a topic's report anew where something in it has changed, and once a week."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable, task_group
from groundswell_operator import StageOperator

from groundswell.params import load_params
from groundswell.settings import load_settings

RUNBOOK = """
### What it does
After each comparison (the asset `compared`) and each promotion (`promoted`) the report of that topic is written anew; every Monday at 06:00 UTC
those of all topics, for what changes day by day: drift, the last verdict, a study. *Report* on the task's page shows it; the same files
lie in the champion's MLflow run (docs/stages/report.md).

### When it fails
- The registry was out of reach: it is retried. What is missing from a report fails nothing: it says so in its place.
- *expected JSON, found what can't be read*: another stage's report is torn; the message names it. Run that stage again, then clear this.

It may be killed and cleared at any time; nothing waits for it.
"""

params = load_params(load_settings())

with DAG(
    "report",
    description="The whole report of each topic: weekly, after a comparison, after a promotion",
    doc_md=RUNBOOK,
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 6 * * 1", timezone="UTC"), assets=Asset("compared") | Asset("promoted")),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["groundswell"],
) as dag:

    @task_group
    def topic(name):
        StageOperator(task_id="report", stage="report", topic=name, pool="heavy", map_index_template="{{ task.topic }}")

    topic.expand(name=sorted(params.topics))
