"""impact: what was built on the posts of given windows, and what of it stands on data that is no more.

Reads the topic's data set and the manifests that train left in MLflow, and holds them against the lake; a model that began with another's
weights is built on what that was built on too. Writes a report; with ``mark``
also the tag `TAG` on every run and model version that was trained on superseded data, and takes it from those that no longer
are. Refuses nothing: a window on which nothing was built gives empty lists.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundswell import registry, runs
from groundswell.files import write_json
from groundswell.lake import Lake
from groundswell.learnt import Manifests, merged
from groundswell.settings import Settings
from groundswell.superseded import Contents
from groundswell.window import Window

log = logging.getLogger(__name__)

TAG = "superseded"
_NAMED = 10
"""A tag's value holds no more partitions than this; the report has them all."""


@dataclass(frozen=True)
class _Built:
    """A model version and the partitions that its data set was made of, and those of the models that it began with."""

    version: registry.ModelVersion
    partitions: Mapping[str, Mapping]
    superseded: dict[str, dict]


def impact(topic: str, windows: Sequence[Window], *, settings: Settings, mark: bool = False) -> dict:
    """Data sets, runs, model versions and aliases that read ``windows``; ``mark`` sets the tags, of all versions of the topic."""
    contents = Contents(Lake(settings.lake))
    manifests = Manifests(settings)
    built = [_built(manifests, version, contents) for version in registry.versions(settings, topic)]
    if mark:
        for one in built:
            _mark(settings, topic, one)
    keys = {window.key for window in windows}
    of_folder = _manifest_of_folder(settings, topic)
    touched = [one for one in built if _of_windows(one.partitions, keys)]
    report = {
        "stage": "impact",
        "topic": topic,
        "window": windows[0].key if len(windows) == 1 else f"{windows[0]}..{windows[-1]}",
        "datasets": _datasets(touched),
        "folder": {"path": f"dataset/{topic}", **_read(of_folder, keys, contents.superseded(of_folder))},
        "versions": [_version(settings, one, keys) for one in touched],
        "aliases": {alias: one.version.version for one in touched for alias in one.version.aliases},
        "superseded": sorted({key for one in touched for key in _of_windows(one.superseded, keys)}),
        "champion_is_superseded": any(registry.CHAMPION in one.version.aliases and one.superseded for one in built),
        "marked": [one.version.version for one in built if one.superseded] if mark else None,
    }
    write_json(_by_content(built, of_folder), settings.report("impact", topic, "built"))
    write_json(report, settings.report("impact", topic))
    return report


def _built(manifests: Manifests, version: registry.ModelVersion, contents: Contents) -> _Built:
    parts = manifests.partitions(version)
    return _Built(version, merged(parts), merged([contents.superseded(part) for part in parts]))


def _manifest_of_folder(settings: Settings, topic: str) -> dict[str, dict]:
    """The partitions of the data set that lies there now; none where none does."""
    try:
        return json.loads((settings.dataset(topic) / "manifest.json").read_text(encoding="utf-8"))["partitions"]
    except FileNotFoundError:
        return {}


def _of_windows(partitions: Mapping[str, object], keys: set[str]) -> list[str]:
    """The partitions of the windows called ``keys``; of a day its hours too."""
    return sorted(key for key in partitions if key.rpartition("/")[2] in keys or key.rpartition("/")[2].partition("T")[0] in keys)


def _read(partitions: Mapping, keys: set[str], superseded: dict) -> dict:
    return {"partitions": _of_windows(partitions, keys), "superseded": _of_windows(superseded, keys), "superseded_in_all": len(superseded)}


def _version(settings: Settings, built: _Built, keys: set[str]) -> dict:
    version = built.version
    links = {}
    if settings.tracking_uri.startswith("http"):
        links = {
            "run": f"{settings.tracking_uri}/#/runs/{version.run_id}",
            "version": f"{settings.tracking_uri}/#/models/{version.name}/versions/{version.version}",
        }
    return {
        "model_name": version.name,
        "model_version": version.version,
        "aliases": sorted(version.aliases),
        "run_id": version.run_id,
        "dataset_md5": version.tags.get("dataset_md5"),
        "links": links,
        **_read(built.partitions, keys, built.superseded),
    }


def _datasets(touched: list[_Built]) -> list[dict]:
    """The data sets of ``touched``, each once, with the versions that were trained on it."""
    found: dict[str, dict] = {}
    for one in touched:
        md5 = one.version.tags.get("dataset_md5", "")
        entry = found.setdefault(md5, {"dataset_md5": md5, "versions": [], "is_superseded": bool(one.superseded)})
        entry["versions"].append(one.version.version)
    return list(found.values())


def _by_content(built: list[_Built], of_folder: Mapping[str, Mapping]) -> dict[str, dict[str, list[str]]]:
    """Partition → content hash → what was built on it: coverage holds it against the lake without asking MLflow."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, partitions in [("dataset", of_folder), *((f"version {one.version.version}", one.partitions) for one in built)]:
        for key, entry in partitions.items():
            found.setdefault(key, {}).setdefault(entry.get("content_sha256") or "unknown", []).append(name)
    return found


def _mark(settings: Settings, topic: str, built: _Built) -> None:
    value, version = _value(built.superseded), built.version
    if version.tags.get(TAG, "") == value:
        return
    log.warning("%s version %s: %s", version.name, version.version, f"trained on superseded data: {value}" if value else "no longer superseded")
    if value:
        runs.set_run_tag(settings, version.run_id, TAG, value)
        registry.set_version_tag(settings, topic, version.version, TAG, value)
    else:
        runs.delete_run_tag(settings, version.run_id, TAG)
        registry.delete_version_tag(settings, topic, version.version, TAG)


def _value(superseded: dict[str, dict]) -> str:
    """``steam/games/2026-10-19 1f2e3d4c→9a8b7c6d``: which partitions, and the contents then and now."""
    named = [f"{key} {(entry['then'] or 'unknown')[:8]}→{(entry['now'] or 'gone')[:8]}" for key, entry in superseded.items()]
    more = f", and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return ", ".join(named[:_NAMED]) + more
