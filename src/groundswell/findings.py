"""What a validation found, added up, and the report and the page that tell it.

Reads the window's last report, where some of its topic's sources are validated and what was said of the others shall stay. Writes page and
report, the report last: it means done. Every number is kept by source, so that one source's can be told anew. Refuses nothing.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from groundswell.files import alone_in, replacing, write_json
from groundswell.rawrows import RawRows
from groundswell.settings import Settings
from groundswell.window import Window

if TYPE_CHECKING:
    from groundswell.expectations import Verdict

log = logging.getLogger(__name__)

_COUNTED = ("rows_raw", "rows_quarantined", "rows_duplicate", "rows_near_duplicate", "rows_compared")


@dataclass
class Findings:
    """What the groups of windows said and did, added up; the lists and mappings that name a source are what another run may keep."""

    missing: list[str] = field(default_factory=list)
    """Keys of the partitions that were spared."""
    sources: dict[str, dict] = field(default_factory=dict)
    failures: list[dict] = field(default_factory=list)
    written: dict[str, dict] = field(default_factory=dict)
    scrubbed: dict[str, Counter] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    revised: list[str] = field(default_factory=list)
    verdicts: dict[str, list[Verdict]] = field(default_factory=lambda: {"posts": [], "partitions": []})

    def add(
        self, raws: list[RawRows], summary: pd.DataFrame, reasons: list[list[pa.Array]], failures: list[dict], verdicts: Mapping[str, Verdict]
    ) -> None:
        """Take in a group: its partitions, a row of ``summary`` and the rows' ``reasons`` of each, and what the two suites said."""
        for raw, counts, why in zip(raws, summary.to_dict("records"), reasons, strict=True):
            mine = self.sources.setdefault(raw.partition.source, dict.fromkeys((*_COUNTED, "rows_unreadable"), 0) | {"quarantined": {}})
            for name in _COUNTED:
                mine[name] += int(counts[name])
            mine["rows_unreadable"] += raw.rows if raw.columns_wrong else 0
            broken = Counter(rule for part in why for named in part.drop_null().to_pylist() for rule in named.split(";"))
            mine["quarantined"] = dict(sorted((Counter(mine["quarantined"]) + broken).items()))
        self.failures += failures
        for name, verdict in verdicts.items():
            self.verdicts[name].append(replace(verdict, broken={}))


def published(topic: str, windows: Sequence[Window], found: Findings, settings: Settings, *, keep: Collection[str] = ()) -> dict:
    """Write page and report of ``found``, with what the last report of these windows says of the sources ``keep``; returns the report."""
    from groundswell.pages import validation_page

    window = windows[0].key if len(windows) == 1 else f"{windows[0].key}..{windows[-1].key}"
    path = settings.report("validate", topic, window)
    with alone_in(path.parent):  # else of two that validate a window's sources at once, one would lose the other's part
        report = _report(topic, windows, window, found, _kept(path, keep))
        with replacing(settings.root / report["page"]) as beside:
            beside.write_text(validation_page(report), encoding="utf-8")
        write_json(report, path)
    log.info("%s %s: %d raw, %d quarantined", topic, window, report["rows_raw"], report["rows_quarantined"])
    return report


def explained(topic: str, found: Findings, page: Path) -> str:
    """What was refused, in a sentence or three."""
    shown = [f"{failure['window']} {failure['source']}: {failure['found']}" for failure in found.failures[:3]]
    more = len(found.failures) - len(shown)
    told = "; ".join(shown) + (f"; and {more} more" if more else "")
    return f"topic {topic}: {told}. Nothing of these windows went to valid; see {page}"


def _kept(path: Path, sources: Collection[str]) -> dict:
    """What the report ``path`` says of ``sources``: the same keys, nothing of the others."""
    before = json.loads(path.read_text(encoding="utf-8")) if sources and path.is_file() else {}
    return {
        "sources": {name: counts for name, counts in before.get("sources", {}).items() if name in sources},
        "scrubbed": {name: counts for name, counts in before.get("scrubbed", {}).items() if name in sources},
        "failures": [failure for failure in before.get("failures", []) if failure["source"] in sources],
        "missing": [key for key in before.get("missing", []) if _place(key)[1] in sources],
        "partitions": {key: layers for key, layers in before.get("partitions", {}).items() if _place(key)[1] in sources},
    }


def _place(key: str) -> tuple[str, str]:
    """Window and source of a partition's key: the order of a report."""
    source, _, window = key.split("/")
    return window, source


def _report(topic: str, windows: Sequence[Window], window: str, found: Findings, kept: dict) -> dict:
    sources = dict(sorted((kept["sources"] | found.sources).items()))
    failures = sorted(kept["failures"] + found.failures, key=lambda failure: (failure["window"], failure["source"]))
    rows = Counter({name: sum(counts[name] for counts in sources.values()) for name in (*_COUNTED, "rows_unreadable")})
    return {
        "stage": "validate",
        "topic": topic,
        "window": window,
        "success": not failures,
        "windows": len(windows),
        "windows_refused": sorted({failure["window"] for failure in failures}),
        "rows_raw": rows["rows_raw"],
        "rows_valid": rows["rows_raw"] - rows["rows_quarantined"] - rows["rows_unreadable"],
        "rows_quarantined": rows["rows_quarantined"],
        "quarantined": dict(sorted(sum((Counter(counts["quarantined"]) for counts in sources.values()), Counter()).items())),
        "scrubbed": {source: dict(sorted(counts.items())) for source, counts in sorted((kept["scrubbed"] | found.scrubbed).items())},
        "sources": sources,
        "failures": failures,
        "missing": sorted(kept["missing"] + found.missing, key=_place),
        "partitions": dict(sorted((kept["partitions"] | found.written).items(), key=lambda item: _place(item[0]))),
        "great_expectations": _great_expectations(found.verdicts, kept),
        "page": f"reports/validate/{topic}/{window}.html",
    }


def _great_expectations(verdicts: dict[str, list[Verdict]], kept: dict) -> dict:
    from importlib.metadata import version

    from groundswell.expectations import merged

    suites = {name: merged([*each, *_said_before(name, each[0], kept)]) for name, each in verdicts.items()}
    told = {name: {"success": v.success, "statistics": v.statistics, "results": v.results} for name, v in suites.items()}
    return {"version": version("great-expectations"), "suites": told}


def _said_before(suite: str, like: Verdict, kept: dict) -> list[Verdict]:
    """What the suite said of what is ``kept``, from its counts: every row, every partition is one element of every rule."""
    counts = kept["sources"].values()
    if not counts:
        return []
    if suite == "posts":
        looked_at = sum(each["rows_raw"] - each["rows_unreadable"] for each in counts)
        broke = sum((Counter(each["quarantined"]) for each in counts), Counter())
    else:
        looked_at, broke = len(kept["partitions"]), Counter(failure["rule"] for failure in kept["failures"])
    results = [
        {**result, "success": not broke[result["rule"]], "element_count": looked_at, "unexpected_count": broke[result["rule"]]}
        for result in like.results
    ]
    return [replace(like, results=results)]
