"""The section on tuning: what was tried, what was best, how much of its lead fresh seeds confirm, from the report of `tune`."""

from __future__ import annotations

from groundswell.reporting import charts
from groundswell.reporting.blocks import NONE, Block, Missing, Paragraph, Picture, Section, Table, change, count, interval, listed, score, told
from groundswell.reporting.facts import Facts


def section(facts: Facts) -> Section:
    """The section."""
    if not facts.tune:
        return Section("Tuning", (Missing("No hyperparameters were looked for on this topic.", f"groundswell tune --topic {facts.topic}"),))
    report, source = facts.tune.value, facts.tune.source
    blocks: list[Block] = [*_of_other_rows(facts), Paragraph(_tried(report)), Paragraph(finding(report))]
    if compared := _compared(report):
        blocks += [Table("The best values against today's", _AGAINST, compared, source, numeric=4, is_on_slides=True), Paragraph(flattery(report))]
    if report["best"]:
        blocks += [_values(report, source), *_importance(report, source)]
    return Section("Tuning", tuple(blocks))


_AGAINST = ("macro-F1 on validation, of", "best", "today's", "difference", "95 % interval")


def finding(report: dict) -> str:
    """What the study says of its best values, in a sentence."""
    return f"Of {_what(report)}, the best of {told(_number(report), 'trial')}: {report['says']}."


def flattery(report: dict) -> str:
    """By how much the best of so many trials is flattered, as far as fresh seeds can tell."""
    chosen, fresh = report["difference"], report["fresh_seeds"]
    best_of = f"The best of {told(report['trials']['complete'], 'complete trial')} is flattered: it was lucky with its seed, and it was chosen on the"
    best_of += " very rows that it is measured on."
    if not fresh:
        return f"{best_of} No fresh seed was tried, so nobody knows by how much."
    lost = chosen["estimate"] - fresh["difference"]["estimate"]
    shrunk = (
        f"{score(lost)} of the {change(chosen['estimate'])} by which it led was luck with the seed"
        if lost > 0
        else f"With fresh seeds its lead of {change(chosen['estimate'])} did not shrink"
    )
    own = f"its own macro-F1 went from {score(report['best']['macro_f1'])} to {score(fresh['best'])}"
    return f"{best_of} {shrunk}; {own}. What is left is still of the rows that chose it: other rows have the last word, and those are the judge's."


def _number(report: dict) -> int:
    return sum(report["trials"].values())


def _what(report: dict) -> str:
    row = report["row"]
    return f"{row['name']} ({row['model']} on {row['features']})"


def _tried(report: dict) -> str:
    counts = report["trials"]
    ended = listed([f"{count(counts[name])} {word}" for name, word in (("complete", "to the end"), ("pruned", "pruned"), ("failed", "failed"))])
    return (
        f"Optuna tried {told(_number(report), 'set of values', 'sets of values')} of {_what(report)}, today's first: {ended}. Each learnt from the "
        f"training rows and was measured on {count(report['rows']['validation'])} validation rows; the test rows were not looked at."
    )


def _of_other_rows(facts: Facts) -> list[Block]:
    md5 = facts.tune.value["dataset_md5"]
    if md5 == facts.dataset_md5:
        return []
    return [Paragraph(f"This study is of the data set {md5}, not of the one told of above ({facts.dataset_md5 or NONE}).")]


def _compared(report: dict) -> tuple[tuple[str, ...], ...]:
    if not report["difference"]:
        return ()
    lines = [("the trials themselves", report["best"]["macro_f1"], report["default"]["macro_f1"], report["difference"])]
    if fresh := report["fresh_seeds"]:
        which = ("seed " if len(fresh["seeds"]) == 1 else "seeds ") + listed([str(seed) for seed in fresh["seeds"]])
        lines.append((f"learnt anew with {which}", fresh["best"], fresh["default"], fresh["difference"]))
    return tuple((name, score(best), score(today), change(by["estimate"]), interval(by["low"], by["high"], "+")) for name, best, today, by in lines)


def _values(report: dict, source: str) -> Table:
    best, today = report["best"]["params"], (report["default"] or {}).get("params", {})
    rows = [
        (name.replace("_", " "), _limits(limits), *(_short(values.get(name)) for values in (today, best)), _share(report["importance"].get(name)))
        for name, limits in report["space"].items()
    ]
    headings = ("hyperparameter", "tried", "today's", "best", "importance")
    note = "Importance: each one's share in what sets the best trials apart (PED-ANOVA)." if report["importance"] else ""
    return Table("What was tried, and what was best", headings, tuple(rows), source, numeric=3, note=note, is_on_slides=True)


def _limits(limits: dict) -> str:
    if "values" in limits:
        return ", ".join(map(_short, limits["values"]))
    return f"{_short(limits['low'])} to {_short(limits['high'])}" + (", by order of magnitude" if limits["is_log"] else "")


def _short(value) -> str:
    return NONE if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.0%}"


def _importance(report: dict, source: str) -> list[Block]:
    if not any(report["importance"].values()):
        return []
    found = sorted(report["importance"].items(), key=lambda item: (-item[1], item[0]))
    drawn = charts.shares([(name.replace("_", " "), value) for name, value in found])
    return [Picture("importance.svg", "What the best trials have in common: the importance of each hyperparameter", drawn, source)]
