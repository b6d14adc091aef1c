"""The section on the model: test scores with intervals, classes, slices, calibration, behaviour, the verdict, and the ledger's history."""

from __future__ import annotations

from collections import Counter

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
    Tiles,
    change,
    count,
    interval,
    megabytes,
    p_value,
    score,
    seconds,
    share,
)
from groundswell.reporting.facts import Facts
from groundswell.reporting.method import sizes

_MEASURES = {
    "macro_f1": "macro-F1",
    "macro_recall": "macro-averaged recall",
    "accuracy": "accuracy",
    "roc_auc": "ROC-AUC, mean of the classes",
    "ece": "expected calibration error",
    "log_loss": "log-loss",
}


def section(facts: Facts) -> Section:
    """The section; its name says whether there is a champion."""
    name = "Champion" if facts.is_champion or not facts.subject else "Challenger"
    if not facts.subject:
        return Section(name, (Missing("No model of this topic is registered.", f"groundswell train --topic {facts.topic}"),))
    blocks = [*_who(facts), *_measured(facts), *_judged(facts), *_last_verdict(facts), *_history(facts)]
    return Section(name, tuple(blocks))


def _who(facts: Facts) -> list[Block]:
    found = facts.subject
    tags = f"run {found.run_id}, data set {facts.dataset_md5 or NONE}"
    said = f"This is {facts.subject_named} of {found.name} ({tags})."
    return [Paragraph(said if facts.is_champion else f"{said} No version is champion yet: nothing serves. What follows is of the challenger.")]


def _measured(facts: Facts) -> list[Block]:
    if not facts.evaluate:
        return [Missing(f"The test scores of {facts.subject_named}: its run holds no evaluation.", f"groundswell evaluate --topic {facts.topic}")]
    report, source = facts.evaluate.value, facts.evaluate.source
    model = report["model"]
    latency = report["latency"]
    tiles = {"macro-F1 on test": score(model["macro_f1"]), "macro-recall": score(model["macro_recall"]), "accuracy": score(model["accuracy"])}
    tiles |= {"test rows": count(model["rows"]), "ms for one post (p50)": f"{latency['single_p50_ms']:.1f}"}
    blocks: list[Block] = [Tiles(tiles, source), _scores(report, source), _classes(report, source), *_pictures(facts)]
    blocks.append(
        Paragraph(
            f"Asked alone, a post takes {latency['single_p50_ms']:.1f} ms (p50) and {latency['single_p95_ms']:.1f} ms (p95); together, "
            f"{latency['texts_per_second']:,.0f} posts a second, on one thread of the machine that evaluated. The network is {sizes(facts)}. "
            f"Test rows whose text was in its training: {count(report['rows_seen_in_training'])}."
        )
    )
    return [*blocks, _slices(report, source)]


def _scores(report: dict, source: str) -> Table:
    rows = []
    for name, words in _MEASURES.items():
        cells = []
        for who in ("model", "baseline"):
            bounds = report[who].get("intervals", {}).get(name, {})
            cells += [score(report[who].get(name)), interval(bounds.get("low"), bounds.get("high"))]
        rows.append((words, *cells))
    headings = ("measure", "model", "95 % interval", "baseline", "95 % interval")
    return Table(f"Scores on {count(report['model']['rows'])} test rows", headings, tuple(rows), source, numeric=4, is_on_slides=True)


def _classes(report: dict, source: str) -> Table:
    rows = []
    for label, own in report["model"]["classes"].items():
        rows.append((label, count(own["rows"]), *(score(own.get(name)) for name in ("precision", "recall", "f1", "roc_auc"))))
    return Table("By class", ("class", "rows", "precision", "recall", "F1", "ROC-AUC"), tuple(rows), source, numeric=5)


def _pictures(facts: Facts) -> list[Block]:
    blocks: list[Block] = []
    if facts.confusion:
        counts = Counter((row["actual"], row["predicted"]) for row in facts.confusion.value)
        blocks.append(Picture("confusion.svg", "Meant and said", charts.confusion(counts), facts.confusion.source, is_small=True))
    if facts.reliability:
        bins = [{"rows": int(row["rows"]), **{key: float(row[key]) for key in ("confidence", "accuracy")}} for row in facts.reliability.value]
        title = "How often an answer is right, by its confidence"
        blocks.append(Picture("reliability.svg", title, charts.reliability(bins), facts.reliability.source, is_small=True))
    return blocks


def _slices(report: dict, source: str) -> Table:
    rows = []
    for name, one in sorted(report["slices"].items(), key=lambda item: (item[1]["macro_f1"], item[0])):
        bounds = one["intervals"].get("macro_f1", {})
        numbers = (count(one["rows"]), score(one["macro_f1"]), interval(bounds.get("low"), bounds.get("high")), score(one["baseline_macro_f1"]))
        rows.append((name, *numbers))
    note = "The lowest first. Slices of fewer rows than evaluate.min_slice_rows are left out."
    return Table("Slices", ("slice", "rows", "macro-F1", "95 % interval", "baseline"), tuple(rows), source, numeric=4, note=note, is_on_slides=True)


def _judged(facts: Facts) -> list[Block]:
    if not facts.verdict:
        return [Missing(f"No verdict on {facts.subject_named} is in its run.", f"groundswell judge --topic {facts.topic}")]
    verdict, source = facts.verdict.value, facts.verdict.source
    blocks: list[Block] = [Listing(tuple(verdict["reasons"]), title=f"The verdict: {decision(verdict)}", is_on_slides=True)]
    if verdict.get("measures"):
        rows = []
        for name, one in verdict["measures"].items():
            numbers = (change(one["estimate"]), interval(one["low"], one["high"], "+"), p_value(one["p_value_holm"]))
            rows.append((_MEASURES.get(name, name), *numbers))
        headings = ("measure", "difference", "95 % interval", "p (Holm)")
        title = f"Against version {verdict['champion_version']}, which was champion then"
        blocks.append(Table(title, headings, tuple(rows), source, numeric=3, note=f"Power: {verdict['power']}."))
    return [*blocks, _int8(verdict, source), *_costs(verdict, source), *_behaviour(verdict, source)]


def decision(verdict: dict) -> str:
    """``PROMOTE, on 717 test rows, 2026-11-02``."""
    return f"{verdict['verdict']}, on {count(verdict['rows'])} test rows, {verdict['judged_at'][:10]}"


def _int8(verdict: dict, source: str) -> Table:
    rows = [(name, score(one["ece"]), score(one["log_loss"])) for name, one in verdict["calibration"].items()]
    note = f"int8 and fp32 give the same label to {share(verdict['int8_agreement'])} of the rows."
    return Table("What quantisation does", ("network", "calibration error", "log-loss"), tuple(rows), source, numeric=2, note=note)


def _costs(verdict: dict, source: str) -> list[Block]:
    """What the models took in serving's own processes, where judge could measure that."""
    measured = {name: one for name, one in verdict.get("serving", {}).items() if isinstance(one, dict)}
    if not measured:
        why = verdict.get("serving", {}).get("not_measured", "the verdict is older than that measurement")
        return [Missing(f"Latency and memory in a serving process: {why}.", "groundswell judge, where serving can be started")]
    rows = []
    for name, one in measured.items():
        times = (f"{one['p50_ms']:.1f}", f"{one['p95_ms']:.1f}", megabytes(one["rss_bytes"]), seconds(one["loaded_seconds"]))
        rows.append((f"the {name} of that verdict", *times))
    headings = ("model", "p50, ms", "p95, ms", "memory, MB", "loaded in, s")
    return [Table("In a serving process, over HTTP", headings, tuple(rows), source, numeric=4)]


def _behaviour(verdict: dict, source: str) -> list[Block]:
    found = verdict.get("behaviour", {}).get("challenger")
    if not found:
        return [Missing("Behaviour by capability: the verdict is older than the behavioural cases.", "groundswell judge")]
    lines = sorted(found.items(), key=lambda item: (item[0] != "all", item[1]["passed"] / item[1]["cases"], item[0]))
    rows = tuple((name, one["kind"], count(one["cases"]), count(one["passed"]), share(one["passed"], one["cases"])) for name, one in lines)
    note = (
        "Invented cases in the manner of CheckList, the least passed first: few kinds of sentences, and no measure of how the topic's people write."
    )
    headings = ("capability (language, where not English)", "kind", "cases", "passed", "share")
    return [Table("Behaviour", headings, rows, source, numeric=3, note=note, is_on_slides=True)]


def _last_verdict(facts: Facts) -> list[Block]:
    if not facts.last_verdict:
        return []
    verdict = facts.last_verdict.value
    title = f"The last challenger, version {verdict['challenger_version']}: {decision(verdict)}"
    return [Listing(tuple(verdict["reasons"]), title=f"{title}, by {facts.last_verdict.source}")]


def _history(facts: Facts) -> list[Block]:
    if not facts.ledger:
        return [Missing("Nothing was ever promoted: the ledger is empty.", f"groundswell promote --by NAME --topic {facts.topic}")]
    verdicts = {version.version: version.tags.get("verdict", NONE) for version in facts.versions}
    rows = tuple(
        (one.at, one.action, one.before or NONE, one.after, one.by, verdicts.get(one.after, NONE), (one.verdict_digest or NONE)[:12])
        for one in facts.ledger
    )
    headings = ("at", "what", "from version", "to version", "by", "its last verdict", "acted upon")
    note = f"{count(len(facts.versions))} versions are registered. The last column begins the digest of the verdict that was acted upon."
    return [Table("Champions", headings, rows, f"ledger/{facts.topic}.jsonl, registry", note=note)]
