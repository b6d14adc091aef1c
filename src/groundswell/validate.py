"""validate: a window's raw posts held against rules; the good ones go on, the others aside with a reason.

Reads ``lake/raw`` of every source of a topic. What it writes has been scrubbed of personal data that has a form (`hygiene`), after
the rules have seen the rows as they came. Writes ``lake/quarantine`` (rows that broke a row rule, with the rules' names),
``lake/valid`` (the rest), a page and a report, in this order, the report last. Refuses, with `ValidationFailed`, a window of
which a partition breaks a table rule: neither of its layers is touched then, page and report are written all the same.
A range of windows is one Great Expectations run over all its rows; each window is still accepted or refused by itself.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from groundswell.config import HygieneParams, Settings, ValidateParams
from groundswell.errors import UsageError, ValidationFailed
from groundswell.files import replacing, write_json
from groundswell.hygiene import Hygiene
from groundswell.lake import Lake, Partition
from groundswell.schema import POST, QUARANTINE
from groundswell.tombstones import Tombstones
from groundswell.window import Window

log = logging.getLogger(__name__)

_CHECKED = ["source", "topic", "post_id", "author", "created_at", "text", "lang", "label", "label_provenance"]
_HYGIENE = HygieneParams()
_QUARANTINE = pa.schema([field.with_nullable(True) for field in QUARANTINE])  # what is missing from a row is why it lies there


@dataclass(frozen=True)
class _Raw:
    """A raw partition: its rows in order (none where columns are wrong), what is wrong with its columns, and its footer."""

    partition: Partition
    table: pa.Table
    is_decodable: np.ndarray
    columns_wrong: list[str]
    rows: int
    described: dict


def validate(
    topic: str,
    sources: Sequence[str],
    windows: Sequence[Window],
    *,
    settings: Settings,
    params: ValidateParams,
    hygiene: HygieneParams = _HYGIENE,
) -> dict:
    """Validate ``windows`` (in order) of ``topic``; returns the report, and under ``changed`` the valid partitions that are new or ``revised``.

    A revision has the reason of its raw partition. `LakeError` names a raw partition that is not there.
    """
    from groundswell.expectations import check, partition_rules, row_rules

    if not sources:
        raise UsageError(f"topic {topic!r} has no source in params.yaml: name one under topics.{topic}")
    lake, tombstones, cleaner = Lake(settings.lake), Tombstones(settings), Hygiene(hygiene)
    raws = [_read(lake, lake.partition("raw", source, topic, window), tombstones) for window in windows for source in sources]
    frame = _frame(raws)
    rows = check("posts", row_rules(params), frame)
    reasons = _reasons(rows.broken)
    summary = _summary(raws, frame, reasons, params)
    tables = check("partitions", partition_rules(params), summary)
    failures = _failures(tables.broken, raws, summary, params)
    before = {raw.partition.key: _valid_content(lake, raw.partition) for raw in raws}
    written, scrubbed = _write(lake, raws, reasons, {failure["window"] for failure in failures}, tombstones, cleaner)
    report = _report(topic, windows, raws, reasons, summary, failures, written, {"posts": rows, "partitions": tables}) | {"scrubbed": scrubbed}
    _publish(report, settings)
    if failures:
        raise ValidationFailed(_explain(report, settings))
    changed = [key for key, raw in ((raw.partition.key, raw) for raw in raws) if _valid_content(lake, raw.partition) != before[key]]
    return report | {"changed": changed, "revised": [key for key in changed if before[key]]}


def _valid_content(lake: Lake, raw: Partition) -> str | None:
    valid = lake.partition("valid", raw.source, raw.topic, raw.window)
    return lake.metadata(valid).get("content_sha256") if lake.exists(valid) else None


def _read(lake: Lake, partition: Partition, tombstones: Tombstones) -> _Raw:
    table = tombstones.without(lake.read(partition), partition.source)
    fitted, wrong = _fit(table)
    repaired, is_decodable = _decodable(fitted)
    ordered = pc.sort_indices(repaired, sort_keys=[("created_at", "ascending"), ("post_id", "ascending")])
    return _Raw(partition, repaired.take(ordered), is_decodable[ordered.to_numpy()], wrong, table.num_rows, lake.describe(partition))


def _fit(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """``table`` with the columns and types of a post, nulls allowed; no rows and what is wrong where it can't be had."""
    wanted = pa.schema([field.with_nullable(True) for field in POST])
    wrong = [f"{name} is missing" for name in wanted.names if name not in table.column_names]
    columns = []
    for field in wanted if not wrong else []:
        try:
            columns.append(table.column(field.name).cast(field.type))
        except pa.ArrowException:
            wrong.append(f"{field.name} is {table.column(field.name).type}, not {field.type}")
    return (wanted.empty_table(), wrong) if wrong else (pa.table(columns, schema=wanted), [])


def _decodable(table: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """``table`` with U+FFFD for what is not UTF-8, and which rows had none of it: Parquet does not check what it reads."""
    is_decodable = np.ones(table.num_rows, dtype=bool)
    for number, field in enumerate(table.schema):
        if pa.types.is_string(field.type) and not _is_utf8(table.column(number)):
            before = table.column(number).cast(pa.binary()).to_pylist()
            after = [None if value is None else value.decode("utf-8", "replace") for value in before]
            is_decodable &= [value is None or value.encode() == was for value, was in zip(after, before, strict=True)]
            table = table.set_column(number, field, pa.array(after, pa.string()))
    return table, is_decodable


def _is_utf8(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _frame(raws: list[_Raw]) -> pd.DataFrame:
    """Every row of every partition, what the row rules look at, and to which partition it belongs."""
    table = pa.concat_tables([raw.table.select(_CHECKED) for raw in raws])
    frame = table.to_pandas()
    number = np.repeat(np.arange(len(raws)), [raw.table.num_rows for raw in raws])
    frame["row"] = np.arange(len(frame))
    frame["partition"] = number
    frame["partition_source"] = np.array([raw.partition.source for raw in raws], dtype=object)[number]
    frame["partition_topic"] = np.array([raw.partition.topic for raw in raws], dtype=object)[number]
    frame["window_start"] = _times([raw.partition.window.start for raw in raws])[number]
    frame["window_end"] = _times([raw.partition.window.end for raw in raws])[number]
    frame["is_decodable"] = np.concatenate([raw.is_decodable for raw in raws])
    frame["is_repeated"] = frame.duplicated(["partition", "post_id"]) & frame["post_id"].notna()
    frame["has_label"], frame["has_provenance"] = frame["label"].notna(), frame["label_provenance"].notna()
    return frame


def _times(moments: list) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(moments, utc=True)).as_unit("us")


def _reasons(broken: dict[str, np.ndarray]) -> dict[int, list[str]]:
    """Row → the rules it broke, in the rules' order."""
    reasons: dict[int, list[str]] = {}
    for rule, rows in broken.items():
        for row in rows.tolist():
            reasons.setdefault(row, []).append(rule)
    return reasons


def _summary(raws: list[_Raw], frame: pd.DataFrame, reasons: dict[int, list[str]], params: ValidateParams) -> pd.DataFrame:
    """One row a partition: what the table rules look at. Shares of too few rows are null: Great Expectations passes over them."""
    quarantined = np.zeros(len(frame), dtype=bool)
    quarantined[list(reasons)] = True
    has_text = frame["text"].notna() & (frame["text"] != "")
    is_duplicate = frame["is_repeated"] | (frame.duplicated(["partition", "text"]) & has_text)
    summary = pd.DataFrame({"row": np.arange(len(raws)), "columns_wrong": [len(raw.columns_wrong) for raw in raws]})
    summary["rows_raw"] = [raw.rows for raw in raws]
    summary["rows_due"] = [params.rows_due.get(raw.partition.source, 0) for raw in raws]
    summary["rows_quarantined"] = np.bincount(frame["partition"], weights=quarantined, minlength=len(raws)).astype(int)
    summary["rows_duplicate"] = np.bincount(frame["partition"], weights=is_duplicate, minlength=len(raws)).astype(int)
    enough = summary["rows_raw"].where(summary["rows_raw"] >= params.min_rows_for_shares)
    summary["quarantined_share"] = summary["rows_quarantined"] / enough
    summary["duplicate_share"] = summary["rows_duplicate"] / enough
    return summary


def _failures(broken: dict[str, np.ndarray], raws: list[_Raw], summary: pd.DataFrame, params: ValidateParams) -> list[dict]:
    """What broke a table rule: the partition, the rule, and the numbers in words, in the order of windows."""
    found = [(row, rule) for rule, rows in broken.items() for row in rows.tolist()]
    return [
        {
            "window": raws[row].partition.window.key,
            "source": raws[row].partition.source,
            "rule": rule,
            "found": _numbers(rule, raws[row], summary.iloc[row], params),
        }
        for row, rule in sorted(found, key=lambda pair: pair[0])
    ]


def _numbers(rule: str, raw: _Raw, row: pd.Series, params: ValidateParams) -> str:
    if rule == "columns_missing":
        return "; ".join(raw.columns_wrong)
    if rule == "rows_missing":
        return f"{row.rows_raw:.0f} rows where at least {row.rows_due:.0f} were due"
    if rule == "too_many_quarantined":
        count, what, share, most = row.rows_quarantined, "are quarantined", row.quarantined_share, params.max_quarantined_share
    else:
        count, what, share, most = row.rows_duplicate, "repeat an earlier id or text", row.duplicate_share, params.max_duplicate_share
    return f"{count:.0f} of {row.rows_raw:.0f} rows {what} ({share:.1%}; at most {most:.1%} may)"


def _write(lake: Lake, raws: list[_Raw], reasons: dict[int, list[str]], refused: set[str], tombstones: Tombstones, cleaner: Hygiene) -> tuple:
    """Write the accepted windows, quarantine before valid; partition key → layer → what lies there now; and source → kind → finds taken out."""
    written, scrubbed, first = {}, {}, 0
    for done, raw in enumerate(raws, start=1):
        rows = range(first, first := first + raw.table.num_rows)
        written[raw.partition.key] = {"raw": _facts({**raw.described, "rows": raw.rows})}
        if raw.partition.window.key not in refused:
            named = pa.array([";".join(reasons[row]) if row in reasons else None for row in rows], pa.string())
            clean, found = cleaner.scrub(raw.table)
            scrubbed.setdefault(raw.partition.source, Counter()).update(found)
            written[raw.partition.key] |= _write_partition(lake, replace(raw, table=clean), named, tombstones)
        if done % 500 == 0:
            log.info("%d of %d partitions written", done, len(raws))
    return written, {source: dict(sorted(found.items())) for source, found in sorted(scrubbed.items())}


def _write_partition(lake: Lake, raw: _Raw, named: pa.Array, tombstones: Tombstones) -> dict[str, dict]:
    metadata = {key: raw.described[key] for key in ("status", "connector_version") if key in raw.described}
    metadata = {"status": "complete", **metadata, "window": raw.partition.window.key}
    aside = raw.table.append_column("reason", named).filter(named.is_valid()).cast(_QUARANTINE)
    valid = raw.table.filter(named.is_null()).cast(POST)
    key = (raw.partition.source, raw.partition.topic, raw.partition.window)
    reason = raw.described.get("reason") or "validated again"
    return {
        "quarantine": _facts(tombstones.publish(lake, lake.partition("quarantine", *key), aside, metadata, reason=reason)),
        "valid": _facts(tombstones.publish(lake, lake.partition("valid", *key), valid, metadata, reason=reason)),
    }


def _facts(described: dict) -> dict:
    return {key: described[key] for key in ("rows", "sha256", "content_sha256") if key in described}


def _report(topic, windows, raws, reasons, summary, failures, written, verdicts) -> dict:
    window = windows[0].key if len(windows) == 1 else f"{windows[0].key}..{windows[-1].key}"
    quarantined = Counter(rule for rules in reasons.values() for rule in rules)
    return {
        "stage": "validate",
        "topic": topic,
        "window": window,
        "success": not failures,
        "windows": len(windows),
        "windows_refused": sorted({failure["window"] for failure in failures}),
        "rows_raw": int(summary["rows_raw"].sum()),
        "rows_valid": int(summary["rows_raw"].sum()) - len(reasons) - sum(raw.rows for raw in raws if raw.columns_wrong),
        "rows_quarantined": len(reasons),
        "quarantined": dict(sorted(quarantined.items())),
        "sources": _by_source(raws, summary),
        "failures": failures,
        "partitions": written,
        "great_expectations": _great_expectations(verdicts),
        "page": f"reports/validate/{topic}/{window}.html",
    }


def _by_source(raws: list[_Raw], summary: pd.DataFrame) -> dict[str, dict]:
    counts = summary[["rows_raw", "rows_quarantined", "rows_duplicate"]].groupby([raw.partition.source for raw in raws]).sum()
    return {source: {name: int(value) for name, value in row.items()} for source, row in counts.to_dict("index").items()}


def _great_expectations(verdicts: dict) -> dict:
    from importlib.metadata import version

    suites = {name: {"success": v.success, "statistics": v.statistics, "results": v.results} for name, v in verdicts.items()}
    return {"version": version("great-expectations"), "suites": suites}


def _publish(report: dict, settings: Settings) -> None:
    """The page, then the report: the report means done."""
    from groundswell.pages import validation_page

    with replacing(settings.root / report["page"]) as beside:
        beside.write_text(validation_page(report), encoding="utf-8")
    write_json(report, settings.report("validate", report["topic"], report["window"]))
    log.info("%s %s: %d raw, %d quarantined", report["topic"], report["window"], report["rows_raw"], report["rows_quarantined"])


def _explain(report: dict, settings: Settings) -> str:
    shown = [f"{failure['window']} {failure['source']}: {failure['found']}" for failure in report["failures"][:3]]
    more = len(report["failures"]) - len(shown)
    told = "; ".join(shown) + (f"; and {more} more" if more else "")
    return f"topic {report['topic']}: {told}. Nothing of these windows went to valid; see {settings.home / report['page']}"
