"""watch: the DAG that reads feeds in the course of the day, before what they show is gone."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, DeltaTriggerTimetable, task_group
from groundswell_operator import StageOperator

from groundswell.params import load_params
from groundswell.settings import load_settings
from groundswell.sources import source_named

RUNBOOK = """
### What it does
Every `collect.watch_minutes` (params.yaml): what a platform shows now is kept, where it shows its latest posts only and has no past to
ask for (a feed). It goes into the windows that are open: the present one, and the last one until it was read once after its end. Nothing
is validated here: a window is collected once more by the DAG `collect` when it is over, which closes and validates it.
With no such source in any topic nothing is started.

### When it fails
- The platform was down: it is retried within the minutes to the next run. What stays in the feed until a run gets through is not lost.
- One feed of several was down: what the others showed was kept first, then the task failed and named it. Gone for good, it holds its topic's
  windows open until it is taken out of params.yaml.
- `seen_share` of a window (its report, its footer, the page *Coverage*) is below 1: the feed turned over faster than it was read. Lower
  `collect.watch_minutes`. What is gone is gone.
- `out_of_sight` in a report: the feed shows nothing of that window. Nothing is wrong where nothing was posted.

It may be killed and cleared at any time; two readings at once do no harm.
"""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""As in collect: the demo starts nothing by itself."""

settings = load_settings()
params = load_params(settings)
every = timedelta(minutes=params.collect.watch_minutes)
topics = {name: topic.sources for name, topic in params.topics.items()}
watched = [name for name in sorted({each for named in topics.values() for each in named}) if source_named(name).is_on_sight]

with DAG(
    "watch",
    description="Feeds in the course of the day, before what they show is gone",
    doc_md=RUNBOOK,
    schedule=DeltaTriggerTimetable(every) if watched else None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    end_date=LONG_AGO if settings.is_demo else None,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": every / 10, "retry_exponential_backoff": 2, "max_retry_delay": every / 2},
    tags=["groundswell"],
) as dag:
    if watched:

        @task_group
        def topic(name):
            for source in watched:
                StageOperator(
                    task_id=f"collect_{source}",
                    stage="collect",
                    topic=name,
                    options={"source": source, "watch": True},
                    sources=topics,
                    pool=f"source_{source}",
                    map_index_template="{{ task.topic }}",
                )

        topic.expand(name=sorted(topics))
