"""monitor: a window's posts, as the champion sees them, held against what it was trained on.

Reads ``lake/valid`` of every source of a topic, the champion's export (from the registry; kept under ``champion/``) with its
``profile.parquet``, and the reports of the windows right before. Writes a page and a report per window, the report last.
No champion yet, or too few posts, is a report that says so and decides nothing. Refuses a window that is not in the lake.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groundswell import registry
from groundswell.errors import LakeError, ModelError
from groundswell.files import replacing, write_json
from groundswell.lake import Lake, Partition
from groundswell.pages import drift_page
from groundswell.params import MonitorParams
from groundswell.predictor import Predictor
from groundswell.profile import profile
from groundswell.schema import LABELS
from groundswell.settings import Settings
from groundswell.text import normalise
from groundswell.window import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Champion:
    """The model that serves, ready to answer, and the profile of the rows it was fitted on."""

    version: str
    run_id: str
    folder: Path
    predictor: Predictor
    reference: pa.Table

    @property
    def facts(self) -> dict:
        return {"version": self.version, "run_id": self.run_id, "reference_rows": self.reference.num_rows}


def monitor(topic: str, windows: Sequence[Window], *, settings: Settings, params: MonitorParams) -> dict:
    """Monitor ``windows`` (in order) of ``topic``; the report of the window, or of a range the decisions of its windows."""
    partitions = _partitions(Lake(settings.lake), topic, windows)
    champion = _champion(topic, settings)
    reports = [_monitor(topic, window, partitions[window], champion, settings, params) for window in windows]
    if len(reports) == 1:
        return reports[0]
    told = {report["window"]: {key: report[key] for key in ("status", "is_drift", "reasons", "rows", "page")} for report in reports}
    drifted = [key for key, one in told.items() if one["is_drift"]]
    whole = {"stage": "monitor", "topic": topic, "window": f"{windows[0]}..{windows[-1]}", "is_drift": bool(drifted), "windows": told}
    whole["reasons"] = [f"drift in {', '.join(drifted)}" if drifted else "no drift in any window"]
    write_json(whole, settings.report("monitor", topic, whole["window"]))
    return whole


def _partitions(lake: Lake, topic: str, windows: Sequence[Window]) -> dict[Window, list[Partition]]:
    found: dict[Window, list[Partition]] = {window: [] for window in windows}
    for partition in lake.partitions("valid", topic=topic):
        if partition.window in found:
            found[partition.window].append(partition)
    missing = [window.key for window, partitions in found.items() if not partitions]
    if missing:
        raise LakeError(
            f"lake/valid has no source of topic {topic} in {', '.join(missing[:3])}: run groundswell validate --window {missing[0]} first"
        )
    return found


def _champion(topic: str, settings: Settings) -> _Champion | None:
    found = registry.version_by_alias(settings, topic, registry.CHAMPION)
    if found is None:
        return None
    folder = registry.kept_export(settings, topic, found.version)
    path = folder / "profile.parquet"
    if not path.is_file():
        raise ModelError(f"version {found.version} of topic {topic} holds no profile.parquet: there is nothing to compare with; train again")
    return _Champion(found.version, found.run_id, folder, Predictor.load(folder), pq.read_table(path))


def _monitor(topic: str, window: Window, partitions: list[Partition], champion: _Champion | None, settings: Settings, params: MonitorParams) -> dict:
    lake = Lake(settings.lake)
    tables = {partition: lake.read(partition) for partition in partitions}
    report = {
        "stage": "monitor",
        "topic": topic,
        "window": window.key,
        "rows": sum(table.num_rows for table in tables.values()),
        "sources": {partition.source: table.num_rows for partition, table in tables.items()},
        "partitions": {partition.key: lake.describe(partition).get("content_sha256") for partition in partitions},
        "champion": champion.facts if champion else None,
        "page": f"reports/monitor/{topic}/{window.key}.html",
    }
    if champion is None:
        return _undecided(report, "no_champion", "no model of this topic is champion yet: nothing to compare with", settings)
    if report["rows"] < params.min_rows:
        return _undecided(report, "too_few_rows", f"{report['rows']} posts; {params.min_rows} are needed for a decision", settings)
    texts = _sample([text for table in tables.values() for text in table.column("text").to_pylist()], params.max_rows)
    return _decided(report, texts, window, champion, settings, params)


def _undecided(report: dict, status: str, why: str, settings: Settings) -> dict:
    return _publish({**report, "status": status, "is_drift": False, "reasons": [why], "lasting": [], "signals": {}}, None, settings)


def _sample(texts: list[str], most: int) -> list[str]:
    """At most ``most`` of the texts, spread evenly: the same ones every time."""
    if len(texts) <= most:
        return texts
    return [texts[place] for place in np.linspace(0, len(texts) - 1, most).round().astype(int)]


def _decided(report: dict, texts: list[str], window: Window, champion: _Champion, settings: Settings, params: MonitorParams) -> dict:
    from groundswell.comparison import compare, version
    from groundswell.drift import SHARE, Signal, decide, levels, noise, signal_frame, signals, weigh

    probabilities = champion.predictor.predict(texts)
    current, reference = signal_frame(profile(texts, probabilities)), signal_frame(champion.reference)
    compared = signals(params)
    found = compare(compared, current, reference, window.end)
    unknown = Signal("unknown_share", SHARE, params.max_unknown_share)
    effects = {**found.effects, unknown.name: _unknown_share(texts, champion)}
    weighed = weigh([*compared, unknown], effects, noise(compared, reference, len(texts), params.seed))
    report = {
        **report,
        "status": "decided",
        **decide(weighed, _earlier(report, window, settings, params), params),
        "rows_compared": len(texts),
        "predictions": {"window": _mix(current["label"]), "reference": _mix(reference["label"])},
        "levels": {"window": levels(current), "reference": levels(reference)},
        "evidently": {"version": version(), "results": found.results},
    }
    return _publish(report, found.page, settings)


def _unknown_share(texts: list[str], champion: _Champion) -> float:
    """The share of word pieces that the model's vocabulary does not know."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(champion.folder / "tokenizer.json"))
    tokenizer.enable_truncation(champion.predictor.config["max_length"])
    tokenizer.no_padding()
    unknown, pieces = tokenizer.token_to_id("[UNK]"), 0
    count = 0
    for encoding in tokenizer.encode_batch_fast([normalise(text) for text in texts], add_special_tokens=False):
        pieces += len(encoding.ids)
        count += encoding.ids.count(unknown)
    return count / pieces if pieces else 0.0


def _earlier(report: dict, window: Window, settings: Settings, params: MonitorParams) -> list[tuple[str, dict | str]]:
    """The windows right before, the latest first: their signals, or why they can't be counted."""
    told = []
    for _ in range(params.persistence_windows - 1):
        window = window.previous()
        told.append((window.key, _signals_of(settings.report("monitor", report["topic"], window.key), report["champion"])))
    return told


def _signals_of(path: Path, champion: dict) -> dict | str:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "it was not monitored"
    if before["status"] != "decided":
        return f"it has no decision ({before['status']})"
    if before["champion"] != champion:
        return f"it was compared with version {before['champion']['version']}"
    return before["signals"]


def _mix(labels) -> dict[str, float]:
    return {label: round(float((labels == label).mean()), 6) for label in LABELS}


def _publish(report: dict, comparison: str | None, settings: Settings) -> dict:
    """The page, then the report: the report means done."""
    with replacing(settings.root / report["page"]) as beside:
        beside.write_text(drift_page(report, comparison), encoding="utf-8")
    write_json(report, settings.report("monitor", report["topic"], report["window"]))
    log.info("%s %s: %s, %d posts, drift: %s", report["topic"], report["window"], report["status"], report["rows"], report["is_drift"])
    return report
