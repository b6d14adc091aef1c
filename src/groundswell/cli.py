"""The one door to every stage: Airflow's tasks, DVC's stages, CI and people all call these subcommands.

A stage's report goes to standard output as one line of JSON; everything else goes to standard error. Exit status: 0 done,
1 failed, 2 wrong use, 77 not allowed by a platform, 75 not now: then one line of JSON says after how many seconds.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from groundswell.config import Settings, load_params, load_settings
from groundswell.errors import ComeBack, GroundswellError, UsageError
from groundswell.window import parse_windows

app = typer.Typer(name="groundswell", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

TopicOption = Annotated[str | None, typer.Option("--topic", help="A topic of params.yaml; its default one when left out.")]
WindowOption = Annotated[str, typer.Option("--window", help="A UTC day (2026-10-19), an hour (2026-10-19T05), or a range of them (A..B).")]
ByOption = Annotated[str, typer.Option("--by", help="Who decides: goes into the ledger.")]


@app.command()
def collect(
    source: Annotated[str, typer.Option(help="replay, hackernews, steam …")],
    window: WindowOption,
    topic: TopicOption = None,
    reason: Annotated[str, typer.Option(help="Why a window that is there is collected again: kept with the revision, if it is one.")] = "",
    budget: Annotated[str, typer.Option(help="The name of a backfill's budget, which this run is held to.")] = "",
) -> None:
    """Fetch the posts of a window into lake/raw."""
    settings, params = _configured()
    windows = parse_windows(window)
    from groundswell.budget import within
    from groundswell.collect import collect as stage

    name, wanted = params.topic_named(topic)
    with within(settings, budget, f"{source}/{name}/{window}", source, getattr(wanted, source, None), windows) as settle:
        report = stage(source, name, wanted, windows, settings=settings, params=params.collect, now=_now(), reason=reason)
        settle(report["usd"])
    _report(report)


@app.command()
def annotate(window: WindowOption, topic: TopicOption = None) -> None:
    """Fetch the labels that annotators gave to a window's posts into lake/labels."""
    settings, params = _configured()
    windows = parse_windows(window)
    from groundswell.annotate import annotate as stage

    _report(stage(params.topic_named(topic)[0], windows, settings=settings, params=params.annotate))


@app.command()
def validate(
    window: WindowOption,
    topic: TopicOption = None,
    sources: Annotated[str, typer.Option(help="Only these of the topic's sources, e.g. steam,replay; left out: all.")] = "",
) -> None:
    """Check a window's raw posts; the good ones go to lake/valid, the others to lake/quarantine with a reason."""
    settings, params = _configured()
    windows = parse_windows(window)
    from groundswell.validate import validate as stage

    name, wanted = params.topic_named(topic)
    _report(stage(name, wanted.sources_named(sources), windows, settings=settings, params=params.validate_, hygiene=params.hygiene))


@app.command()
def coverage(
    window: Annotated[str | None, typer.Option("--window", help="A range A..B; left out: from the first window in the lake to the last.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="A", help="The range's first window; left out: the lake's.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="B", help="The range's last window; left out: the lake's.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="A topic of params.yaml; left out: all, with --require its default one.")] = None,
    require: Annotated[bool, typer.Option("--require", help="Fail when a window is not validated, as retrain does before it trains.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of tables.")] = False,
) -> None:
    """Which windows are in the lake, and how far each has come; with --require, fail at a hole."""
    settings, params = _configured()
    if window and (first or last):
        raise UsageError("coverage: expected --window A..B, or --from A --to B, not both")
    if require and (bool(first) != bool(last)):
        raise UsageError("coverage --require: expected --from with --to, or --window A..B")
    from groundswell import coverage as stage

    windows = parse_windows(window) if window else stage.between(settings, params, first, last)
    if require:
        name, wanted = params.topic_named(topic)
        _report(stage.coverage(name, wanted.sources, windows, settings=settings, unit=params.collect.window))
        return
    found = stage.look(settings, params, topics=[params.topic_named(topic)[0]] if topic else [], windows=windows, now=_now())
    if as_json:
        _report(found)
    else:
        stage.show(found, most=None if windows else 31)
        typer.echo(f"page: {settings.home / 'reports/coverage/overview.html'}", err=True)


@app.command()
def prepare(topic: TopicOption = None) -> None:
    """Make the data set of a topic from all its valid posts: clean, group, label, split, check for leaks."""
    settings, params = _configured()
    from groundswell.prepare import prepare as stage

    _report(stage(params.topic_named(topic)[0], settings=settings, params=params.prepare, hygiene=params.hygiene))


@app.command()
def seal(topic: TopicOption = None) -> None:
    """Version the lake and the data set with DVC: add, commit, push."""
    settings, params = _configured()
    from groundswell.seal import seal as stage

    _report(stage(params.topic_named(topic)[0], settings=settings))


@app.command()
def train(topic: TopicOption = None) -> None:
    """Fine-tune a DistilBERT and its baseline under MLflow; export, check and register the challenger."""
    settings, params = _configured()
    from groundswell.train import train as stage

    _report(stage(params.topic_named(topic)[0], settings=settings, params=params.train))


@app.command()
def evaluate(topic: TopicOption = None) -> None:
    """Measure the model that train left, with intervals and per slice."""
    settings, params = _configured()
    from groundswell.evaluate import evaluate as stage

    _report(stage(params.topic_named(topic)[0], settings=settings, params=params.evaluate))


@app.command()
def judge(topic: TopicOption = None) -> None:
    """Compare challenger and champion on the same rows: PROMOTE, HOLD or INCONCLUSIVE, with reasons."""
    settings, params = _configured()
    from groundswell.judge import judge as stage

    _report(stage(params.topic_named(topic)[0], settings=settings, params=params.judge, now=_now()))


@app.command()
def promote(
    by: ByOption,
    topic: TopicOption = None,
    verdict: Annotated[str | None, typer.Option(help="Digest of the verdict that was approved: no other is acted upon.")] = None,
) -> None:
    """Make the judged challenger the champion: load it as serving does, move the alias, write the ledger."""
    settings, params = _configured()
    from groundswell.promote import promote as stage

    _report(stage(params.topic_named(topic)[0], by=by, verdict_digest=verdict, settings=settings, params=params.promote, now=_now()))


@app.command()
def rollback(by: ByOption, topic: TopicOption = None) -> None:
    """Go back to the last healthy champion before the present one."""
    settings, params = _configured()
    from groundswell.promote import rollback as stage

    _report(stage(params.topic_named(topic)[0], by=by, settings=settings, now=_now()))


@app.command()
def verify(
    version: Annotated[str | None, typer.Option(help="The version that must answer; left out: the last of the ledger.")] = None,
    topic: TopicOption = None,
) -> None:
    """Wait until serving answers with a model version."""
    settings, params = _configured()
    from groundswell.verify import verify as stage

    _report(stage(params.topic_named(topic)[0], version, settings=settings, params=params.promote))


@app.command()
def monitor(window: WindowOption, topic: TopicOption = None) -> None:
    """Compare a window's posts with the champion's reference: an Evidently report and a decision with reasons."""
    settings, params = _configured()
    windows = parse_windows(window)
    from groundswell.monitor import monitor as stage

    _report(stage(params.topic_named(topic)[0], windows, settings=settings, params=params.monitor))


@app.command("new-source")
def new_source(
    name: Annotated[str, typer.Argument(help="A module's name: small letters, digits, underscores.")],
    package: Annotated[Path | None, typer.Option(help="A new folder for a package of its own; left out: into this checkout.")] = None,
) -> None:
    """Begin a source for another network: its module, its case in the contract's tests, its line in the registry."""
    from groundswell import new_source as beginning

    report = beginning.new_package(name, package) if package else beginning.new_source(name, project=load_settings().project)
    _report(report)
    for line in report["next"]:
        typer.echo(f"Next: {line}", err=True)


@app.command()
def erase(
    author: Annotated[list[str] | None, typer.Option(help="SOURCE:ID, the platform's own id; may be given again.")] = None,
    post: Annotated[list[str] | None, typer.Option(help="SOURCE:ID of a single post; may be given again.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: what would go, from where.")] = False,
) -> None:
    """Erase an author's rows, or single posts, out of everything that was made of them; prints the receipt."""
    settings = load_settings()
    from groundswell.erase import erase as stage
    from groundswell.erasure.subjects import Subject
    from groundswell.seal import seal as sealing

    subjects = [Subject.parse("author", word) for word in author or []] + [Subject.parse("post", word) for word in post or []]
    _report(stage(subjects, settings=settings, now=_now(), seal=lambda topic: sealing(topic, settings=settings), dry_run=dry_run))


@app.command()
def takedown(topic: TopicOption = None) -> None:
    """Ask the platforms whether posts of the last days are still there, and erase those that are gone."""
    settings, params = _configured()
    from groundswell.erase import erase as erasing
    from groundswell.erasure.subjects import Subject
    from groundswell.seal import seal as sealing
    from groundswell.takedown import takedown as stage

    def erase_posts(gone: dict[str, list[str]]) -> dict:
        subjects = [Subject("post", source, post_id) for source, ids in gone.items() for post_id in ids]
        return erasing(subjects, settings=settings, now=_now(), seal=lambda each: sealing(each, settings=settings))

    name, wanted = params.topic_named(topic)
    _report(stage(name, wanted, settings=settings, params=params.takedown, collect=params.collect, now=_now(), erase=erase_posts))


@app.command()
def retain(topic: TopicOption = None) -> None:
    """Remove the partitions of a topic that are older than their layer may keep."""
    settings, params = _configured()
    from groundswell.retain import retain as stage

    _report(stage(params.topic_named(topic)[0], settings=settings, params=params.retain, now=_now()))


@app.command()
def leaks(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet.")],
    columns: Annotated[str, typer.Option(help="What the columns are, in order or by name: id,entity,label,text")],
    against: Annotated[Path | None, typer.Option(help="A second file, e.g. the published test set.")] = None,
    encoding: Annotated[str, typer.Option(help="Of CSV, TSV and JSONL, e.g. latin-1.")] = "utf-8",
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a table.")] = False,
) -> None:
    """Find what two files share, or one file repeats: ids, texts, near duplicates, conflicting labels."""
    from groundswell.leaks import leaks as find
    from groundswell.leaks import table

    found = find(file, against=against, columns=columns.split(","), encoding=encoding)
    _report(found) if as_json else typer.echo(table(found))


@app.command()
def impact(
    day: Annotated[str | None, typer.Argument(metavar="DAY", help="A day, an hour, or a range of them (A..B).")] = None,
    window: Annotated[str | None, typer.Option("--window", help="The same, as the other stages take it.")] = None,
    topic: TopicOption = None,
    mark: Annotated[bool, typer.Option("--mark", help="Tag runs and model versions that were trained on superseded data.")] = False,
) -> None:
    """Data sets, runs, model versions and aliases that were built on a day's posts, and whether those are still there."""
    settings, params = _configured()
    if (day is None) == (window is None):
        raise UsageError("impact: expected a day, e.g. groundswell impact 2026-10-19")
    windows = parse_windows(day or window)
    from groundswell.impact import impact as stage

    _report(stage(params.topic_named(topic)[0], windows, settings=settings, mark=mark))


@app.command()
def lineage(version: Annotated[str, typer.Argument(metavar="MODEL_VERSION")], topic: TopicOption = None) -> None:
    """Where a model version came from: run, commit, data set, windows, validation results."""
    from groundswell.lineage import lineage as find

    settings, params = _configured()
    _report(find(params.topic_named(topic)[0], version, settings=settings))


@app.command()
def checkout(version: Annotated[str, typer.Argument(metavar="MODEL_VERSION")], topic: TopicOption = None) -> None:
    """Restore the exact data set of a model version from the DVC remote."""
    from groundswell.lineage import checkout as restore

    settings, params = _configured()
    _report(restore(params.topic_named(topic)[0], version, settings=settings))


@app.command()
def export(
    to: Annotated[str, typer.Option(help="hf (a transformers pipeline), onnx (plain ONNX Runtime) or triton (a model repository).")],
    version: Annotated[str | None, typer.Argument(metavar="MODEL_VERSION", help="A number, or an alias such as champion.")] = None,
    out: Annotated[Path | None, typer.Option(help="A new folder; left out: one under exports/ of home.")] = None,
    folder: Annotated[Path | None, typer.Option(help="An export folder instead of a version, as train leaves it.")] = None,
    topic: TopicOption = None,
) -> None:
    """Write a model version as a folder that others load: transformers, ONNX Runtime, Triton."""
    settings, params = _configured()
    from groundswell import convert

    if (version is None) == (folder is None):
        raise UsageError("export: expected MODEL_VERSION or --folder, one of them, e.g. groundswell export champion --to hf")
    if folder:
        report = convert.convert(folder, to, out or settings.root / "exports" / f"{folder.resolve().parent.name}-{to}")
    else:
        report = convert.export_version(params.topic_named(topic)[0], version, to, out, settings=settings)
    _report(report)
    typer.echo(f"Next: {report['try']}", err=True)


backfill_app = typer.Typer(
    name="backfill", no_args_is_help=True, help="Past windows: what they need and cost, and their start.", rich_markup_mode=None
)
FirstOption = Annotated[str, typer.Option("--from", metavar="A", help="The first window.")]
LastOption = Annotated[str, typer.Option("--to", metavar="B", help="The last window.")]
SourceOption = Annotated[str, typer.Option("--source", help="hackernews, steam, x …")]
BudgetOption = Annotated[float | None, typer.Option("--budget", min=0, help="Dollars that it may cost at most; needed for what costs money.")]
AgainOption = Annotated[bool, typer.Option("--again", help="Collect the windows too that are in the lake already.")]


def _planned(source: str, first: str, last: str, topic: str | None, budget: float | None, again: bool) -> tuple[Settings, dict]:
    """What both commands begin with: the settings, and the plan."""
    settings, params = _configured()
    windows = parse_windows(f"{first}..{last}")
    from groundswell import backfill

    name = params.topic_named(topic)[0]
    return settings, backfill.plan(source, name, windows, settings=settings, params=params, now=_now(), budget=budget, again=again)


@backfill_app.command("plan")
def plan_backfill(
    source: SourceOption,
    first: FirstOption,
    last: LastOption,
    topic: TopicOption = None,
    budget: BudgetOption = None,
    again: AgainOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a text.")] = False,
) -> None:
    """Windows, posts, requests, time and money that a backfill needs; starts nothing."""
    _, planned = _planned(source, first, last, topic, budget, again)
    from groundswell import backfill

    _report(planned) if as_json else backfill.show(planned, typer.echo)


@backfill_app.command("run")
def run_backfill(
    source: SourceOption,
    first: FirstOption,
    last: LastOption,
    topic: TopicOption = None,
    budget: BudgetOption = None,
    again: AgainOption = False,
    reason: Annotated[str, typer.Option(help="Why: kept with what changes.")] = "",
    no_downstream: Annotated[bool, typer.Option("--no-downstream", help="Tell nobody: monitor does not start.")] = False,
    max_active_runs: Annotated[int, typer.Option(min=1, help="Windows at the same time.")] = 4,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask after showing the plan.")] = False,
) -> None:
    """Show the plan, ask, and have Airflow collect what is needed."""
    settings, planned = _planned(source, first, last, topic, budget, again)
    from groundswell import backfill, stack
    from groundswell.sources import source_named

    backfill.show(planned, lambda line: typer.echo(line, err=True))
    if planned["needed"] and not yes and not typer.confirm("start it?", err=True):
        raise UsageError("backfill: nothing was started")
    options = {"reason": reason, "no_downstream": no_downstream, "max_active_runs": max_active_runs, "say": _say}
    is_paid = source_named(source).usd_per_post > 0
    _report(backfill.start(planned, stack.airflow_of(settings), settings=settings, is_paid=is_paid, **options) if planned["needed"] else planned)


app.add_typer(backfill_app)

keys_app = typer.Typer(name="keys", no_args_is_help=True, help="Serving's API keys: make, list, revoke.", rich_markup_mode=None)
app.add_typer(keys_app)

rollout_app = typer.Typer(name="rollout", no_args_is_help=True, help="Try a version on a growing share of serving's clients.", rich_markup_mode=None)


@rollout_app.command("start")
def start_rollout(version: Annotated[str, typer.Argument(metavar="MODEL_VERSION")], topic: TopicOption = None) -> None:
    """Point the alias canary to a version: serving begins with 1 % of clients."""
    settings, params = _configured()
    from groundswell.rollout import start

    _report(start(params.topic_named(topic)[0], version, settings=settings))


@rollout_app.command("status")
def rollout_status(topic: TopicOption = None) -> None:
    """What the registry and serving say of the rollout."""
    settings, params = _configured()
    from groundswell.rollout import status

    _report(status(params.topic_named(topic)[0], settings=settings))


@rollout_app.command("finish")
def finish_rollout(
    by: ByOption,
    topic: TopicOption = None,
    verdict: Annotated[str | None, typer.Option(help="Digest of the verdict that was approved: no other is acted upon.")] = None,
) -> None:
    """Promote the version that serving calls ready, by promote's own rules, and take its alias canary away."""
    settings, params = _configured()
    from groundswell.promote import promote as stage
    from groundswell.rollout import require_ready, stop

    name = params.topic_named(topic)[0]
    require_ready(name, settings=settings)
    report = stage(name, by=by, verdict_digest=verdict, settings=settings, params=params.promote, now=_now())
    stop(name, settings=settings)
    _report(report)


@rollout_app.command("stop")
def stop_rollout(topic: TopicOption = None) -> None:
    """Take the alias canary away: every client is the champion's again."""
    settings, params = _configured()
    from groundswell.rollout import stop

    _report(stop(params.topic_named(topic)[0], settings=settings))


app.add_typer(rollout_app)


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Whose it is: letters, digits, dots, dashes.")],
    texts_per_second: Annotated[float, typer.Option(help="How fast its bucket fills, in each serving process.")] = 500,
    burst_texts: Annotated[int, typer.Option(help="How many texts the bucket holds, at least one whole request of 128.")] = 2000,
) -> None:
    """Make an API key and print it, this once: only its hash is kept."""
    from groundswell import keys

    path = load_settings().keys_file
    key, presented = keys.create(path, name, texts_per_second=texts_per_second, burst_texts=burst_texts)
    typer.echo(f"The key of {key.name}, shown this once; serving takes it within a second as Authorization: Bearer KEY ({path}):", err=True)
    typer.echo(presented)


@keys_app.command("list")
def list_keys() -> None:
    """The keys that serving takes: names, rates, dates, never the keys themselves."""
    from groundswell import keys

    path = load_settings().keys_file
    _report({"file": str(path), "keys": [key.model_dump(mode="json", exclude={"sha256"}) for key in keys.read(path)]})


@keys_app.command("revoke")
def revoke_key(name: str) -> None:
    """Take a key away: serving refuses it within a second."""
    from groundswell import keys

    path = load_settings().keys_file
    _report({"file": str(path), "revoked": keys.revoke(path, name).model_dump(mode="json", exclude={"sha256"})})


@app.command()
def predict(
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT…", help="What to read.")] = None,
    file: Annotated[Path | None, typer.Option(help="Posts instead: CSV, TSV, JSONL or Parquet, of any length.")] = None,
    column: Annotated[str, typer.Option(help="Of the file: the one that holds the text.")] = "text",
    out: Annotated[Path | None, typer.Option(help="Where the file goes with its answers; left out: FILE.answers.csv beside it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a table.")] = False,
) -> None:
    """Ask the serving endpoint about texts, or about every row of a file."""
    settings = load_settings()
    if bool(texts) == (file is not None) or (out and not file):
        raise UsageError('predict: expected texts, or --file with or without --out, e.g. groundswell predict "What a day"')
    from groundswell import predict as asking
    from groundswell.client import Client

    with Client(settings.serving_url, settings.serving_key.get_secret_value(), attempts=8 if file else 3) as client:
        if file:
            with asking.Progress() as progress:
                found = asking.predict_file(file, client, column=column, out=out, progress=progress.show)
            _report(found)
        else:
            asking.show(texts, client, as_json=as_json)


@app.command()
def simulate(
    port: Annotated[int | None, typer.Option(help="Where on loopback; 0: any that is free. Left out: as GROUNDSWELL_SIMULATOR_PORT says.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another world.")] = None,
    at: Annotated[str | None, typer.Option("--now", help="As of when the platforms are looked at (2026-10-21T06:00:00Z).")] = None,
    chaos: Annotated[int | None, typer.Option(metavar="SEED", help="Requests go wrong by their numbers, each in a way that passes.")] = None,
) -> None:
    """Serve the simulated platforms on loopback until Ctrl-C; prints what to set so that the connectors ask them."""
    from groundswell.simulator.server import serve, world

    serve(world(port=port, seed=seed, now=at, chaos=chaos), say=typer.echo)


@app.command()
def up() -> None:
    """Start Airflow, MLflow, the simulated platforms and serving, and leave them running."""
    settings, params = _configured()
    from groundswell import demo, stack, status

    _heed_signals()
    ours = stack.settings_of_the_stack(settings)
    before = stack.running(ours)
    demo.write_corpus(ours, params, demo.WINDOWS)
    stack.up(settings, params, say=_say)
    try:
        demo.make_ready(ours, params).unpause("monitor")
    except BaseException:
        stack.down(ours, spare=before, say=_say)
        raise
    status.show(status.status(settings, params), settings.home)


@app.command()
def down() -> None:
    """Stop what `up` or an interrupted `demo` left running."""
    from groundswell import stack

    stack.down(load_settings(), say=_say)


@app.command()
def shell(command: Annotated[list[str] | None, typer.Argument(help="What to run there; left out: an interactive shell.")] = None) -> None:
    """A shell in the environment of the embedded stack: groundswell, airflow, dvc and mlflow work there as typed."""
    settings, params = _configured()
    from groundswell import stack

    ours = stack.settings_of_the_stack(settings)
    words = command or [os.environ.get("SHELL", "/bin/sh")]
    os.environ.update(stack.environment(ours, params.topic_named(None)[0]), MLFLOW_TRACKING_URI=ours.mlflow_uri)
    os.execvp(words[0], words)


@app.command()
def status() -> None:
    """What runs, which model is champion, which windows are in the lake."""
    settings, params = _configured()
    from groundswell import status as found

    found.show(found.status(settings, params), settings.home)


@app.command()
def demo() -> None:
    """The whole loop once, through Airflow, on the simulated platforms; then stop what was started."""
    settings, params = _configured()
    from groundswell import demo as loop

    _heed_signals()
    loop.show(loop.demo(settings, params, say=_say), settings)


def _configured():
    """Settings and params; before any heavy import, so that a wrong call is answered at once."""
    settings = load_settings()
    return settings, load_params(settings)


def _report(report: dict) -> None:
    typer.echo(json.dumps(report, sort_keys=True, ensure_ascii=False, default=str))


def _heed_signals() -> None:
    """Ended gently, or its terminal closed: as by Ctrl-C, what was started is stopped."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a background job is started with it ignored
        signal.signal(number, signal.default_int_handler)


def _say(line: str) -> None:
    """A line of progress with the time of day."""
    typer.echo(f"{datetime.now().astimezone():%H:%M:%S} {line}", err=True)


def _now() -> datetime:
    """The one clock: stages get time as an argument."""
    return datetime.now(UTC)


def main() -> None:
    """Run the command line; every error of ours becomes one sentence and its exit status."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    logging.basicConfig(level=os.environ.get("GROUNDSWELL_LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs every address, queries included
    try:
        app(standalone_mode=True)
    except GroundswellError as error:
        typer.echo(f"groundswell: {error}", err=True)
        if isinstance(error, ComeBack):
            typer.echo(json.dumps({"retry_after_seconds": math.ceil(error.seconds)}))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
