"""Coverage: which windows of a range are in the lake, validated, for every source of a topic.

Reads the footers of ``lake/valid`` (and looks whether ``raw`` is there). Writes its report only. Refuses, as a `LakeError` that
names them, when a window is missing: retraining on a hole would be a quiet mistake.
"""

from __future__ import annotations

from groundswell.config import Settings
from groundswell.errors import LakeError
from groundswell.files import write_json
from groundswell.lake import Lake
from groundswell.window import Window, parse_windows

_NAMED = 5
"""How many missing windows a message names; the report has them all."""


def coverage(topic: str, sources: list[str], windows: list[Window] | None, *, settings: Settings, unit: str = "day") -> dict:
    """Rows and status of every source's windows; `LakeError` when one is not complete in ``lake/valid``.

    ``windows`` None: all of ``unit`` (day, hour) from the topic's first collected one to its last.
    """
    lake = Lake(settings.lake)
    windows = windows or _all_between(lake, topic, unit)
    parts = {source: {window.key: _state(lake, source, topic, window) for window in windows} for source in sources}
    missing = [
        f"{source}/{topic}/{key} ({state['status']})"
        for source, states in parts.items()
        for key, state in states.items()
        if state["status"] != "complete"
    ]
    report = {
        "stage": "coverage",
        "topic": topic,
        "from": windows[0].key,
        "to": windows[-1].key,
        "windows": len(windows),
        "rows": {source: sum(state["rows"] for state in states.values()) for source, states in parts.items()},
        "partitions": parts,
        "missing": missing,
    }
    write_json(report, settings.report("coverage", topic))
    if missing:
        named = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        raise LakeError(f"{len(missing)} of {len(sources) * len(windows)} partitions are not in lake/valid: {named}: collect and validate them first")
    return report


def _all_between(lake: Lake, topic: str, unit: str) -> list[Window]:
    collected = [partition.window for partition in lake.partitions("raw", topic=topic) if partition.window.unit == unit]
    if not collected:
        raise LakeError(f"no {unit} of {topic} is in the lake ({lake.root}): collect some first")
    return parse_windows(f"{min(collected)}..{max(collected)}")


def _state(lake: Lake, source: str, topic: str, window: Window) -> dict:
    valid = lake.partition("valid", source, topic, window)
    if lake.exists(valid):
        known = lake.metadata(valid)
        return {"status": known.get("status", "unknown"), "rows": known.get("rows", 0)}
    is_raw = lake.exists(lake.partition("raw", source, topic, window))
    return {"status": "not validated" if is_raw else "not collected", "rows": 0}
