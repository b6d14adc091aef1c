"""Erasure in the lake: every layer, every partition of the source, whatever its topic.

`find` reads whose rows lie where; `clean` takes out what tombstones name, under the lake's lock, as a revision with the reason
``erased``. A partition that holds none of it is not written.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from groundswell.erasure.subjects import Targets
from groundswell.lake import LAYERS, Lake, Partition
from groundswell.tombstones import Tombstones

log = logging.getLogger(__name__)


def find(lake: Lake, targets: Targets, sources: list[str], tombstones: Tombstones) -> Counter:
    """Rows by layer that are theirs, or that tombstones name already: a run that was killed left them.

    Learns their posts and texts, authors' layers first: labels name posts only.
    """
    found: Counter = Counter({layer: 0 for layer in LAYERS})
    for partition, table in _tables(lake, sources):
        rows = table.filter(pc.or_(targets.mask(table, partition.source), pc.invert(tombstones.kept(table, partition.source))))
        targets.learn(rows, partition.source)
        found[partition.layer] += rows.num_rows
        if rows.num_rows and "text" in rows.column_names:
            targets.remember(partition.topic, rows)
    return found


def clean(lake: Lake, targets: Targets, sources: list[str], tombstones: Tombstones) -> dict[Partition, dict]:
    """Take erased rows out of every partition of ``sources``: the partitions that changed → rows removed, `describe` before and after.

    Learns the posts once more: some may have come since they were looked for.
    """
    touched = {}
    for partition, table in _tables(lake, sources):
        if not tombstones.without(table, partition.source).equals(table):
            targets.learn(table.filter(pc.invert(tombstones.kept(table, partition.source))), partition.source)
            touched[partition] = lake.describe(partition)
    changed = {}
    for partition, before in touched.items():
        removed = tombstones.clean(lake, partition)
        changed[partition] = {"removed": removed, "before": before, "after": lake.describe(partition)}
        log.info("%s/%s: %d rows erased", partition.layer, partition.key, removed)
    return changed


def count(lake: Lake, sources: list[str]) -> int:
    """How many partitions an erasure of ``sources`` looks at."""
    return sum(1 for _ in _partitions(lake, sources))


def texts_of_others(lake: Lake, targets: Targets, texts: set[str]) -> set[str]:
    """Those of ``texts`` that somebody else has written too: no trace of the erased, and in rows that stay."""
    others: set[str] = set()
    if not texts:
        return others
    wanted = pa.array(sorted(texts), pa.string())
    for layer in ("raw", "valid"):
        for partition in lake.partitions(layer):
            for batch in lake.batches(partition, ["post_id", "text"]):
                same = batch.filter(pc.is_in(batch.column("text"), value_set=wanted))
                theirs = targets.posts.get(partition.source, set())
                others.update(row["text"] for row in same.to_pylist() if row["post_id"] not in theirs)
    return others


def _tables(lake: Lake, sources: list[str]) -> Iterator[tuple[Partition, pa.Table]]:
    """The rows of every partition, a row group at a time."""
    for partition in _partitions(lake, sources):
        for batch in lake.batches(partition):
            yield partition, pa.Table.from_batches([batch])


def _partitions(lake: Lake, sources: list[str]) -> Iterator[Partition]:
    for layer in LAYERS:
        for source in sources:
            yield from lake.partitions(layer, source=source)
