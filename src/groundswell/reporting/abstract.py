"""The abstract: a few sentences, each made from numbers that the report holds, or saying that they are not there."""

from __future__ import annotations

from collections.abc import Iterator

from groundswell.reporting import comparison, drift, tuning
from groundswell.reporting.blocks import count, interval, listed, score, told
from groundswell.reporting.data import rows_by_source
from groundswell.reporting.facts import Facts


def abstract(facts: Facts, missing: int) -> tuple[str, ...]:
    """The sentences; ``missing`` things could not be told."""
    return tuple(_sentences(facts, missing))


def _sentences(facts: Facts, missing: int) -> Iterator[str]:
    yield _data(facts)
    yield _model(facts)
    if facts.verdict:
        verdict = facts.verdict.value
        yield f"The judge's verdict on it is {verdict['verdict']}, on {count(verdict['rows'])} test rows."
    if facts.last_verdict:
        verdict = facts.last_verdict.value
        yield f"The last challenger, version {verdict['challenger_version']}, was judged {verdict['verdict']}."
    yield " ".join(comparison.findings(facts.compare.value)) if facts.compare else "The approaches of the field were not compared on this topic."
    if facts.tune:
        yield tuning.finding(facts.tune.value)
    yield drift.summary(facts) if facts.monitor else "No window was monitored for drift."
    if missing:
        yield f"{told(missing, 'thing')} that this report would hold could not be told; the limits say what."


def _data(facts: Facts) -> str:
    begun = f"Groundswell sorts posts about {facts.topic} into negative, neutral and positive."
    if not facts.manifest:
        return f"{begun} There is no data set of this topic yet."
    manifest = facts.manifest.value
    rows = {name: split["rows"] for name, split in facts.splits.items()}
    windows = manifest.get("windows", [])
    span = f", {windows[0]} to {windows[-1]}" if windows else ""
    sources = listed(sorted(rows_by_source(manifest))) or "sources that are not named"
    splits = listed([f"{count(number)} for {name}" for name, number in rows.items()])
    return f"{begun} Its data set has {count(sum(rows.values()))} labelled posts of {sources}{span}, split by time and by group: {splits}."


def _model(facts: Facts) -> str:
    if facts.subject is None:
        return "No model of this topic is registered."
    who = (
        f"Version {facts.subject.version} is the champion"
        if facts.is_champion
        else f"There is no champion; version {facts.subject.version} is the challenger"
    )
    if not facts.evaluate:
        return f"{who}; it was not evaluated."
    model, floor = facts.evaluate.value["model"], facts.evaluate.value["baseline"]
    found = f"macro-F1 {score(model['macro_f1'])} ({_bounds(model)}) on {count(model['rows'])} later test rows"
    return f"{who}: {found}, where TF-IDF with logistic regression has {score(floor['macro_f1'])} ({_bounds(floor)}).{_against_baseline(facts)}"


def _bounds(found: dict) -> str:
    bounds = found.get("intervals", {}).get("macro_f1", {})
    return f"95 % interval {interval(bounds.get('low'), bounds.get('high'))}"


def _against_baseline(facts: Facts) -> str:
    """Whether the paired comparison shows what the two scores suggest."""
    if not facts.verdict:
        return " The two were not compared on the same resamples."
    found = facts.verdict.value["difference_to_baseline"]
    paired = f"paired, the difference is {found['estimate']:+.3f} ({interval(found['low'], found['high'], '+')})"
    if found["low"] > 0:
        return f" That it is better is shown: {paired}."
    if found["high"] < 0:
        return f" It is worse than that: {paired}."
    return f" That is indistinguishable from none: {paired}."
