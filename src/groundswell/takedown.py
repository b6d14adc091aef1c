"""takedown: posts that their platform no longer shows go from here too.

Reads which posts of a topic's last days the lake's layers and the data set have, and asks the platforms that can be asked (`Source.gone`) about
some of them each run: another part every day, until all had their turn. What is gone is erased as single posts, by `groundswell.erase`. Writes
a report. Refuses to believe a platform that calls more than ``max_gone_share`` of the posts gone: an outage looks like that, and an erasure
can't be undone.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pyarrow.parquet as pq

from groundswell.errors import ErasureError, SourceError
from groundswell.examples import SPLITS
from groundswell.files import write_json
from groundswell.http import Http
from groundswell.lake import LAYERS, Lake
from groundswell.params import CollectParams, TakedownParams, Topic
from groundswell.settings import Settings
from groundswell.sources import source_named
from groundswell.sources.base import Recheck
from groundswell.tombstones import Tombstones

if TYPE_CHECKING:
    from httpx2 import BaseTransport

log = logging.getLogger(__name__)

Erase = Callable[[dict[str, list[str]]], dict]
"""Erases posts, source → ids, and gives the receipt: `groundswell.erase.erase`, given by the caller, for stages do not import each other."""

_FEWEST = 20
"""Of fewer posts a share says nothing."""


def takedown(
    name: str,
    topic: Topic,
    *,
    settings: Settings,
    params: TakedownParams,
    collect: CollectParams,
    now: datetime,
    erase: Erase,
    transport: BaseTransport | None = None,
) -> dict:
    """Ask about posts of the topic called ``name``, erase what is gone; the report counts both, a source each.

    A source that fails does not keep the others from being asked and erased; its `SourceError` is raised at the end.
    """
    asked: dict[str, dict] = {}
    gone: dict[str, list[str]] = {}
    failures: list[Exception] = []
    with Http(attempts=collect.attempts, longest_wait_seconds=collect.longest_wait_seconds, transport=transport) as http:
        for source in topic.sources:
            try:
                asked[source], gone[source] = _ask(source, name, topic, settings, params, now, http)
            except (SourceError, ErasureError) as error:
                asked[source] = {"error": type(error).__name__}
                failures.append(error)
    found = {source: ids for source, ids in gone.items() if ids}
    receipt = erase(found) if found else None
    report = {"stage": "takedown", "topic": name, "day": now.date().isoformat(), "sources": asked, "receipt": receipt and receipt["receipt"]}
    write_json(report, settings.report("takedown", name, report["day"]))
    log.info("%s: %d posts are gone upstream", name, sum(map(len, found.values())))
    if failures:
        raise failures[0]
    return report


def _ask(source: str, name: str, topic: Topic, settings: Settings, params: TakedownParams, now: datetime, http: Http) -> tuple[dict, list[str]]:
    network = source_named(source)
    if network.gone is None:
        return {"asked": 0, "note": "the platform can't be asked"}, []
    if missing := [each for each in network.needs if not getattr(settings, each)]:
        return {"asked": 0, "note": f"{', '.join(f'GROUNDSWELL_{each.upper()}' for each in missing)} is not set"}, []
    known = _post_ids(settings, source, name, now - timedelta(days=params.days))
    chosen = todays(known, params.posts_per_run, now)
    gone = list(network.gone(Recheck(getattr(topic, source), chosen, settings, http)))
    if len(chosen) >= _FEWEST and len(gone) > params.max_gone_share * len(chosen):
        raise ErasureError(
            f"{source}: {len(gone)} of {len(chosen)} posts are said to be gone, more than takedown.max_gone_share = {params.max_gone_share}: "
            "nothing of it was erased. Look whether the platform is down or has changed; if they are gone, raise the share and run it again"
        )
    return {"known": len(known), "asked": len(chosen), "gone": len(gone)}, gone


def _post_ids(settings: Settings, source: str, topic: str, since: datetime) -> list[str]:
    """The ids of the posts that are here, each once: not those that were erased already."""
    tombstones = Tombstones(settings)
    here = chain(_in_lake(Lake(settings.lake), source, topic, since), _in_dataset(settings.dataset(topic), source, since))
    known = dict.fromkeys(post_id for post_id in here if post_id)
    return [post_id for post_id in known if not tombstones.name(source, (), (post_id,))]


def _in_lake(lake: Lake, source: str, topic: str, since: datetime) -> Iterator[str]:
    """In every layer: raw may be gone by `retain`, or collected again without what it had."""
    for layer in LAYERS:
        for partition in lake.partitions(layer, source=source, topic=topic):
            if partition.window.end > since:
                for batch in lake.batches(partition, ["post_id"]):
                    yield from batch.column("post_id").to_pylist()


def _in_dataset(folder: Path, source: str, since: datetime) -> Iterator[str]:
    for split in SPLITS:
        if (folder / f"{split}.parquet").exists():
            filters = (pc.field("source") == source) & (pc.field("created_at") >= since)
            yield from pq.read_table(folder / f"{split}.parquet", columns=["post_id"], filters=filters).column("post_id").to_pylist()


def todays(known: list[str], count: int, now: datetime) -> list[str]:
    """At most ``count`` of ``known``, another part each day, by hashes of the ids, so that posts that come and go move no other's turn.

    There are as many parts as make the day's small enough, always a power of two: with twice as many, who has their turn today still
    has one of the turns they had before. So who is known for as many days as there were parts at most has been asked about.
    """
    parts, chosen, places = 1, known, {}
    while len(chosen) > count:
        places = places or {post_id: _place(post_id) for post_id in known}
        parts *= 2
        chosen = [post_id for post_id in chosen if places[post_id] % parts == now.toordinal() % parts]
    return chosen


def _place(post_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(post_id.encode("utf-8", "surrogatepass"), digest_size=8).digest())
