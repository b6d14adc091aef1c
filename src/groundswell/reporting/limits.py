"""The section on limits: what these numbers do not say, written from the facts, and everything that was not measured."""

from __future__ import annotations

from collections.abc import Iterator

from groundswell.reporting.blocks import Listing, Missing, Section, count, listed, score, share
from groundswell.reporting.facts import Facts

_FEW = 50
"""Test rows of a language under which nothing is said of it."""


def section(facts: Facts, missing: list[Missing]) -> Section:
    """The section; ``missing`` is what the other sections could not tell."""
    blocks = [Listing(tuple(_limits(facts)), title="What the numbers do not say", is_on_slides=True)]
    if missing:
        lines = tuple(f"{one.what} To have it: {one.remedy}" for one in missing)
        blocks.append(Listing(lines, title="What was not measured, or not found when this was written"))
    return Section("Limits", tuple(blocks))


def _limits(facts: Facts) -> Iterator[str]:
    if facts.is_demo:
        yield "This was made in demo mode, whose platforms and annotators are simulated unless somebody set others: no finding about real people."
    if facts.manifest:
        yield from _of_data(facts, facts.manifest.value)
    yield from _of_tests(facts)
    yield "Sentiment is told in three classes a post; irony, mixed feelings and what a post is about are not."
    yield "Behavioural cases are templates, and evaluate's intervals take test rows for independent; judge's hold an author's posts together."


def _of_data(facts: Facts, manifest: dict) -> Iterator[str]:
    test, train = manifest["splits"].get("test", {}), manifest["splits"].get("train", {})
    windows = manifest.get("windows", [])
    if windows:
        yield f"The posts are of {count(len(windows))} windows, {windows[0]} to {windows[-1]}: of other times nothing is known but what drift says."
    if languages := test.get("languages"):
        few = [f"{name} ({count(rows)})" for name, rows in languages.items() if rows < _FEW]
        main = max(languages, key=languages.get)
        yield f"{share(languages[main], test['rows'])} of the test rows are in {main}." + (
            f" Too few to say anything of: {listed(few)}." if few else ""
        )
    if provenances := train.get("provenances"):
        said = listed([f"{name} ({share(rows, train['rows'])})" for name, rows in provenances.items()])
        yield f"The training labels are {said}: what they get wrong, the model learns."
    if facts.is_prepare_of_subject and (cut := facts.prepare.value["tokens"]):
        yield f"Text past {count(cut['max_length'])} word pieces is not read: {count(cut['rows_cut'])} rows are longer."


def _of_tests(facts: Facts) -> Iterator[str]:
    verdict = facts.verdict.value if facts.verdict else None
    if verdict:
        seen = verdict["smallest_detectable_difference"]
        yield (
            f"With {count(verdict['rows'])} test rows in {count(verdict['groups'])} groups, a difference in macro-F1 smaller than {score(seen)} "
            "would as a rule not have been seen: that none was shown is no proof that there is none."
        )
    if facts.evaluate and (model := facts.evaluate.value["model"]):
        fewest = min(model["classes"].items(), key=lambda item: item[1]["rows"])
        yield f"The rarest class of the test rows is {fewest[0]}, {count(fewest[1]['rows'])} rows; macro-F1 gives it a third of the weight."
    if facts.compare:
        left = sum(row["status"] != "done" for row in facts.compare.value["rows"])
        yield f"The comparison is of the declared rows only, each with its own defaults; {count(left)} of them have no result."
        yield "The best was chosen on the very rows that it is measured on: its own number is a little too good."
    if facts.tune:
        yield "Tuned values were chosen on validation rows, by which training also stops: what is left of their lead on other rows, the judge says."
