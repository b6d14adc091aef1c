"""From the platforms to the lake: collect, annotate, validate; what is there, and how another source begins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundswell.commands import MaybeWindowOption, TopicOption, WindowOption, configured, now, tell
from groundswell.errors import UsageError
from groundswell.settings import load_settings
from groundswell.window import parse_windows


def collect(
    source: Annotated[str, typer.Option(help="replay, hackernews, steam …")],
    window: MaybeWindowOption = None,
    topic: TopicOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Instead of a window: what a feed shows now, into the windows that are open.")] = False,
    reason: Annotated[str, typer.Option(help="Why a window that is there is collected again: kept with the revision, if it is one.")] = "",
    budget: Annotated[str, typer.Option(help="The name of a backfill's budget, which this run is held to.")] = "",
) -> None:
    """Fetch the posts of a window into lake/raw."""
    settings, params = configured()
    name, wanted = params.topic_named(topic)
    if watch == bool(window):
        raise UsageError("collect: expected --window, or --watch for a source that shows its latest posts only, and not both")
    if watch:
        from groundswell.collect import watch as reading

        tell(reading(source, name, wanted, settings=settings, params=params.collect, now=now()))
        return
    windows = parse_windows(window)
    from groundswell.budget import within
    from groundswell.collect import collect as stage

    with within(settings, budget, f"{source}/{name}/{window}", source, getattr(wanted, source, None), windows) as settle:
        report = stage(source, name, wanted, windows, settings=settings, params=params.collect, now=now(), reason=reason)
        settle(report["usd"])
    tell(report)


def annotate(window: WindowOption, topic: TopicOption = None) -> None:
    """Fetch the labels that annotators gave to a window's posts into lake/labels."""
    settings, params = configured()
    windows = parse_windows(window)
    from groundswell.annotate import annotate as stage

    tell(stage(params.topic_named(topic)[0], windows, settings=settings, params=params.annotate))


def validate(
    window: WindowOption,
    topic: TopicOption = None,
    sources: Annotated[str, typer.Option(help="Only these of the topic's sources, e.g. steam,replay; left out: all.")] = "",
    spare_missing: Annotated[
        bool, typer.Option("--spare-missing", help="A source that was not collected keeps no other waiting: it is named in the report.")
    ] = False,
) -> None:
    """Check a window's raw posts; the good ones go to lake/valid, the others to lake/quarantine with a reason."""
    settings, params = configured()
    windows = parse_windows(window)
    from groundswell.validate import validate as stage

    name, wanted = params.topic_named(topic)
    chosen, how = (
        wanted.sources_named(sources),
        {"params": params.validate_, "hygiene": params.hygiene, "spare_missing": spare_missing, "among": wanted.sources},
    )
    tell(stage(name, chosen, windows, settings=settings, **how))


def coverage(
    window: Annotated[str | None, typer.Option("--window", help="A range A..B; left out: from the first window in the lake to the last.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="A", help="The range's first window; left out: the lake's.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="B", help="The range's last window; left out: the lake's.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="A topic of params.yaml; left out: all, with --require its default one.")] = None,
    require: Annotated[bool, typer.Option("--require", help="Fail when a window is not validated, as retrain does before it trains.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of tables.")] = False,
) -> None:
    """Which windows are in the lake, and how far each has come; with --require, fail at a hole."""
    settings, params = configured()
    if window and (first or last):
        raise UsageError("coverage: expected --window A..B, or --from A --to B, not both")
    if require and (bool(first) != bool(last)):
        raise UsageError("coverage --require: expected --from with --to, or --window A..B")
    from groundswell import coverage as stage

    windows = parse_windows(window) if window else stage.between(settings, params, first, last)
    if require:
        name, wanted = params.topic_named(topic)
        tell(stage.coverage(name, wanted.sources, windows, settings=settings, unit=params.collect.window))
        return
    found = stage.look(settings, params, topics=[params.topic_named(topic)[0]] if topic else [], windows=windows, now=now())
    if as_json:
        tell(found)
    else:
        stage.show(found, most=None if windows else 31)
        typer.echo(f"page: {settings.home / 'reports/coverage/overview.html'}", err=True)


def new_source(
    name: Annotated[str, typer.Argument(help="A module's name: small letters, digits, underscores.")],
    package: Annotated[Path | None, typer.Option(help="A new folder for a package of its own; left out: into this checkout.")] = None,
) -> None:
    """Begin a source for another network: its module, its case in the contract's tests, its line in the registry."""
    from groundswell import new_source as beginning

    report = beginning.new_package(name, package) if package else beginning.new_source(name, project=load_settings().project)
    tell(report)
    for line in report["next"]:
        typer.echo(f"Next: {line}", err=True)


def simulate(
    port: Annotated[int | None, typer.Option(help="Where on loopback; 0: any that is free. Left out: as GROUNDSWELL_SIMULATOR_PORT says.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another world.")] = None,
    at: Annotated[str | None, typer.Option("--now", help="As of when the platforms are looked at (2026-10-21T06:00:00Z).")] = None,
    chaos: Annotated[int | None, typer.Option(metavar="SEED", help="Requests go wrong by their numbers, each in a way that passes.")] = None,
) -> None:
    """Serve the simulated platforms on loopback until Ctrl-C; prints what to set so that the connectors ask them."""
    from groundswell.simulator.server import serve, world

    serve(world(port=port, seed=seed, now=at, chaos=chaos), say=typer.echo)


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
    tell(found) if as_json else typer.echo(table(found))
