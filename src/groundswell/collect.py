"""Collect: the posts of a window, from one source, into ``lake/raw``.

Reads a source (see `groundswell.sources`). Writes one partition a window, an empty one too: "no posts" is not "not run". Author
ids end here: what is written holds pseudonyms only (HMAC-SHA256 with the source's name in the message; a window that is there keeps
the key that it was made with). Whoever was erased stays out (`groundswell.tombstones`). Refuses a window that is not over or has not
settled, or beyond the source's look-back. The same window again is the same file, byte for byte; of a source that shows its latest
posts only, a window grows with each reading that saw more of it (`groundswell.sight`); `watch` is such a reading, of all that is open.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from groundswell import sight
from groundswell.canonical import Canonical
from groundswell.errors import OutOfSight, UnknownName, UsageError, nearest
from groundswell.files import write_json
from groundswell.http import Http
from groundswell.lake import Lake, Partition
from groundswell.params import CollectParams, Topic
from groundswell.pseudonym import Pseudonyms, key_id
from groundswell.refusals import require_legible, require_over_there, require_possible, require_settings
from groundswell.schema import POST
from groundswell.settings import Settings
from groundswell.sorting import SortedPosts, first_of_each
from groundswell.sources import source_named
from groundswell.sources.base import Found, Reading, Shown, Source
from groundswell.tombstones import Tombstones
from groundswell.window import Window

if TYPE_CHECKING:
    from httpx2 import BaseTransport

log = logging.getLogger(__name__)

_AGAIN = "collected again"


def collect(
    source: str,
    topic_name: str,
    topic: Topic,
    windows: list[Window],
    *,
    settings: Settings,
    params: CollectParams,
    now: datetime,
    reason: str = "",
    transport: BaseTransport | None = None,
    spare_out_of_sight: bool = False,
) -> dict:
    """Fetch every window's posts into ``lake/raw``; the report has rows, sha256, revision and drops a window, requests, retries, what was paid.

    ``reason`` is why a window that is there already is collected again: kept with its revision, where its content changed.

    ``now`` only decides whether a window may be had. ``spare_out_of_sight``: a window that an append-on-sight source shows nothing of is
    named in the report instead of refused. Errors: `UnknownName`, `ParamsError`, `WindowError` (nothing was tried); `SourceError`,
    `CorpusError` (windows before the failing one are whole, it and those after it are as they were; where one of several addresses of an
    append-on-sight source, or one of several listings of a walk back failed, what the others showed is written and the window open).
    """
    network = source_named(source)
    section = _section(source, topic_name, topic)
    network = network.for_topic(section)
    require_settings(network, settings)
    require_possible(network, windows, now)
    names = {key_id(key): Pseudonyms(key, source, network.authors(section), network.author_in_id) for key in settings.keys_for_pseudonyms()}
    lake, tombstones = Lake(settings.lake), Tombstones(settings)
    with Http(attempts=params.attempts, longest_wait_seconds=params.longest_wait_seconds, transport=transport) as http:
        spans = _spans(network, windows)
        canonical = Canonical(network, topic_name, lake, names, tombstones)
        job = _Job(network, topic_name, lake, canonical, tombstones, settings.root, now, reason or _AGAIN, windows)
        readings = (Reading(section, start, end, settings, params, http, known=job.known(windows)) for start, end in spans)
        written, unseen = {}, []
        for window, rows, dropped, reading in _by_window(network, job, readings, windows):
            require_over_there(network, window, http)
            try:
                written[window.key] = job.write(window, rows, dropped, reading)
            except OutOfSight as nothing:
                if not (spare_out_of_sight or reading.failed):
                    raise
                unseen.append(window.key)
                log.warning("%s/%s: %s", source, topic_name, nothing)
                continue
            _progress(source, topic_name, window, written[window.key]["rows"], len(written), len(windows))
            write_json(written[window.key], settings.report("collect", topic_name, source, window.key))
        if reading.failure:
            raise reading.failure
        return _report(source, topic_name, written, http) | ({"out_of_sight": unseen} if unseen else {})


def watch(source: str, topic_name: str, topic: Topic, *, settings: Settings, params: CollectParams, now: datetime, **how) -> dict:
    """Read once what an append-on-sight source shows now, into its windows that are open (`sight.open_windows`): what `collect` reports.

    A window that nothing is shown of is named under ``out_of_sight``. `UsageError` for a source that can be asked for its past.
    """
    if not source_named(source).is_on_sight:
        raise UsageError(f"{source} can be asked for windows that are over, so it needs no watching: groundswell collect --window A_WINDOW")
    lake = Lake(settings.lake)
    near = [one for one in lake.partitions("raw", source=source, topic=topic_name) if one.window.start >= now - sight.WATCHED]
    footers = {one.window: lake.metadata(one) for one in near if one.window.unit == params.window}
    windows = sight.open_windows(footers, now, params.window)
    return collect(source, topic_name, topic, windows, settings=settings, params=params, now=now, spare_out_of_sight=True, **how)


def _progress(source: str, topic: str, window: Window, rows: int, done: int, due: int) -> None:
    if due <= 31 or done % 100 == 0 or done == due:
        log.info("%s/%s/%s: %d posts (window %d of %d)", source, topic, window.key, rows, done, due)


def _section(source: str, topic_name: str, topic: Topic):
    section = getattr(topic, source, None)
    if section is None:
        raise UnknownName(
            f"topic {topic_name!r} has no section {source!r} in params.yaml, so nothing says what to collect{nearest(source, topic.sources)}"
        )
    return section


def _spans(network: Source, windows: list[Window]) -> Iterator[tuple[datetime, datetime]]:
    if network.is_file or network.is_on_sight:
        yield windows[0].start, windows[-1].end
    else:
        yield from ((window.start, window.end) for window in windows)


def _by_window(
    network: Source, job: _Job, readings: Iterable[Reading], windows: list[Window]
) -> Iterator[tuple[Window, Iterator[pa.Table], Counter, Reading]]:
    """Sorted posts and drops of each window in order, and what brought them, whether the source reads windows one by one or a range at once."""
    if not (network.is_file or network.is_on_sight):
        for window, reading in zip(windows, readings, strict=True):
            with job.sorting() as posts:
                kept = 0
                for row in job.canonical.rows(window, network.posts(reading), reading.dropped):
                    posts.add(row)
                    kept += 1
                require_legible(network, window, kept, reading.dropped)
                yield window, posts.until(window.end), reading.dropped, reading
            if reading.failure:
                raise reading.failure
        return
    (reading,) = readings
    dropped: dict[Window, Counter] = {window: Counter() for window in windows}
    with job.sorting() as posts:
        for found in network.posts(reading):
            window = Window.of(found.created_at, windows[0].unit)
            if window in dropped:
                for row in job.rows(window, found, dropped):
                    posts.add(row)
        dropped[windows[-1]] += reading.dropped  # a record that can't be a post has no window (a file's faults raise instead)
        for window in windows:
            yield window, posts.until(window.end), dropped[window], reading


@dataclass
class _Job:
    """One source's posts of one topic on their way into the lake."""

    network: Source
    topic: str
    lake: Lake
    canonical: Canonical
    tombstones: Tombstones
    waiting: Path
    """The folder of a disk for posts that memory should not hold."""
    now: datetime
    reason: str
    windows: Sequence[Window]
    dated_anew: set[Window] = field(default_factory=set)
    """The windows in which a post is changed that its platform dates later now."""

    @cached_property
    def firsts(self) -> sight.FirstSights:
        return sight.FirstSights(self.lake, self.network.name, self.topic, self.windows)

    def rows(self, window: Window, found: Found, dropped: dict[Window, Counter]) -> Iterator[dict]:
        """The row of ``found``, a post of ``window``, unless it was erased; on sight it is put where it was seen first."""
        rows = self.canonical.rows(window, [found], dropped[window])
        yield from rows if self.network.is_file else chain.from_iterable(self._at_first_sight(window, found, row, dropped) for row in rows)

    def _at_first_sight(self, window: Window, found: Found, row: dict, dropped: dict[Window, Counter]) -> Iterator[dict]:
        """``row``, unless its platform has dated it anew: with another text and later it is an edit of the row that is there, where that one's
        window is read too; else it is counted and left out."""
        first, is_other = self.firsts.of(row)
        home = Window.of(first, window.unit)
        if first == found.created_at:
            yield row
        elif is_other and found.created_at > first and home in dropped:
            self.dated_anew.add(home)
            edited = max(found.created_at, found.edited_at or found.created_at)
            yield from self.canonical.rows(home, [replace(found, created_at=first, edited_at=edited)], dropped[home])
        else:
            dropped[window][sight.DATED_ANEW] += 1

    def known(self, windows: list[Window]) -> dict[str, Shown]:
        """What a source that appends on sight showed when all of ``windows`` were read last."""
        if not self.network.is_on_sight:
            return {}
        partitions = [self._partition(window) for window in windows]
        return sight.remembered([self.lake.metadata(one) if self.lake.exists(one) else {} for one in partitions])

    def sorting(self) -> SortedPosts:
        """Where the posts wait, more than memory should hold on the disk: a corpus keeps its order where a platform's records have none."""
        return SortedPosts(self.waiting, by_raw=not self.network.is_file)

    def write(self, window: Window, posts: Iterator[pa.Table], dropped: Counter, reading: Reading) -> dict:
        """Drop what paging brought twice, and put the posts in their place; the window's part of the report."""
        if not self.network.is_file:
            posts = first_of_each(posts, dropped)
        made_with = self.canonical.pseudonyms_of(window).key_id
        metadata = {"window": window.key, "status": "complete", "connector_version": self.canonical.version, "pseudonym_key": made_with}
        partition = self._partition(window)
        if self.network.is_on_sight or self._is_in_parts(partition, reading):
            self._append(window, [row for table in posts for row in table.to_pylist()], metadata, reading)
        else:
            with self.lake.writing(partition, POST, metadata, reason=self.reason) as rows:
                for table in posts:
                    rows.add(table)
        described = self.tombstones.settle(self.lake, partition)
        facts = {name: described[name] for name in ("rows", "sha256", "revision", "seen_share") if name in described}
        return {"window": window.key, **facts, "dropped": dict(+dropped)} | ({"failed": list(reading.failed)} if reading.failed else {})

    def _is_in_parts(self, partition: Partition, reading: Reading) -> bool:
        """Whether only some listings of a walk back could be read, this time or over several: then the window grows and stays open until all
        were. One that was read whole before has not failed. A window that is whole already stays as it is: the failure is raised."""
        if not reading.failed:
            return False
        before = self.lake.metadata(partition) if self.lake.exists(partition) else {}
        for address in reading.failed.keys() & before.get("seen", {}).keys():
            log.warning("%s: what %s showed before is kept: %s", partition, address, reading.failed.pop(address))
        if reading.failure and before.get("status") == "complete":
            raise reading.failure
        return True

    def _append(self, window: Window, rows: list[dict], metadata: dict, reading: Reading) -> None:
        there = reading.http.server_time
        read_at = self.now if there is None else min(self.now, datetime.fromtimestamp(there, UTC))  # a clock that is ahead saw no more

        def change(table: pa.Table | None, before: dict) -> tuple[pa.Table, dict]:
            grown = sight.grown([] if table is None else table.to_pylist(), rows)
            grown.sort(key=lambda row: (row["created_at"], row["post_id"], row["raw"]))
            return pa.Table.from_pylist(grown, schema=POST), metadata | sight.facts(before, reading.shown, window, read_at, failed=reading.failed)

        self.lake.update(self._partition(window), change, reason=sight.DATED_ANEW if window in self.dated_anew else "appended on sight")

    def _partition(self, window: Window) -> Partition:
        return self.lake.partition("raw", self.network.name, self.topic, window)


def _report(source: str, topic: str, written: dict[str, dict], http: Http) -> dict:
    dropped = sum((Counter(part["dropped"]) for part in written.values()), Counter())
    report = {
        "stage": "collect",
        "source": source,
        "topic": topic,
        "windows": written,
        "rows": sum(part["rows"] for part in written.values()),
        "dropped": dict(dropped),
        "requests": http.requests,
        "retries": http.retries,
        "usd": round(http.usd, 4),
    }
    if len(written) == 1:
        (only,) = written.values()
        report |= {"window": only["window"], "sha256": only["sha256"]}
    return report
