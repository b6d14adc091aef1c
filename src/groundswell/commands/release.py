"""A judged model into serving, and an eye on it there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundswell.commands import ByOption, TopicOption, WindowOption, configured, now, tell
from groundswell.errors import UsageError
from groundswell.window import parse_windows


def promote(
    by: ByOption,
    topic: TopicOption = None,
    verdict: Annotated[str | None, typer.Option(help="Digest of the verdict that was approved: no other is acted upon.")] = None,
) -> None:
    """Make the judged challenger the champion: load it as serving does, move the alias, write the ledger."""
    settings, params = configured()
    from groundswell.promote import promote as stage

    tell(stage(params.topic_named(topic)[0], by=by, verdict_digest=verdict, settings=settings, params=params.promote, now=now()))


def rollback(by: ByOption, topic: TopicOption = None) -> None:
    """Go back to the last healthy champion before the present one."""
    settings, params = configured()
    from groundswell.promote import rollback as stage

    tell(stage(params.topic_named(topic)[0], by=by, settings=settings, now=now()))


def verify(
    version: Annotated[str | None, typer.Option(help="The version that must answer; left out: the last of the ledger.")] = None,
    topic: TopicOption = None,
) -> None:
    """Wait until serving answers with a model version."""
    settings, params = configured()
    from groundswell.verify import verify as stage

    tell(stage(params.topic_named(topic)[0], version, settings=settings, params=params.promote))


def monitor(window: WindowOption, topic: TopicOption = None) -> None:
    """Compare a window's posts with the champion's reference: an Evidently report and a decision with reasons."""
    settings, params = configured()
    windows = parse_windows(window)
    from groundswell.monitor import monitor as stage

    tell(stage(params.topic_named(topic)[0], windows, settings=settings, params=params.monitor))


def score(
    window: WindowOption,
    topic: TopicOption = None,
    sources: Annotated[str, typer.Option(help="Only these of the topic's sources, e.g. steam,replay; left out: all.")] = "",
    spare_missing: Annotated[
        bool, typer.Option("--spare-missing", help="A source that was not validated keeps no other waiting: it is named in the report.")
    ] = False,
    if_champion: Annotated[bool, typer.Option("--if-champion", help="Before the first promotion: say so and end well.")] = False,
) -> None:
    """Have the champion answer a window's valid posts, into lake/scored."""
    settings, params = configured()
    windows = parse_windows(window)
    from groundswell.score import score as stage

    name, wanted = params.topic_named(topic)
    how = {"params": params.score, "spare_missing": spare_missing, "if_champion": if_champion}
    tell(stage(name, wanted.sources_named(sources), windows, settings=settings, **how))


def export(
    to: Annotated[str, typer.Option(help="hf (a transformers pipeline), onnx (plain ONNX Runtime) or triton (a model repository).")],
    version: Annotated[str | None, typer.Argument(metavar="MODEL_VERSION", help="A number, or an alias such as champion.")] = None,
    out: Annotated[Path | None, typer.Option(help="A new folder; left out: one under exports/ of home.")] = None,
    folder: Annotated[Path | None, typer.Option(help="An export folder instead of a version, as train leaves it.")] = None,
    topic: TopicOption = None,
) -> None:
    """Write a model version as a folder that others load: transformers, ONNX Runtime, Triton."""
    settings, params = configured()
    from groundswell import convert

    if (version is None) == (folder is None):
        raise UsageError("export: expected MODEL_VERSION or --folder, one of them, e.g. groundswell export champion --to hf")
    if folder:
        report = convert.convert(folder, to, out or settings.root / "exports" / f"{folder.resolve().parent.name}-{to}")
    else:
        report = convert.export_version(params.topic_named(topic)[0], version, to, out, settings=settings)
    tell(report)
    typer.echo(f"Next: {report['try']}", err=True)
