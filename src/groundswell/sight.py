"""What was seen of a platform that shows its latest posts only: between which times, and how a window's rows grow from reading to reading.

Reads partitions' rows and footers as they were; writes nothing itself. A reading sees everything from the oldest post that it was
shown to the moment it was made; where two readings overlap, nothing was missed in between. Refuses, as a `WindowError`, a window of
which no reading has seen anything: an empty file would say that nobody posted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from groundswell.errors import OutOfSight
from groundswell.lake import Lake
from groundswell.sources.base import Shown
from groundswell.window import Window

Spans = dict[str, list[list[str]]]
"""Address → the spans of a window that were seen there, each its two ends in ISO 8601, in order and apart from each other."""


WATCHED = timedelta(days=7)
"""How far back a window may have begun that is still watched: what is older and open is closed by collecting it."""


REMEMBERED = timedelta(days=31)
"""How far before the windows that are read a post may have been seen first and still be known by its id."""
DATED_ANEW = "dated_anew"
"""The reason: of posts that are left out because they are there under an earlier time, and of windows in which one of them was changed."""


class FirstSights:
    """When each post of a lake was written, by what the platform said when it was seen first: some date a post anew, and it would be two."""

    def __init__(self, lake: Lake, source: str, topic: str, windows: Sequence[Window]):
        self._known: dict[str, tuple[datetime, int | None]] = {}
        for partition in lake.partitions("raw", source=source, topic=topic):
            if partition.window.unit == windows[0].unit and partition.window.end > windows[0].start - REMEMBERED:
                for batch in lake.batches(partition, ["post_id", "created_at", "text"]):
                    for row in batch.to_pylist():
                        self._known.setdefault(row["post_id"], (row["created_at"], hash(row["text"])))

    def of(self, row: dict) -> tuple[datetime, bool]:
        """The time of ``row`` at first sight, and whether it lay in the lake with another text; what is new is seen first now."""
        first, text = self._known.setdefault(row["post_id"], (row["created_at"], None))
        return first, text is not None and text != hash(row["text"])


def open_windows(footers: Mapping[Window, Mapping], now: datetime, unit: str) -> list[Window]:
    """The windows that a reading at ``now`` may still bring something for, in order: those that are open, and the present one.

    ``footers``: what lies there of the windows before. Before the present one's first reading, the one before it too where it is not
    there yet: what is shown may reach back into it.
    """
    present = Window.of(now - timedelta(microseconds=1), unit)  # one that begins just now has nothing to be seen
    found = {window for window, footer in footers.items() if window < present and footer.get("status") == "open"}
    is_first = present not in footers and present.previous() not in footers
    return sorted(found | {present} | ({present.previous()} if is_first else set()))


def remembered(footers: Sequence[Mapping]) -> dict[str, Shown]:
    """What each address showed when the windows of ``footers`` were read last, where that was one and the same answer for all of them.

    Only then does "nothing has changed since" mean that nothing is new in any of them: a window that was never read forgets it all.
    """
    first, *others = [footer.get("shown", {}) for footer in footers] or [{}]
    common = {address: said for address, said in first.items() if all(other.get(address) == said for other in others)}
    return {address: Shown(_moment(said["since"]), dict(said["validators"])) for address, said in common.items()}


def facts(before: Mapping, shown: Mapping[str, Shown], window: Window, now: datetime, *, failed: Collection[str] = ()) -> dict:
    """What the footer of ``window`` says after a reading at ``now`` that was ``shown`` this; ``before`` is the footer as it was.

    ``status`` is "open" until the first reading that is after the window's end by every address's own clock, then "complete": no more
    can come. ``failed`` addresses keep it open, unless it was closed when they were read. ``seen`` are the spans, ``seen_share`` how much
    of the window the address of this reading that was seen least has shown. `OutOfSight` where nothing was seen at all.
    """
    earlier: Spans = before.get("seen", {})
    until = {address: min(now, one.at or now) for address, one in shown.items()}
    spans = {address: _joined(earlier.get(address, []), one.since, window, until[address]) for address, one in shown.items()}
    if not any((earlier | spans).values()):
        raise OutOfSight(_out_of_sight(shown, window))
    is_whole = not failed or (before.get("status") == "complete" and earlier.keys() >= set(failed))
    return {
        "status": "complete" if is_whole and window.end <= min(until.values()) else "open",
        "seen": earlier | spans,
        "seen_share": round(min(_share(window, one) for one in (*spans.values(), *(earlier.get(address, []) for address in failed))), 4),
        "shown": {address: {"since": _said(one.since), "validators": one.validators} for address, one in shown.items() if one.validators},
    }


def grown(before: Iterable[dict], rows: Iterable[dict]) -> list[dict]:
    """The rows that lay there, and those of ``rows`` that are new: unsorted. Of two with one id the first stays as it was, unless the
    second was edited later: platforms touch texts without a word, and a rerun must not change a byte for that."""
    found = {row["post_id"]: row for row in before}
    for row in rows:
        known = found.get(row["post_id"])
        if known is None or (row["edited_at"] and row["edited_at"] > (known["edited_at"] or known["created_at"])):
            found[row["post_id"]] = row
    return list(found.values())


def _joined(spans: list[list[str]], since: datetime | None, window: Window, now: datetime) -> list[list[str]]:
    found = [(_moment(start), _moment(end)) for start, end in spans]
    if since is not None and max(since, window.start) < min(now, window.end):
        found.append((max(since, window.start), min(now, window.end)))
    joined: list[tuple[datetime, datetime]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return [[_said(start), _said(end)] for start, end in joined]


def _share(window: Window, spans: list[list[str]]) -> float:
    seconds = sum((_moment(end) - _moment(start)).total_seconds() for start, end in spans)
    return seconds / (window.end - window.start).total_seconds()


def _out_of_sight(shown: Mapping[str, Shown], window: Window) -> str:
    dated = [one.since for one in shown.values() if one.since]
    reach = f"what is shown there now reaches back to {min(dated):%Y-%m-%dT%H:%MZ} only" if dated else "nothing with a date is shown there now"
    return f"window {window.key} is out of sight: {reach}, and no earlier reading saw any of it: collect a window while it is fresh"


def _moment(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said) if said else None


def _said(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
