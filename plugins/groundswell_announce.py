"""What follows the validation of a window: its announcement, and the marking of what was built on what is no more.

Both read the report of the window's `validate`. The announcement is the event of the asset `posts` that wakes whoever works on it, with
the window as its partition. It is a task of its own, so that a run can leave it out and everybody sees that it did: Airflow
sends an event for every asset of a task that succeeded, and for none of one that was skipped. In doubt (a second try: the first
may have died between its work and its word; or more changed than an XCom holds) something changed. Refuses nothing.
"""

from __future__ import annotations

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException
from groundswell_context import earlier_of, partition_of
from groundswell_operator import StageOperator, event_of

from groundswell.window import parse_windows


class AnnounceOperator(BaseOperator):
    """Announce what the task ``validate`` beside this one reported.

    Skips itself where the run's parameter ``no_downstream`` says so. ``days_back`` as in `StageOperator`. ``only_news``: it tells only of
    windows in which validation made or revised something, and skips itself where there are none.
    """

    template_fields = ("topic",)

    def __init__(self, *, topic: str = "", unit: str = "day", days_back: int = 0, only_news: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.topic = topic
        self.unit = unit
        self.days_back = days_back
        self.only_news = only_news

    def execute(self, context):
        if context["params"].get("no_downstream"):
            raise AirflowSkipException("this run's parameter no_downstream is set: nobody is told")
        found = _validated(context)
        windows = self._news(found, context) if self.only_news else [partition_of(context, self.unit)]
        if not windows:
            raise AirflowSkipException("validation changed nothing: there is no news")
        for asset in self.outlets:
            event = context["outlet_events"][asset]
            event.extra = event_of(found)
            event.add_partitions(windows)
        return windows

    def _news(self, found: dict, context) -> list[str]:
        if _is_in_doubt(found):
            return [window.key for window in parse_windows(earlier_of(context, self.unit, self.days_back))]
        return sorted({key.rpartition("/")[2] for key in found.get("changed", ())})


class ImpactOperator(StageOperator):
    """Where validation revised something: mark the runs and model versions that were trained on what was there before."""

    def __init__(self, **kwargs):
        super().__init__(stage="impact", options={"mark": True}, windowed=True, **kwargs)

    def execute(self, context):
        found = _validated(context)
        if not found.get("revised") and not _is_in_doubt(found):
            raise AirflowSkipException("validation revised nothing: what was built on these posts still stands on them")
        return super().execute(context)


def _validated(context) -> dict:
    """The report of the `validate` beside this task, as its XCom has it."""
    ti = context["ti"]
    task = ".".join([*ti.task_id.split(".")[:-1], "validate"])
    return ti.xcom_pull(task_ids=task, map_indexes=ti.map_index) or {}


def _is_in_doubt(found: dict) -> bool:
    """A second try, or more changes than an XCom holds."""
    return found.get("try_number", 1) > 1 or not isinstance(found.get("changed", []), list)
