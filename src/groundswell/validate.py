"""validate: a window's raw posts held against rules; the good ones go on, the others aside with a reason.

Reads ``lake/raw`` of every source of a topic. What it writes has been scrubbed of personal data that has a form (`hygiene`), after
the rules have seen the rows as they came. Writes ``lake/quarantine`` (rows that broke a row rule, with the rules' names),
``lake/valid`` (the rest), a page and a report, in this order, the report last. Refuses, with `ValidationFailed`, a window of
which a partition breaks a table rule: neither of its layers is touched then, page and report are written all the same.
With ``spare_missing`` a source that was not collected keeps no other's posts waiting: it is named in the report.
A range of windows is held a group of windows at a time, a large window a piece at a time (`rawrows`): each window is still accepted
or refused by itself, and the report speaks of the whole range.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from groundswell.copies import Beginning
from groundswell.errors import UsageError, ValidationFailed
from groundswell.findings import Findings, explained, published
from groundswell.hygiene import Hygiene
from groundswell.lake import Lake, Partition
from groundswell.params import HygieneParams, ValidateParams
from groundswell.rawrows import PIECE, Piece, RawRows, frame_of, together
from groundswell.schema import POST, QUARANTINE
from groundswell.settings import Settings
from groundswell.superseded import written_as
from groundswell.tombstones import Tombstones
from groundswell.window import Window

if TYPE_CHECKING:
    from groundswell.expectations import Verdict

log = logging.getLogger(__name__)

_HYGIENE = HygieneParams()
_QUARANTINE = pa.schema([field.with_nullable(True) for field in QUARANTINE])  # what is missing from a row is why it lies there


@dataclass
class _Group:
    """Windows that are looked at together: their raw rows, and for each of those the reasons to put it aside (null: none)."""

    raws: list[RawRows]
    reasons: list[list[pa.Array]]
    posts: Verdict | None = None
    partitions: Verdict | None = None
    summary: pd.DataFrame | None = None
    failures: list[dict] = field(default_factory=list)


def validate(
    topic: str,
    sources: Sequence[str],
    windows: Sequence[Window],
    *,
    settings: Settings,
    params: ValidateParams,
    hygiene: HygieneParams = _HYGIENE,
    spare_missing: bool = False,
    among: Collection[str] = (),
) -> dict:
    """Validate ``windows`` (in order) of ``topic``; returns the report, and under ``changed`` the valid partitions that are new or ``revised``.

    ``among``: all sources of the topic, where ``sources`` are some of them. What the windows' last report says of the others stays in it.

    A revision has the reason of its raw partition. `LakeError` names a raw partition that is not there. With ``spare_missing`` it is named
    under ``missing`` instead, where ``rows_due`` asks nothing of its source and the window has a partition of another one.
    """
    if not sources:
        raise UsageError(f"topic {topic!r} has no source in params.yaml: name one under topics.{topic}")
    lake, tombstones, cleaner = Lake(settings.lake), Tombstones(settings), Hygiene(hygiene)
    missing = _missing(lake, topic, [each for each in sources if not params.rows_due.get(each)], windows) if spare_missing else []
    found = Findings(missing=[partition.key for partition in missing])
    for partitions in _groups(lake, topic, sources, windows, spared=set(missing)):
        group = _judged([RawRows(lake, partition, tombstones) for partition in partitions], params)
        _write(lake, group, tombstones, cleaner, found)
        found.add(group.raws, group.summary, group.reasons, group.failures, {"posts": group.posts, "partitions": group.partitions})
        log.info("%s: validated up to %s", topic, partitions[-1].window.key)
    report = published(topic, windows, found, settings, keep=set(among) - set(sources))
    if found.failures:
        raise ValidationFailed(explained(topic, found, settings.home / report["page"]))
    return report | {"changed": found.changed, "revised": found.revised}


def _missing(lake: Lake, topic: str, sources: Sequence[str], windows: Sequence[Window]) -> list[Partition]:
    """The raw partitions of ``sources`` that are not there, loudly."""
    partitions = [lake.partition("raw", source, topic, window) for window in windows for source in sources]
    missing = [partition for partition in partitions if not lake.exists(partition)]
    for partition in missing:
        log.warning("%s is not in the lake: its window is validated without it, and stays a hole until it is collected and validated", partition)
    return missing


def _groups(lake: Lake, topic: str, sources: Sequence[str], windows: Sequence[Window], *, spared: Collection[Partition]) -> list[list[Partition]]:
    """Raw partitions of windows next to each other, together a piece of rows or a single window; all must be there but those ``spared``,
    and of each window one."""
    groups, rows = [], 0
    for window in windows:
        due = [lake.partition("raw", source, topic, window) for source in sources]
        partitions = [partition for partition in due if partition not in spared] or due
        more = sum(lake.metadata(partition)["rows"] for partition in partitions)
        if not groups or rows + more > PIECE:
            groups.append([])
            rows = 0
        groups[-1] += partitions
        rows += more
    return groups


def _judged(raws: list[RawRows], params: ValidateParams) -> _Group:
    """What the rules say of a group's rows and of its partitions."""
    from groundswell.expectations import check, merged, partition_rules, row_rules

    group, verdicts, beginnings = _Group(raws, [[] for _ in raws]), [], [Beginning(params) for _ in raws]
    for parts in together(raws):
        for number, piece in parts:
            beginnings[number].take(piece)
        verdict = check("posts", row_rules(params), frame_of(raws, parts))
        _take_reasons(group, parts, verdict)
        verdicts.append(verdict)
    group.posts = merged(verdicts)
    group.summary = _summary(group, params).join(pd.DataFrame([beginning.counts() for beginning in beginnings]))
    group.partitions = check("partitions", partition_rules(params), group.summary)
    group.failures = _failures(group.partitions.broken, raws, group.summary, params)
    return group


def _take_reasons(group: _Group, parts: list[tuple[int, Piece]], verdict: Verdict) -> None:
    """The rules that each row broke, in the rules' order, to where its partition's are."""
    reasons: dict[int, list[str]] = {}
    for rule, rows in verdict.broken.items():
        for row in rows.tolist():
            reasons.setdefault(row, []).append(rule)
    first = 0
    for number, piece in parts:
        rows = range(first, first := first + piece.table.num_rows)
        group.reasons[number].append(pa.array([";".join(reasons[row]) if row in reasons else None for row in rows], pa.string()))


def _summary(group: _Group, params: ValidateParams) -> pd.DataFrame:
    """One row a partition: what the table rules look at. Shares of too few rows are null: Great Expectations passes over them."""
    raws = group.raws
    summary = pd.DataFrame({"row": np.arange(len(raws)), "columns_wrong": [len(raw.columns_wrong) for raw in raws]})
    summary["rows_raw"] = [raw.rows for raw in raws]
    summary["rows_due"] = [params.rows_due.get(raw.partition.source, 0) for raw in raws]
    summary["rows_quarantined"] = [sum(len(part) - part.null_count for part in parts) for parts in group.reasons]
    summary["rows_duplicate"] = [int(raw.is_duplicate.sum()) for raw in raws]
    enough = summary["rows_raw"].where(summary["rows_raw"] >= params.min_rows_for_shares)
    summary["quarantined_share"] = summary["rows_quarantined"] / enough
    summary["duplicate_share"] = summary["rows_duplicate"] / enough
    return summary


def _failures(broken: dict[str, np.ndarray], raws: list[RawRows], summary: pd.DataFrame, params: ValidateParams) -> list[dict]:
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


def _numbers(rule: str, raw: RawRows, row: pd.Series, params: ValidateParams) -> str:
    if rule == "columns_missing":
        return "; ".join(raw.columns_wrong)
    if rule == "rows_missing":
        return f"{row.rows_raw:.0f} rows where at least {row.rows_due:.0f} were due"
    if rule == "too_many_quarantined":
        count, what, share, most = row.rows_quarantined, "are quarantined", row.quarantined_share, params.max_quarantined_share
    else:
        count, what, share, most = row.rows_duplicate, "repeat an earlier id or text", row.duplicate_share, params.max_duplicate_share
    return f"{count:.0f} of {row.rows_raw:.0f} rows {what} ({share:.1%}; at most {most:.1%} may)"


def _write(lake: Lake, group: _Group, tombstones: Tombstones, cleaner: Hygiene, found: Findings) -> None:
    """Write the accepted windows; what lies there now, what was taken out, and which valid partitions are other ones goes to ``found``."""
    refused = {failure["window"] for failure in group.failures}
    for raw, reasons in zip(group.raws, group.reasons, strict=True):
        written = {"raw": _facts({**raw.described, "rows": raw.rows})}
        if raw.partition.window.key not in refused:
            before = _valid_content(lake, raw.partition)
            written |= _write_partition(lake, raw, reasons, tombstones, cleaner, found.scrubbed.setdefault(raw.partition.source, Counter()))
            is_changed = written["valid"]["content_sha256"] != before
            found.changed += [raw.partition.key] * is_changed
            found.revised += [raw.partition.key] * (is_changed and before is not None)
        found.written[raw.partition.key] = written


def _write_partition(
    lake: Lake, raw: RawRows, reasons: list[pa.Array], tombstones: Tombstones, cleaner: Hygiene, scrubbed: Counter
) -> dict[str, dict]:
    """Scrub a partition's rows and put them in their places, quarantine before valid."""
    metadata = {key: raw.described[key] for key in ("status", "connector_version") if key in raw.described}
    metadata = {"status": "complete", **metadata, "window": raw.partition.window.key, "made_of": written_as(raw.described)}
    key = (raw.partition.source, raw.partition.topic, raw.partition.window)
    valid, aside = lake.partition("valid", *key), lake.partition("quarantine", *key)
    why = raw.described.get("reason") or "validated again"
    with lake.writing(valid, POST, metadata, reason=why) as good, lake.writing(aside, _QUARANTINE, metadata, reason=why) as bad:
        for piece, named in zip(raw.pieces(), reasons, strict=True):
            clean, taken = cleaner.scrub(piece.table)
            scrubbed.update(taken)
            bad.add(clean.append_column("reason", named).filter(named.is_valid()).cast(_QUARANTINE))
            good.add(clean.filter(named.is_null()).cast(POST))
        raw.require_unchanged()
    return {"quarantine": _facts(tombstones.settle(lake, aside)), "valid": _facts(tombstones.settle(lake, valid))}


def _valid_content(lake: Lake, raw: Partition) -> str | None:
    valid = lake.partition("valid", raw.source, raw.topic, raw.window)
    return lake.metadata(valid).get("content_sha256") if lake.exists(valid) else None


def _facts(described: dict) -> dict:
    return {key: described[key] for key in ("rows", "sha256", "content_sha256") if key in described}
