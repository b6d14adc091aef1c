"""Lineage and checkout: from a model version back to the posts it was made of.

Reads the registry, the version's run and what train and judge left in it, the ledger, the lake. `checkout` writes
``dataset/<topic>``: the data set of the version, from DVC's cache or remote by its md5; what lay there before is kept in the
cache and its md5 is in the report. Refuses a version that does not exist or has no data set, and a data set that nobody pushed.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from groundswell import registry, runs
from groundswell.erasure import datasets
from groundswell.errors import VersionError
from groundswell.examples import read_manifest
from groundswell.files import alone_in
from groundswell.lake import Lake
from groundswell.learnt import UNLABELLED, Manifests, ancestors, merged
from groundswell.ledger import Ledger
from groundswell.settings import Settings
from groundswell.superseded import Contents
from groundswell.tombstones import Tombstones
from groundswell.validations import validations
from groundswell.versions import directory_md5, versions_of

log = logging.getLogger(__name__)


def lineage(topic: str, version: str, *, settings: Settings) -> dict:
    """Where ``version`` (a number, ``champion`` or ``challenger``) came from, and what became of it."""
    found = registry.version_named(settings, topic, version)
    run = runs.read_run(settings, found.run_id)
    manifest = runs.read_json(settings, found.run_id, "dataset/manifest.json") or {}
    partitions, contents = manifest.get("partitions", {}), Contents(Lake(settings.lake))
    superseded = merged([contents.superseded(part) for part in Manifests(settings).partitions(found)])
    verdict = runs.read_json(settings, found.run_id, "judge/verdict.json")
    return {
        "stage": "lineage",
        "topic": topic,
        "model_name": found.name,
        "model_version": found.version,
        "aliases": sorted(found.aliases),
        "run_id": run.run_id,
        "trained_at": f"{datetime.fromtimestamp(run.started_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "git_commit": found.tags.get("git_commit"),
        "git_dirty": run.tags.get("git_dirty") == "true",
        "params": run.params,
        "dataset_md5": found.tags.get("dataset_md5"),
        "warm_start": found.tags.get("warm_start"),
        "ancestors": ancestors(found),
        "splits": {name: {key: split[key] for key in ("rows", "digest")} for name, split in manifest.get("splits", {}).items()},
        "windows": manifest.get("windows", []),
        "sources": _rows_by_source(partitions),
        "unlabelled": _rows_by_source(manifest.get(UNLABELLED, {})),
        "superseded": sorted(superseded),
        "validation": runs.read_json(settings, found.run_id, "dataset/validation.json") or validations(settings, topic, partitions),
        "verdict": {key: verdict[key] for key in ("verdict", "reasons", "champion_version", "rows", "digest")} if verdict else None,
        "promotions": [entry.as_dict() for entry in Ledger(settings, topic).entries() if found.version in (entry.before, entry.after)],
    }


def checkout(topic: str, version: str, *, settings: Settings) -> dict:
    """Make ``dataset/<topic>`` what ``version`` was trained on, byte for byte but for rows that were erased since (the report counts them)."""
    found = registry.version_named(settings, topic, version)
    md5 = found.tags.get("dataset_md5")
    if not md5:
        raise VersionError(f"version {found.version} of {found.name} has no tag dataset_md5: it was not registered by groundswell train")
    folder = settings.dataset(topic)
    erased = 0
    before = directory_md5(folder) if folder.is_dir() else None
    if before != md5:
        with versions_of(settings) as versions, alone_in(folder.parent):
            if before:
                versions.save(folder)  # not sealed, perhaps: it can be brought back by its md5 all the same
            versions.restore(md5, folder)
        erased = sum(datasets.clean(folder, {}, Tombstones(settings)).values())  # from a remote that an erasure could not reach
        log.info("checkout %s: data set %s of version %s", topic, md5, found.version)
    splits = read_manifest(folder)["splits"]
    report = {"stage": "checkout", "topic": topic, "model_version": found.version, "dataset_md5": md5, "replaced": before if before != md5 else None}
    return report | {"erased_rows": erased, "rows": {name: split["rows"] for name, split in splits.items()}}


def _rows_by_source(partitions: dict[str, dict]) -> dict[str, dict[str, int]]:
    """Source → window → rows; labels count as a source of their own, ``labels/…``."""
    found: dict[str, dict[str, int]] = {}
    for key, entry in sorted(partitions.items()):
        source = key.rpartition("/")[0].rpartition("/")[0]
        found.setdefault(source, {})[key.rpartition("/")[2]] = entry["rows"]
    return found
