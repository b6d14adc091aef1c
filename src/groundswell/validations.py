"""What validation found in given partitions: read from the reports that `validate` left, by whoever must remember it.

Reads ``reports/validate/<topic>/*.json``. A report counts for a partition only when it speaks of these very bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from groundswell.settings import Settings

_COUNTS = {"raw": "rows_raw", "quarantine": "rows_quarantined", "valid": "rows_valid"}


def validations(settings: Settings, topic: str, partitions: Mapping[str, Mapping]) -> dict:
    """For ``partitions`` (a manifest's, key → ``sha256`` …): raw, valid and quarantined rows of each, and in all; what has no report."""
    found = {}
    for report in _reports(settings, topic):
        for key, layers in report.get("partitions", {}).items():
            if key in partitions and layers.get("valid", {}).get("sha256") == partitions[key]["sha256"]:
                found[key] = {"report": report["window"], **{name: layers[layer]["rows"] for layer, name in _COUNTS.items() if layer in layers}}
    totals: Counter[str] = Counter()
    for entry in found.values():
        totals.update({name: value for name, value in entry.items() if name != "report"})
    unknown = sorted(key for key in partitions if key not in found and not key.startswith("labels/"))
    return {**dict(sorted(totals.items())), "partitions": dict(sorted(found.items())), "without_report": unknown}


def _reports(settings: Settings, topic: str) -> list[dict]:
    folder = settings.report("validate", topic, "any").parent
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
