"""retain: what is older than its layer may keep goes.

Reads the lake's partitions and the champion's list of what it was trained on. Removes partitions whose window ended more than ``<layer>_days``
ago, and their objects in DVC's cache and remote; 0 keeps a layer for ever. Writes a receipt under ``rights/receipts/``, which also says
what of it a champion was trained on: that is told, and keeps nothing back. Run again it removes nothing more.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from groundswell import runs, tracking
from groundswell.config import RetainParams, Settings
from groundswell.erasure import receipts
from groundswell.erasure.models import has_registry
from groundswell.lake import LAYERS, Lake, Partition
from groundswell.versions import has_versions, versions_of

log = logging.getLogger(__name__)


def retain(topic: str, *, settings: Settings, params: RetainParams, now: datetime) -> dict:
    """Remove what is too old of ``topic``; the report (and receipt) counts partitions and rows a layer."""
    lake = Lake(settings.lake)
    old = [partition for layer in LAYERS for partition in _too_old(lake, layer, topic, params, now)]
    report = {"stage": "retain", "topic": topic, "removed": _counts(lake, old), "objects_removed": 0, "champion": None, "receipt": None}
    if not old:
        return report
    trained = _champion(topic, old, settings)
    md5s = {_md5(lake, partition) for partition in old}
    for partition in old:
        lake.remove(partition)
    log.info("%s: %d partitions were older than they may be", topic, len(old))
    named = receipts.name("retain", hashlib.sha256(topic.encode()).hexdigest()[:8], now)
    keys = [str(partition) for partition in old]
    report |= {"objects_removed": _forget(md5s, settings), "champion": trained, "receipt": named, "state": "done", "partitions": keys}
    receipts.write(report, settings)
    return report


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
    found = tracking.version_by_alias(settings, topic, tracking.CHAMPION) if has_registry(settings) else None
    if found is None:
        return None
    read = (runs.read_json(settings, found.run_id, "dataset/manifest.json") or {}).get("partitions", {})
    names = {partition.key if partition.layer == "valid" else str(partition) for partition in old if partition.layer in ("valid", "labels")}
    return {"version": found.version, "partitions_trained_on": len(names & read.keys())}


def _md5(lake: Lake, partition: Partition) -> str:
    with lake.storage.opened(partition.name) as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _forget(md5s: set[str], settings: Settings) -> int:
    """Delete the partitions' own objects where they were sealed. Data sets that were made of them stay versions (docs/rights.md)."""
    if not has_versions(settings):
        return 0
    with versions_of(settings) as versions:
        return versions.remove(md5s)
