"""Erasure in the lake: every layer, every partition of the source, whatever its topic.

`find` reads whose rows lie where; `clean` takes out what tombstones name, under the lake's lock, as a revision with the reason
``erased``. A partition that holds none of it is not written.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from groundswell.erasure.subjects import Targets
from groundswell.lake import LAYERS, Lake, Partition
from groundswell.tombstones import Tombstones

log = logging.getLogger(__name__)


def find(lake: Lake, targets: Targets, sources: list[str], tombstones: Tombstones) -> Counter:
    """Rows by layer that are theirs, or that tombstones name already: a run that was killed left them.

    Learns their posts and texts, authors' layers first: labels name posts only.
    """
    found: Counter = Counter({layer: 0 for layer in LAYERS})
    for partition in _partitions(lake, sources):
        table = lake.read(partition)
        rows = table.filter(pa.compute.or_(targets.mask(table, partition.source), pa.compute.invert(tombstones.kept(table, partition.source))))
        targets.learn(rows, partition.source)
        found[partition.layer] += rows.num_rows
        if rows.num_rows and "text" in rows.column_names:
            targets.remember(partition.topic, rows)
    return found


def clean(lake: Lake, targets: Targets, sources: list[str], tombstones: Tombstones) -> dict[Partition, dict]:
    """Take erased rows out of every partition of ``sources``: the partitions that changed → rows removed, `describe` before and after.

    Learns the posts once more: some may have come since they were looked for.
    """
    changed = {}
    for partition in _partitions(lake, sources):
        table = lake.read(partition)
        if tombstones.without(table, partition.source).equals(table):
            continue
        targets.learn(table.filter(pa.compute.invert(tombstones.kept(table, partition.source))), partition.source)
        before = lake.describe(partition)
        removed = tombstones.clean(lake, partition)
        changed[partition] = {"removed": removed, "before": before, "after": lake.describe(partition)}
        log.info("%s/%s: %d rows erased", partition.layer, partition.key, removed)
    return changed


def count(lake: Lake, sources: list[str]) -> int:
    """How many partitions an erasure of ``sources`` looks at."""
    return sum(1 for _ in _partitions(lake, sources))


def texts_of_others(lake: Lake, targets: Targets, texts: set[str]) -> set[str]:
    """Those of ``texts`` that somebody else has written too: no trace of the erased, and in rows that stay."""
    if not texts:
        return set()
    wanted, others = pa.array(sorted(texts), pa.string()), set()
    for layer in ("raw", "valid"):
        for partition in lake.partitions(layer):
            table = lake.read(partition)
            theirs = targets.posts.get(partition.source, set())
            same = table.filter(pa.compute.is_in(table.column("text"), value_set=wanted))
            pairs = zip(same.column("post_id").to_pylist(), same.column("text").to_pylist(), strict=True)
            others |= {text for post_id, text in pairs if post_id not in theirs}
    return others


def _partitions(lake: Lake, sources: list[str]) -> Iterator[Partition]:
    for layer in LAYERS:
        for source in sources:
            yield from lake.partitions(layer, source=source)
