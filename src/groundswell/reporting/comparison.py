"""The section on the comparison: every approach on the same folds, with intervals, cost and speed, from the report of `compare`."""

from __future__ import annotations

from groundswell.compare_plots import curves_picture, frontier, pareto_picture
from groundswell.reporting import charts
from groundswell.reporting.blocks import (
    NONE,
    Block,
    Listing,
    Missing,
    Paragraph,
    Picture,
    Section,
    Table,
    change,
    count,
    interval,
    listed,
    megabytes,
    score,
    seconds,
    told,
)
from groundswell.reporting.facts import Facts


def section(facts: Facts) -> Section:
    """The section."""
    if not facts.compare:
        remedy = f"groundswell compare --topic {facts.topic}"
        return Section("Comparison", (Missing("The approaches were not compared on this topic.", remedy),))
    report, source = facts.compare.value, facts.compare.source
    done = ranked(report)
    blocks: list[Block] = [*_of_other_rows(facts), *(Paragraph(line) for line in findings(report))]
    if done:
        blocks += [_chart(done, source), _qualities(done, report["samples"], source), _costs(done, source), *_pareto(report, source)]
    blocks += _curves(report, source) + _not_done(report, source)
    machine = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(report.get("machine", {}).items()))
    if machine:
        blocks.append(Paragraph(f"Times, speeds and memory are of this machine: {machine}."))
    return Section("Comparison", tuple(blocks))


def ranked(report: dict) -> list[dict]:
    """The rows that were measured, the best mean macro-F1 first."""
    return sorted((row for row in report["rows"] if row["status"] == "done"), key=lambda row: (-row["macro_f1"]["mean"], row["name"]))


def findings(report: dict) -> list[str]:
    """What the comparison says, in sentences."""
    done = ranked(report)
    if not done:
        return ["No approach was measured to its end."]
    best = next((row for row in done if row["name"] == report["best"]), done[0])
    like = [row["name"] for row in done if row["against_best"]["says"] == "indistinguishable"]
    worse = sum(row["against_best"]["says"] == "worse" for row in done)
    found = best["macro_f1"]
    first = f"Of {told(len(done), 'approach', 'approaches')}, {best['name']} has the highest mean macro-F1, {score(found['mean'])}"
    first += f" ({interval(found['low'], found['high'])})."
    if like:
        return [first, f"It can't be told apart from {listed(like)}: the differences are indistinguishable from none; {_worse(worse)}."]
    return [first, f"It stands alone: no other is indistinguishable from it; {_worse(worse)}."]


def _worse(number: int) -> str:
    return f"{told(number, 'approach is', 'approaches are')} worse after Holm's correction"


def _of_other_rows(facts: Facts) -> list[Block]:
    md5 = facts.compare.value.get("dataset_md5")
    if md5 == facts.dataset_md5:
        return []
    return [
        Paragraph(f"These numbers are of the data set {md5}, not of the one told of above ({facts.dataset_md5 or NONE}): don't hold them together.")
    ]


def _chart(done: list[dict], source: str) -> Picture:
    rows = [{"name": row["name"], **row["macro_f1"], "says": row["against_best"]["says"]} for row in done]
    title = "Macro-F1, 95 % intervals; green the best, blue indistinguishable"
    return Picture("comparison.svg", title, charts.intervals(rows), source)


def _qualities(done: list[dict], samples: int, source: str) -> Table:
    rows = []
    for row in done:
        found, against = row["macro_f1"], row["against_best"]
        numbers = (score(found["mean"]), interval(found["low"], found["high"]), score(row["macro_recall"]["mean"]), score(row["accuracy"]["mean"]))
        tested = (NONE, NONE) if against["says"] == "best" else (change(against["estimate"]), _p(against, samples))
        rows.append((row["name"], against["says"], *numbers, *tested))
    headings = ("approach", "against the best", "macro-F1", "95 % interval", "macro-recall", "accuracy", "difference", "p (Holm)")
    return Table("Approaches on the same folds", headings, tuple(rows), source, numeric=6, is_on_slides=True)


def _p(against: dict, samples: int) -> str:
    """With ``≤`` where no resample contradicts the difference: so many resamples can't show a smaller one."""
    return ("≤ " if against["p_value"] <= 2 / (samples + 1) + 1e-6 else "") + f"{against['p_holm']:.3f}"


def _costs(done: list[dict], source: str) -> Table:
    rows = []
    for row in done:
        made = f"{row['cleaning']} → {row['features']} → {row['model']}" + (f" + {row['augmentation']}" if row["augmentation"] != "none" else "")
        sizes = (megabytes(row.get("size_bytes")), megabytes(row.get("peak_memory_bytes")))
        speed = row.get("posts_per_second")  # a cost that could not be measured is not there
        rows.append((row["name"], made, seconds(row.get("train_seconds")), NONE if speed is None else f"{speed:,.0f}", *sizes))
    headings = ("approach", "cleaning → features → model", "one fit, s", "posts/s, one core", "size, MB", "peak memory, MB")
    return Table("What they are made of, and what they cost", headings, tuple(rows), source, numeric=4)


def _pareto(report: dict, source: str) -> list[Block]:
    timed = [row for row in ranked(report) if row.get("posts_per_second")]
    if len(timed) < 2:
        return []
    drawn = charts.drawn_by_compare(pareto_picture(report))
    return [
        Picture("pareto.svg", "Quality by speed, and the approaches that none beats in both", drawn, source),
        Paragraph(f"No other approach is both better and faster than {listed(frontier(timed)[::-1])}."),
    ]


def _curves(report: dict, source: str) -> list[Block]:
    curves, picture = [curve for curve in report["curves"] if len(curve["points"]) > 1], curves_picture(report)
    if not picture:
        return [Missing("There are no learning curves.", "name rows under compare.curves in params.yaml, then groundswell compare")]
    labels = sorted({point["labels"] for curve in curves for point in curve["points"]})
    rows = []
    for curve in curves:
        at = {point["labels"]: point for point in curve["points"]}
        cells = (f"{score(at[n]['macro_f1'])} ({interval(at[n]['low'], at[n]['high'])})" if n in at else NONE for n in labels)
        rows.append((curve["name"], *cells))
    headings = ("approach", *(f"{count(number)} labels" for number in labels))
    return [
        Picture("learning_curves.svg", "Macro-F1 by the number of labelled posts to learn from", charts.drawn_by_compare(picture), source),
        Table("Learning curves", headings, tuple(rows), source, numeric=len(labels), note=_gain(curves)),
    ]


def _gain(curves: list[dict]) -> str:
    """What the last step of labels bought, each curve's."""
    found = []
    for curve in curves:
        line = sorted(curve["points"], key=lambda point: point["labels"])
        step = f"from {count(line[-2]['labels'])} to {count(line[-1]['labels'])} labels"
        found.append(f"{curve['name']}: {change(line[-1]['macro_f1'] - line[-2]['macro_f1'])} {step}")
    return f"The last step: {'; '.join(found)}."


def _not_done(report: dict, source: str) -> list[Block]:
    lines = tuple(f"{row['name']}: {row['status']} ({row.get('why', 'no reason given')})" for row in report["rows"] if row["status"] != "done")
    return [Listing(lines, title=f"Not measured, by {source}")] if lines else []
