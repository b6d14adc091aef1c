"""The section on drift: what `monitor` decided of the latest windows."""

from __future__ import annotations

from groundswell.reporting.blocks import NONE, Block, Listing, Missing, Paragraph, Section, Table, count, listed, told
from groundswell.reporting.facts import Facts

_SIGNALS = 10


def section(facts: Facts) -> Section:
    """The section."""
    if not facts.monitor:
        missing = Missing("No window was held against the champion's reference.", f"groundswell monitor --window DAY --topic {facts.topic}")
        return Section("Drift", (missing,))
    blocks: list[Block] = [Paragraph(summary(facts)), _windows(facts)]
    last = facts.monitor[-1]
    if last.value["status"] == "decided":
        blocks += [_signals(last.value, last.source), Listing(tuple(last.value["reasons"]), title=f"Of {last.value['window']}, monitor says")]
    return Section("Drift", tuple(blocks))


def summary(facts: Facts) -> str:
    """What the monitored windows say, in a sentence or two."""
    reports = [one.value for one in facts.monitor]
    decided = [one for one in reports if one["status"] == "decided"]
    span = f"{told(len(reports), 'window was', 'windows were')} monitored lately, {reports[0]['window']} to {reports[-1]['window']}"
    if not decided:
        return f"{span}; none could be decided."
    drifted = [one["window"] for one in decided if one["is_drift"]]
    found = f"drift was found in {told(len(drifted), 'window')} ({listed(drifted)})" if drifted else "drift was found in none"
    others = sorted({one["champion"]["version"] for one in decided} - {facts.subject.version if facts.subject else None})
    stale = f" Some were compared with version {listed(others)}, which is not the model told of here." if others else ""
    return f"{span}; of the {count(len(decided))} that could be decided, {found}.{stale}"


def _windows(facts: Facts) -> Table:
    rows = []
    for one in (found.value for found in facts.monitor):
        over = sum(signal["is_over"] for signal in one["signals"].values())
        said = "drift" if one["is_drift"] else "no drift" if one["status"] == "decided" else one["status"].replace("_", " ")
        version = one["champion"]["version"] if one["champion"] else NONE
        rows.append((one["window"], said, version, count(one["rows"]), count(over), ", ".join(one["lasting"]) or NONE))
    headings = ("window", "decision", "against version", "posts", "signals over", "lasting")
    folder = facts.monitor[-1].source.rpartition("/")[0]
    return Table("The latest windows", headings, tuple(rows), f"{folder}/", is_on_slides=True)


def _signals(report: dict, source: str) -> Table:
    ordered = sorted(report["signals"].items(), key=lambda item: (-item[1]["effect"] / item[1]["threshold"], item[0]))[:_SIGNALS]
    rows = [(name, one["method"], *(f"{one[key]:.3f}" for key in ("effect", "threshold", "noise"))) for name, one in ordered]
    title = f"The signals nearest to their thresholds, {report['window']}"
    return Table(title, ("signal", "method", "effect", "threshold", "by chance"), tuple(rows), source, numeric=3)
