"""recollect: the DAG that collects recent days once more, for posts that came late, were edited or deleted."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, CronPartitionTimetable, task_group
from groundswell_announce import AnnounceOperator, ImpactOperator
from groundswell_operator import StageOperator

from groundswell.params import load_params
from groundswell.settings import load_settings
from groundswell.sources import source_named

RUNBOOK = """
### What it does
One run is one UTC day D, at 06:00 of the day after. The days 1 and 3 before D (`collect.recollect_days` in params.yaml) are collected
again from every platform that still answers for them, and validated again. What changed is a *revision* with the reason
`recollect D-1` or `recollect D-3`, is announced by `posts`, and `impact` tags what was trained on the old one; where nothing changed,
no byte does, and `announce` skips itself.
Corpora are files, and feeds show only what they have now: both are left out. So is what costs money for each post, and what is
walked back from now to a cap (a busy subreddit): collect such a day again by hand, with a reason.

### When it fails
- `collect` failed: as in the DAG `collect`; what the other sources brought was validated. A day that is missed here is collected again by
  its other turn, or by a backfill.
- `validate` warns of a partition that is not in the lake: that source was never collected for that day. Backfill it.
- A day that is beyond a platform's look-back by now can't be had any more: mark the task as success.

By hand: *Trigger* with the partition key D.
"""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""As in collect: the demo starts nothing by itself."""

settings = load_settings()
params = load_params(settings)
unit = params.collect.window
topics = {name: topic.sources for name, topic in params.topics.items()}
posts = Asset("posts")


def sources_after(days):
    return [name for name in sorted({each for named in topics.values() for each in named}) if source_named(name).can_be_read_again_after(days)]


with DAG(
    "recollect",
    description="Recent days once more: late posts, edits, deletions",
    doc_md=RUNBOOK,
    schedule=CronPartitionTimetable("0 6 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
    end_date=LONG_AGO if settings.is_demo else None,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30), "retry_exponential_backoff": 2, "max_retry_delay": timedelta(minutes=10)},
    tags=["groundswell"],
) as dag:
    for days in params.collect.recollect_days:
        if not sources_after(days):
            continue

        @task_group(group_id=f"back_{days}")
        def back(name, days=days):
            shared = {"topic": name, "windowed": True, "unit": unit, "days_back": days, "map_index_template": "{{ task.topic }}"}
            collects = [
                StageOperator(
                    task_id=f"collect_{source}",
                    stage="collect",
                    options={"source": source, "reason": f"recollect D-{days}"},
                    sources=topics,
                    pool=f"source_{source}",
                    **{**shared, "retries": 8},
                )
                for source in sources_after(days)
            ]
            again = {topic: [source for source in named if source in sources_after(days)] for topic, named in topics.items()}
            annotate = StageOperator(task_id="annotate", stage="annotate", sources=again, trigger_rule="all_done", **shared)
            validate = StageOperator(task_id="validate", stage="validate", options={"spare-missing": True}, **shared)
            announce = AnnounceOperator(
                task_id="announce",
                topic=name,
                unit=unit,
                days_back=days,
                only_news=True,
                outlets=[posts],
                trigger_rule="none_failed_min_one_success",
                map_index_template="{{ task.topic }}",
            )
            impact = ImpactOperator(task_id="impact", topic=name, unit=unit, days_back=days, map_index_template="{{ task.topic }}")
            collects >> annotate >> validate >> [announce, impact]
            collects >> announce

        back.expand(name=sorted(topics))
