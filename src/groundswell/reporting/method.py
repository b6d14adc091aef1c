"""The section on method: the pipeline, the model, its baseline, its parameters, and how it is measured."""

from __future__ import annotations

from groundswell.reporting.blocks import Block, Missing, Paragraph, Section, Table, count, megabytes, told
from groundswell.reporting.facts import Facts

_PIPELINE = (
    ("collect", "one window of one source into the lake; authors as keyed pseudonyms"),
    ("validate", "rules on rows and on windows; what breaks them is set aside with the reason; personal data is taken out"),
    ("prepare", "normalised text, labels by provenance, a split by time and by group"),
    ("train", "a DistilBERT and a TF-IDF baseline on the same rows; exported to ONNX, quantised to int8, its temperature fitted"),
    ("evaluate", "measures with bootstrap intervals on the test rows, by slice"),
    ("judge", "challenger and champion on the same rows; promoted only for a difference that is shown"),
    ("promote", "one move of an alias, with the verdict's digest in a ledger"),
    ("monitor", "each window's posts against what the champion was fitted on"),
)


def section(facts: Facts) -> Section:
    """The section."""
    steps = Table("From the post to the model and back", ("stage", "what it does"), _PIPELINE, "the pipeline's own stages", is_on_slides=True)
    blocks: list[Block] = [steps, *_model(facts), *_parameters(facts), *_machine(facts), _measures(facts)]
    return Section("Method", tuple(blocks))


def _model(facts: Facts) -> list[Block]:
    if not facts.train:
        return [Missing("No model was trained, or its run left no report.", f"groundswell train --topic {facts.topic}")]
    report, params = facts.train.value, facts.run.params if facts.run else {}
    base = params.get("base", "not named")
    from_what = "the packaged MiniLM-L6 encoder loaded as a DistilBERT" if base == "packaged" else f"the encoder {base}"
    return [
        Paragraph(
            f"The model is a DistilBERT classifier fine-tuned from {from_what}, on {count(report['rows']['train'])} rows; the epoch and the "
            f"temperature ({report['temperature']:.3f}) were chosen on {count(report['rows']['validation'])} validation rows. The baseline is TF-IDF "
            "with logistic regression on the same rows. Answers are the int8 network's, which is what serving runs."
        )
    ]


def _parameters(facts: Facts) -> list[Block]:
    if not facts.run:
        return []
    rows = tuple((name.replace("_", " "), value) for name, value in sorted(facts.run.params.items()))
    return [
        Table("Parameters of the training", ("parameter", "value"), rows, f"MLflow run {facts.run.run_id[:8]}, params", numeric=1, is_narrow=True)
    ]


def _machine(facts: Facts) -> list[Block]:
    if not facts.environment:
        return []
    found = facts.environment.value
    versions = [(name, version) for name, version in found.get("packages", {}).items()]
    rows = [(name, str(found[name])) for name in ("processor", "system", "python") if name in found]
    if facts.run:
        rows += [(name.replace("_", " "), facts.run.tags[name]) for name in ("git_commit", "git_dirty") if name in facts.run.tags]
    return [Table("What it was trained with", ("what", "which"), tuple(rows + versions), facts.environment.source, is_narrow=True)]


def _measures(facts: Facts) -> Paragraph:
    folds = ""
    if facts.compare:
        report = facts.compare.value
        seeds = told(len(report["seeds"]), "seed")
        folds = (
            f" The comparison uses {report['folds']['count']} folds of {count(report['folds']['rows'])} rows and {seeds}; test rows are in no fold."
        )
    return Paragraph(
        "Macro-F1 decides, since classes are uneven; macro-averaged recall is the measure of SemEval and TweetEval. Intervals are 95 % and come from "
        "bootstrap resamples: of rows where one model is measured, of whole groups of authors and duplicates, paired, where two are compared. Where "
        f"several measures or rows are tested at once, p-values are Holm's. Calibration is the expected calibration error and the log-loss.{folds}"
    )


def sizes(facts: Facts) -> str | None:
    """``14.2 MB as int8, 50.1 MB as fp32``, of the networks that were measured."""
    found = facts.evaluate.value.get("bytes", {}) if facts.evaluate else {}
    return ", ".join(f"{megabytes(value)} MB as {precision}" for precision, value in sorted(found.items(), key=lambda item: item[1])) or None
