"""Seal: version lake and data set with DVC, and record it on a git branch of its own.

Reads ``lake/valid``, ``lake/labels`` and ``dataset/<topic>`` (with what train and evaluate left, where it belongs to that data
set). Writes DVC's cache and remote, ``lake/*.dvc``, dvc.lock, and, in a git checkout, a commit on `BRANCH` that leaves
working tree, index and current branch alone. One at a time: others wait. Run again with nothing new, it changes nothing.
Refuses: no data set, no DVC project, a remote out of reach.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path

from groundswell import git
from groundswell.examples import read_manifest
from groundswell.files import alone_in, write_json
from groundswell.lake import Lake, Partition
from groundswell.mirror import mirror
from groundswell.settings import Settings
from groundswell.superseded import sealed_contents, write_sealed
from groundswell.versions import Version, Versions, directory_md5, files_of, pointer_text, versions_of

BRANCH = "groundswell-data"
LAYERS = ("valid", "labels")
RECORDED = ("dvc.yaml", "dvc.lock", "params.yaml", ".dvc/config", ".dvcignore")

log = logging.getLogger(__name__)


def seal(topic: str, *, settings: Settings) -> dict:
    """Version what lies in the lake and the data set of ``topic``; the report says the md5s, what was pushed, the commit."""
    read_manifest(settings.dataset(topic))  # none: said at once
    lake = Lake(settings.lake)
    with versions_of(settings) as versions, alone_in(settings.dataset(topic).parent):  # prepare and erase replace it as a whole
        manifest = read_manifest(settings.dataset(topic))
        contents = sealed_contents(lake, topic)
        unseen, changed = _since_prepare(lake, topic, manifest["partitions"])
        layers = {layer: _seal_layer(versions, settings, lake, layer) for layer in LAYERS}
        dataset = versions.save(settings.dataset(topic))
        log.info("seal %s: data set of %d files, lake of %d", topic, dataset.files, sum(layer.files for layer in layers.values()))
        is_named = versions.stage_that_writes(settings.dataset(topic)) == "prepare"
        locked = _lock(versions, settings, topic, dataset, unseen) if is_named and not changed else {}
        md5s = [dataset.md5, *(layer.md5 for layer in layers.values()), *(md5 for found in locked.values() for md5 in found)]
        pushed = versions.push(md5s)
        remote = versions.remote
    report = {
        "stage": "seal",
        "topic": topic,
        "dataset_md5": dataset.md5,
        "lake": {name: layer.md5 for name, layer in layers.items()},
        "rows": sum(split["rows"] for split in manifest["splits"].values()),
        "windows": len(manifest["windows"]),
        "remote": remote,
        "pushed": pushed,
        "locked": list(locked),
        "lake_moved_on": {"new": sorted(unseen), "changed": sorted(changed)},
        **_record(settings, topic, dataset, manifest, is_named=is_named),
    }
    write_sealed(settings, topic, contents)
    write_json(report, settings.report("seal", topic))
    return report


def _since_prepare(lake: Lake, topic: str, read: dict[str, dict]) -> tuple[dict[str, Partition], list[str]]:
    """What the lake got since the data set was made: new partitions by key, and the keys of those that changed or went."""
    there = {_key(layer, partition.key): partition for layer in LAYERS for partition in lake.partitions(layer, topic=topic)}
    unseen = {key: partition for key, partition in there.items() if key not in read}
    changed = [key for key, entry in read.items() if key not in there or lake.sha256(there[key]) != entry["sha256"]]
    return unseen, changed


def _sealed(settings: Settings) -> Path:
    """The folder that dvc.yaml names: the lake itself, or what `mirror` has of it."""
    return settings.root / "lake"


def _key(layer: str, key: str) -> str:
    return key if layer == "valid" else f"{layer}/{key}"


def _seal_layer(versions: Versions, settings: Settings, lake: Lake, layer: str) -> Version:
    """Version a layer by way of hard links: files of the lake are replaced, never changed, so the links stand still."""
    folder, still = _sealed(settings) / layer, settings.root / ".seal" / layer
    folder.mkdir(parents=True, exist_ok=True)  # nothing annotated yet is a layer too: dvc.yaml names it
    if settings.lake_url:
        mirror(lake, layer, folder.parent)
    shutil.rmtree(still, ignore_errors=True)
    still.mkdir(parents=True)
    for file in files_of(folder):
        target = still / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, target)
    try:
        version = versions.save(still)
    finally:
        shutil.rmtree(still, ignore_errors=True)
    versions.point(folder, version)
    return version


def _lock(versions: Versions, settings: Settings, topic: str, dataset: Version, unseen: dict[str, Partition]) -> dict[str, list[str]]:
    """Write into dvc.lock the stages whose outputs lie there and belong together; each with the md5s of what DVC keeps of it."""
    locked = {"prepare": versions.commit("prepare", dependencies=_as_prepare_read_it(settings, unseen))}
    trained = _json(settings.model(topic) / "train.json")
    if trained.get("dataset_md5") == dataset.md5 and versions.stage_that_writes(settings.model(topic)) == "train":
        locked["train"] = versions.commit("train")
        metrics = settings.root / "metrics" / topic / "evaluate.json"
        if _json(metrics).get("run_id") == trained.get("run_id") and versions.stage_that_writes(metrics) == "evaluate":
            locked["evaluate"] = versions.commit("evaluate")
    return locked


def _as_prepare_read_it(settings: Settings, unseen: dict[str, Partition]) -> dict[Path, str]:
    """Layer → its md5 without the partitions that came after prepare: with them, DVC would not know that there is more now."""
    md5s = {}
    for layer in LAYERS:
        folder = _sealed(settings) / layer
        late = [partition.name.removeprefix(f"{layer}/") for partition in unseen.values() if partition.layer == layer]
        if late:
            md5s[folder] = directory_md5(folder, without=late)
    return md5s


def _record(settings: Settings, topic: str, dataset: Version, manifest: dict, *, is_named: bool) -> dict:
    project = settings.project.resolve()
    if not git.is_checkout(project):
        return {"commit": None, "git": f"{project.name} is no git checkout: versioned by md5 alone"}
    files = {name: (project / name).read_bytes() for name in RECORDED if (project / name).exists()}
    if _sealed(settings).is_relative_to(project):
        files |= {pointer.relative_to(project).as_posix(): pointer.read_bytes() for pointer in _sealed(settings).glob("*.dvc")}
    pointer = _pointer_of_dataset(settings, project, topic)
    if pointer and not is_named:
        files[pointer] = pointer_text(settings.dataset(topic), dataset).encode()
    gone = [pointer] if pointer and is_named else []
    return {"commit": git.record(project, BRANCH, files, _message(topic, dataset, manifest), gone=gone), "git": f"branch {BRANCH}"}


def _pointer_of_dataset(settings: Settings, project: Path, topic: str) -> str | None:
    """For a topic that dvc.yaml does not name: a pointer that only the branch has."""
    path = settings.dataset(topic)
    return path.relative_to(project).as_posix() + ".dvc" if path.is_relative_to(project) else None


def _message(topic: str, dataset: Version, manifest: dict) -> str:
    windows = manifest["windows"]
    rows = {name: split["rows"] for name, split in manifest["splits"].items()}
    period = f"{windows[0]} .. {windows[-1]}" if windows else "none"
    lines = [f"Seal {topic}: {sum(rows.values())} rows of {len(windows)} windows", "", f"dataset {dataset.md5}", f"windows {period}"]
    lines += [f"{name} {count} rows" for name, count in sorted(rows.items())]
    return "\n".join([*lines, *(f"source {name} {count} rows" for name, count in sorted(manifest["sources"].items()))]) + "\n"


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
