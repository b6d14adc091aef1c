"""Models that were trained on rows that are erased: listed, and tagged in the registry; none is taken away.

Reads the registry and the listings of data set versions (DVC). Writes the tag `TAG` with the receipt's name on versions whose training or
validation rows, by md5, held erased ones (validation rows choose the epoch and the temperature). A version whose listing is nowhere is
told apart: ``unknown``. What to do with a model is a person's decision: retrain and promote, or roll back (docs/rights.md).
"""

from __future__ import annotations

from collections.abc import Collection

from groundswell import tracking
from groundswell.config import Settings
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
    for version in tracking.versions(settings, topic):
        md5 = version.tags.get("dataset_md5", "")
        listing = versions.listing(md5) if versions and md5 else None
        fitted = {listing.get(name) for name in _FITTED_ON} if listing else set()
        if md5 in datasets or fitted & set(md5s):
            rows = "yes"
        elif listing is None:
            rows = "unknown"
        else:
            continue
        whole = tracking.version_numbered(settings, topic, version.version) or version  # a search gives no aliases
        found.append({"version": version.version, "run_id": version.run_id, "aliases": sorted(whole.aliases), "dataset_md5": md5, "rows": rows})
    return found


def tag(topic: str, models: list[dict], receipt: str, *, settings: Settings) -> None:
    """Mark those that are sure."""
    for model in models:
        if model["rows"] == "yes":
            tracking.set_version_tag(settings, topic, model["version"], TAG, receipt)
