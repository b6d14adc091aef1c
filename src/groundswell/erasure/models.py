"""Models that were trained on rows that are erased: listed, and tagged in the registry; none is taken away.

Reads the registry and the listings of data set versions (DVC). Writes the tag `TAG` with the receipt's name on versions whose training or
validation rows, by md5, held erased ones (validation rows choose the epoch and the temperature), and on those that began with the weights of
such a version. A version whose listing is nowhere, or that learnt from posts of no data set too, is told apart: ``unknown``. What to do with
a model is a person's decision: retrain and promote, or roll back (docs/rights.md).
"""

from __future__ import annotations

from collections.abc import Collection

from groundswell import registry, tracking
from groundswell.learnt import dataset_md5s
from groundswell.settings import Settings
from groundswell.unlabelled import LEARNT_FROM_LAKE
from groundswell.versions import Versions

TAG = "trained_on_erased_rows"
_FITTED_ON = ("train.parquet", "validation.parquet", "tokens/train.parquet", "tokens/validation.parquet")


def has_registry(settings: Settings) -> bool:
    """Whether there is one to ask: the embedded store is made by the first training, and not by an erasure."""
    uri = settings.tracking_uri
    return not uri.startswith("sqlite:///") or tracking.artifacts_beside(uri).parent.joinpath("mlflow.db").exists()


def trained_on(topic: str, md5s: Collection[str], datasets: Collection[str], *, settings: Settings, versions: Versions | None) -> list[dict]:
    """Version, run, aliases and ``rows`` (yes or unknown) of every version of ``topic`` that may have seen erased rows.

    ``md5s``: objects that held some. ``datasets``: md5s of data sets that are known to have held some, sealed or not.
    """
    found = []
    for version in registry.versions(settings, topic):
        held = {_held(md5, set(md5s), datasets, versions) for md5 in dataset_md5s(version)}
        if LEARNT_FROM_LAKE in version.tags:
            held.add("unknown")
        if held == {"no"}:
            continue
        rows, md5 = "yes" if "yes" in held else "unknown", version.tags.get("dataset_md5", "")
        whole = registry.version_numbered(settings, topic, version.version) or version  # a search gives no aliases
        found.append({"version": version.version, "run_id": version.run_id, "aliases": sorted(whole.aliases), "dataset_md5": md5, "rows": rows})
    return found


def _held(md5: str, md5s: set[str], datasets: Collection[str], versions: Versions | None) -> str:
    """Whether the data set ``md5`` held erased rows where a model is fitted: yes, no, or unknown."""
    listing = versions.listing(md5) if versions and md5 else None
    if md5 in datasets or (listing and md5s & {listing.get(name) for name in _FITTED_ON}):
        return "yes"
    return "no" if listing is not None else "unknown"


def tag(topic: str, models: list[dict], receipt: str, *, settings: Settings) -> None:
    """Mark those that are sure."""
    for model in models:
        if model["rows"] == "yes":
            registry.set_version_tag(settings, topic, model["version"], TAG, receipt)
