"""collect: the DAG of one window's posts, from the platforms to validated."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, CronPartitionTimetable, Param, task_group
from groundswell_announce import AnnounceOperator, ImpactOperator
from groundswell_operator import StageOperator

from groundswell.params import load_params
from groundswell.settings import load_settings

RUNBOOK = """
### What it does
One run is one window (a UTC day, or an hour by `collect.window` in params.yaml). For every topic: its sources are collected at the
same time, each in its own pool; annotations are fetched; Great Expectations validate; then `announce` tells the asset `posts`.
Where validation revised something, `impact` tags the runs and model versions that were trained on what was there before.

### Backfill
`groundswell backfill plan` says what it needs and costs, `groundswell backfill run` starts it, held to a budget. Or
`airflow backfill create --dag-id collect --from-date 2026-10-19 --to-date 2026-11-01 --max-active-runs 4`, or *Trigger → Backfill* here.
Both ends are included. The DAG must not be paused. Windows that have a run are left out; `--reprocess-behavior completed` runs them
again, which changes no byte of the lake unless the platform's content changed: then there is a revision, with the run's `reason`.
With the parameter `no_downstream` nobody is told: `announce` is skipped, `monitor` does not start.
One window: *Trigger → Single run* with its partition key, e.g. `2026-10-19`. Fewer sources or topics: the parameters.

### When it fails
- `collect` failed: the platform was down; its log names the address. It was retried with growing waits, for half an hour. What the other
  sources brought was validated without it, nobody was told (`announce` is *upstream failed*, and so the run failed), and *Coverage* has the
  hole. When the platform is back, clear the task and downstream: it is taken in and the window announced. A source of which
  `validate.rows_due` asks rows is waited for: without it `validate` fails.
- `collect` is *up for retry* for long: the platform named a time (limits), or the window has not settled yet. It goes on by itself then.
- exit 77: the platform does not let us in. Credentials, rights or quota; no retry.
- `validate` failed: a table rule is broken; *Validation page* has the numbers. Nothing of the window went to `valid`. Fix the source or
  the rule in params.yaml, then clear `collect` and downstream.
- exit 2 (wrong use, no retry): params.yaml or a setting is wrong; the message names it.

Any task may be killed and cleared at any time: it ends in the same bytes.
"""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""A DAG that has ended starts nothing by itself; backfills and triggers work as ever. The demo's fortnight has no yesterday to run for."""

REASON = "{{ params.reason or ('backfill' if dag_run.run_type == 'backfill' else '') }}"

settings = load_settings()
params = load_params(settings)
unit = params.collect.window
topics = {name: topic.sources for name, topic in params.topics.items()}
sources = sorted({source for named in topics.values() for source in named})
posts = Asset("posts")

with DAG(
    "collect",
    description="One window's posts: collected, annotated, validated",
    doc_md=RUNBOOK,
    schedule=CronPartitionTimetable(
        "0 0 * * *" if unit == "day" else "0 * * * *",
        timezone="UTC",
        run_offset=-1,
        key_format="%Y-%m-%d" if unit == "day" else "%Y-%m-%dT%H",
    ),
    end_date=LONG_AGO if settings.is_demo else None,
    catchup=False,
    max_active_runs=4,
    params={
        "topics": Param(sorted(topics), type="array", examples=sorted(topics), description="Topics to collect; empty: all."),
        "sources": Param(sources, type="array", examples=sources, description="Sources to collect from; empty: all."),
        "reason": Param("", type="string", description="Why windows that are there are collected again: kept with what changed."),
        "budget": Param("", type="string", description="The budget that `groundswell backfill run` made; empty: none."),
        "no_downstream": Param(False, type="boolean", description="Tell nobody: no event of posts, so nothing is monitored for it."),
    },
    default_args={"retries": 3, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2, "max_retry_delay": timedelta(minutes=10)},
    tags=["groundswell"],
) as dag:

    @task_group
    def topic(name):
        shared = {"topic": name, "windowed": True, "unit": unit, "map_index_template": "{{ task.topic }}"}
        collects = [
            StageOperator(
                task_id=f"collect_{source}",
                stage="collect",
                options={"source": source, "reason": REASON, "budget": "{{ params.budget }}"},
                sources=topics,
                pool=f"source_{source}",
                retries=8,  # told waits count too
                **shared,
            )
            for source in sources
        ]
        annotate = StageOperator(task_id="annotate", stage="annotate", sources=topics, trigger_rule="all_done", **shared)  # what is there goes on
        chosen = {"sources": "{{ params.sources | join(',') }}", "spare-missing": True}
        validate = StageOperator(task_id="validate", stage="validate", options=chosen, **shared)
        announce = AnnounceOperator(
            task_id="announce",
            topic=name,
            unit=unit,
            outlets=[posts],
            trigger_rule="none_failed_min_one_success",  # nobody is told of a window with a hole, and its run is failed
            map_index_template="{{ task.topic }}",
        )
        impact = ImpactOperator(task_id="impact", topic=name, unit=unit, map_index_template="{{ task.topic }}")
        collects >> annotate >> validate >> [announce, impact]
        collects >> announce

    topic.expand(name=sorted(topics))
