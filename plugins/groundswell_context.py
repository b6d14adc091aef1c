"""What a run is about: its window and its topic. The only place that reads a run's dates.

Partitioned runs have no logical date and no data interval, a manual run has whatever its caller gave, an asset-triggered one
has its events: whoever needs to know asks here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk.exceptions import AirflowFailException

from groundswell.errors import WindowError
from groundswell.window import Window, parse_windows


def partition_of(context, unit: str = "day") -> str:
    """The key of the window that a run works on.

    The first of: ``window`` in the run's conf, its partition key, the start of its data interval, the last whole window before the
    time at which it was due. A key that names no window fails the task for good: a retry would read the same one.
    """
    run = context["dag_run"]
    key = (run.conf or {}).get("window") or getattr(run, "partition_key", None)
    try:
        if key:
            return _known(key, unit)
        if run.data_interval_start and run.data_interval_start != run.data_interval_end:
            return Window.of(_moment(run.data_interval_start), unit).key
        return Window.of(_moment(run.run_after), unit).previous().key
    except WindowError as error:
        raise AirflowFailException(f"run {run.run_id}: {error}") from None


def earlier_of(context, unit: str, days: int) -> str:
    """The key of the windows of ``unit`` that lie ``days`` before the day of a run of days: that day, or all its hours."""
    day = Window.parse(partition_of(context, "day")).start - timedelta(days=days)
    first, last = Window.of(day, unit), Window.of(day + timedelta(hours=23), unit)
    return first.key if first == last else f"{first}..{last}"


def topic_of(params, events, default: str) -> str:
    """The topic that a run works on: its ``topic`` parameter, else that of the asset event that started it, else ``default``."""
    return params.get("topic") or next(iter(topics_of(events)), default)


def topics_of(events) -> list[str]:
    """The topics that asset events (``triggering_asset_events``) name, each once, in order; none for a run that no event started."""
    named = [event.extra.get("topic") for of_asset in (events or {}).values() for event in of_asset]
    return list(dict.fromkeys(topic for topic in named if topic))


def _known(key: str, unit: str) -> str:
    if parse_windows(key)[0].unit != unit:
        raise WindowError(f"window {key!r} is no {unit}: params.yaml says collect.window: {unit}")
    return key


def _moment(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
