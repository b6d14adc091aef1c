"""What a platform's answers may turn into over night: the records under another key, a new field, another type, a record out of its time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import NamedTuple

DRIFTS = ("missing-key", "new-field", "type-change", "out-of-window")
_AWAY = timedelta(days=30)


class Records(NamedTuple):
    """Where an answer has its records, and a record its time."""

    path: tuple[str, ...]
    time: tuple[str, ...]


RECORDS = {
    "hackernews": Records(("hits",), ("created_at_i",)),
    "steam": Records(("response", "reviews"), ("timestamp_created",)),
    "bluesky": Records(("posts",), ("record", "createdAt")),
    "mastodon": Records((), ("created_at",)),
    "lemmy": Records(("posts",), ("post", "published")),
    "x": Records(("data",), ("created_at",)),
    "reddit": Records(("data", "children"), ("data", "created_utc")),
    "gdelt": Records(("articles",), ("seendate",)),
}


def drifted(kind: str, platform: str, body: bytes) -> bytes:
    """``body`` after the change; an answer without records (a login, an empty page) or one that is broken already stays as it is."""
    path, time = RECORDS[platform]
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    records = _at(answer, path)
    if not isinstance(records, list) or not records or not isinstance(records[0], dict):
        return body
    if kind == "missing-key":
        if not path:
            return b"{}"
        del _at(answer, path[:-1])[path[-1]]
    elif kind == "out-of-window":
        records.insert(0, _moved(json.loads(json.dumps(records[0])), time))
    else:
        for record in records:
            _change(kind, record, time)
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _at(value, path: tuple[str, ...]):
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _change(kind: str, record: dict, time: tuple[str, ...]) -> None:
    holder = _at(record, time[:-1])
    if kind == "new-field":
        record["added_in_the_next_version"] = {"nested": [1, None, "x"]}
    elif isinstance(holder, dict):
        holder[time[-1]] = {"value": holder.get(time[-1])}


def _moved(record: dict, time: tuple[str, ...]) -> dict:
    """``record`` thirty days before its time."""
    holder = _at(record, time[:-1])
    holder[time[-1]] = _earlier(holder[time[-1]])
    return record


def _earlier(value: str | float) -> str | float:
    if not isinstance(value, str):
        return value - int(_AWAY.total_seconds())
    if "-" in value:
        return (datetime.fromisoformat(value) - _AWAY).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (datetime.strptime(value, "%Y%m%dT%H%M%S%z") - _AWAY).strftime("%Y%m%dT%H%M%SZ")
