"""From the lake to a judged model, and back from a model to what it was made of."""

from __future__ import annotations

from typing import Annotated

import typer

from groundswell import grid
from groundswell.commands import TopicOption, configured, now, tell
from groundswell.errors import UnknownName, UsageError, nearest
from groundswell.params import CompareRow, Params, TuneParams
from groundswell.window import parse_windows


def prepare(topic: TopicOption = None) -> None:
    """Make the data set of a topic from all its valid posts: clean, group, label, split, check for leaks."""
    settings, params = configured()
    from groundswell.prepare import prepare as stage

    tell(stage(params.topic_named(topic)[0], settings=settings, params=params.prepare, hygiene=params.hygiene))


def seal(topic: TopicOption = None) -> None:
    """Version the lake and the data set with DVC: add, commit, push."""
    settings, params = configured()
    from groundswell.seal import seal as stage

    tell(stage(params.topic_named(topic)[0], settings=settings))


def train(topic: TopicOption = None) -> None:
    """Fine-tune a DistilBERT and its baseline under MLflow; export, check and register the challenger."""
    settings, params = configured()
    from groundswell.train import train as stage

    tell(stage(params.topic_named(topic)[0], settings=settings, params=params.train))


def evaluate(topic: TopicOption = None) -> None:
    """Measure the model that train left, with intervals and per slice."""
    settings, params = configured()
    from groundswell.evaluate import evaluate as stage

    tell(stage(params.topic_named(topic)[0], settings=settings, params=params.evaluate))


def judge(topic: TopicOption = None) -> None:
    """Compare challenger and champion on the same rows: PROMOTE, HOLD or INCONCLUSIVE, with reasons."""
    settings, params = configured()
    from groundswell.judge import judge as stage

    tell(stage(params.topic_named(topic)[0], settings=settings, params=params.judge, now=now()))


def report(
    topic: TopicOption = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="The page and the slides as PDF too, by the Chromium that is installed.")] = False,
) -> None:
    """Write the whole report of a topic: HTML, Markdown and slides, every number read from runs and reports."""
    settings, params = configured()
    from groundswell.report import report as stage

    tell(stage(params.topic_named(topic)[0], settings=settings, now=now(), is_pdf=pdf))


def tune(
    topic: TopicOption = None,
    row: Annotated[str | None, typer.Option("--row", metavar="NAME", help="A row of the comparison, by its name in compare.rows.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="A model on its first features instead; left out: the DistilBERT of train.")] = None,
    trials: Annotated[int | None, typer.Option("--trials", metavar="N", help="How many trials the study comes to; else tune.trials.")] = None,
    budget: Annotated[float | None, typer.Option("--budget", metavar="MINUTES", help="When to end; else tune.budget_minutes.")] = None,
) -> None:
    """Look for better hyperparameters with Optuna, on the validation rows; goes on where a study was."""
    settings, params = configured()
    chosen = _row_to_tune(params, row, model)
    told = {name: value for name, value in (("trials", trials), ("budget_minutes", budget)) if value is not None}
    section = TuneParams.model_validate({**params.tune.model_dump(), **told})
    from groundswell.tune import tune as stage

    topic = params.topic_named(topic)[0]
    tell(stage(topic, settings=settings, params=section, train=params.train, row=chosen, compare=params.compare, prepare=params.prepare))


def _row_to_tune(params: Params, row: str | None, model: str | None) -> CompareRow:
    if row and model:
        raise UsageError("tune: expected --row or --model, found both: a row names its model")
    if row is None:
        name = model or "distilbert"
        if name not in grid.MODELS:
            raise UnknownName(f"model {name!r} is not one that is compared{nearest(name, grid.MODELS)}")
        added = params.train.augmentation if name == "distilbert" else "none"
        return CompareRow(name=name.replace("_", "-"), features=grid.READS[name][0], model=name, augmentation=added)
    found = {one.name: one for one in params.compare.wanted}
    if row not in found:
        raise UnknownName(f"row {row!r} is not in params.yaml: compare.rows{nearest(row, found)}")
    return found[row]


def impact(
    day: Annotated[str | None, typer.Argument(metavar="DAY", help="A day, an hour, or a range of them (A..B).")] = None,
    window: Annotated[str | None, typer.Option("--window", help="The same, as the other stages take it.")] = None,
    topic: TopicOption = None,
    mark: Annotated[bool, typer.Option("--mark", help="Tag runs and model versions that were trained on superseded data.")] = False,
) -> None:
    """Data sets, runs, model versions and aliases that were built on a day's posts, and whether those are still there."""
    settings, params = configured()
    if (day is None) == (window is None):
        raise UsageError("impact: expected a day, e.g. groundswell impact 2026-10-19")
    windows = parse_windows(day or window)
    from groundswell.impact import impact as stage

    tell(stage(params.topic_named(topic)[0], windows, settings=settings, mark=mark))


def lineage(version: Annotated[str, typer.Argument(metavar="MODEL_VERSION")], topic: TopicOption = None) -> None:
    """Where a model version came from: run, commit, data set, windows, validation results."""
    from groundswell.lineage import lineage as find

    settings, params = configured()
    tell(find(params.topic_named(topic)[0], version, settings=settings))


def checkout(version: Annotated[str, typer.Argument(metavar="MODEL_VERSION")], topic: TopicOption = None) -> None:
    """Restore the exact data set of a model version from the DVC remote."""
    from groundswell.lineage import checkout as restore

    settings, params = configured()
    tell(restore(params.topic_named(topic)[0], version, settings=settings))


def compare(
    topic: TopicOption = None,
    rows: Annotated[str, typer.Option("--rows", help="Names of rows of params.yaml's compare section, between commas; left out: all.")] = "",
    budget: Annotated[float | None, typer.Option("--budget", min=0, help="Minutes; what would not be done by then is left.")] = None,
) -> None:
    """Every approach of params.yaml on the same folds: quality with intervals, cost, speed; goes on where it was left."""
    settings, params = configured()
    from groundswell.compare import compare as stage

    asked = {
        "train": params.train,
        "similarity": params.prepare.near_duplicate_similarity,
        "only": [name.strip() for name in rows.split(",") if name.strip()],
        "budget_seconds": None if budget is None else 60 * budget,
    }
    tell(stage(params.topic_named(topic)[0], settings=settings, params=params.compare, **asked))
