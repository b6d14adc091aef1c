"""retain: what is older than its layer may keep goes.

Reads the lake's partitions and the champion's list of what it was trained on. Removes partitions whose window ended more than ``<layer>_days``
ago, and before that all that DVC's cache and remote have of them; 0 keeps a layer for ever. Writes a receipt under ``rights/receipts/``, which
also says what of it a champion was trained on: that is told, and keeps nothing back. Killed anywhere, the next run does the rest.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from groundswell import registry
from groundswell.erasure import objects, receipts
from groundswell.erasure.models import has_registry
from groundswell.lake import LAYERS, Lake, Partition
from groundswell.learnt import Manifests, merged
from groundswell.mirror import refresh
from groundswell.params import RetainParams
from groundswell.settings import Settings
from groundswell.versions import versions_if_any

log = logging.getLogger(__name__)


def retain(topic: str, *, settings: Settings, params: RetainParams, now: datetime) -> dict:
    """Remove what is too old of ``topic``; the report (and receipt) counts partitions and rows a layer."""
    lake = Lake(settings.lake)
    old = [partition for layer in LAYERS for partition in _too_old(lake, layer, topic, params, now)]
    report = {"stage": "retain", "topic": topic, "removed": _counts(lake, old), "objects_removed": 0, "champion": None, "receipt": None}
    if not old:
        return report
    named = receipts.name("retain", hashlib.sha256(topic.encode()).hexdigest()[:8], now)
    keys = [str(partition) for partition in old]
    report |= {"champion": _champion(topic, old, settings), "receipt": named, "state": "begun", "partitions": keys}
    receipts.write(report, settings)
    report |= {"objects_removed": _remove(lake, old, settings), "state": "done"}
    log.info("%s: %d partitions were older than they may be", topic, len(old))
    receipts.write(report, settings)
    return report


def _remove(lake: Lake, old: list[Partition], settings: Settings) -> int:
    """Take ``old`` away, the lake's files last: whoever is killed before has them to be found again. Returns how many of DVC's files went.

    Nobody seals meanwhile. Data sets that were made of them stay versions (docs/rights.md).
    """
    with versions_if_any(settings) as versions:
        removed = versions.remove(objects.revisions(versions, old, lake.encryption)) if versions else 0
        for partition in old:
            lake.remove(partition)
        refresh(lake, settings.root / "lake")
    return removed


def _too_old(lake: Lake, layer: str, topic: str, params: RetainParams, now: datetime) -> list[Partition]:
    days = getattr(params, f"{layer}_days")
    return [each for each in lake.partitions(layer, topic=topic) if each.window.end < now - timedelta(days=days)] if days else []


def _counts(lake: Lake, old: Iterable[Partition]) -> dict[str, dict[str, int]]:
    found = {layer: {"partitions": 0, "rows": 0} for layer in LAYERS}
    for partition in old:
        found[partition.layer]["partitions"] += 1
        found[partition.layer]["rows"] += lake.metadata(partition).get("rows", 0)
    return found


def _champion(topic: str, old: Iterable[Partition], settings: Settings) -> dict | None:
    """The champion and how many of the partitions it was trained on; None where there is none."""
    found = registry.version_by_alias(settings, topic, registry.CHAMPION) if has_registry(settings) else None
    if found is None:
        return None
    read = merged(Manifests(settings).partitions(found))
    names = {partition.key if partition.layer == "valid" else str(partition) for partition in old if partition.layer in ("valid", "labels")}
    return {"version": found.version, "partitions_trained_on": len(names & read.keys())}
