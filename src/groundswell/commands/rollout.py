"""groundswell rollout: a version on a growing share of serving's clients."""

from __future__ import annotations

from typing import Annotated

import typer

from groundswell.commands import ByOption, TopicOption, configured, now, tell

rollout_app = typer.Typer(name="rollout", no_args_is_help=True, help="Try a version on a growing share of serving's clients.", rich_markup_mode=None)


@rollout_app.command("start")
def start_rollout(version: Annotated[str, typer.Argument(metavar="MODEL_VERSION")], topic: TopicOption = None) -> None:
    """Point the alias canary to a version: serving begins with 1 % of clients."""
    settings, params = configured()
    from groundswell.rollout import start

    tell(start(params.topic_named(topic)[0], version, settings=settings))


@rollout_app.command("status")
def rollout_status(topic: TopicOption = None) -> None:
    """What the registry and serving say of the rollout."""
    settings, params = configured()
    from groundswell.rollout import status

    tell(status(params.topic_named(topic)[0], settings=settings))


@rollout_app.command("finish")
def finish_rollout(
    by: ByOption,
    topic: TopicOption = None,
    verdict: Annotated[str | None, typer.Option(help="Digest of the verdict that was approved: no other is acted upon.")] = None,
) -> None:
    """Promote the version that serving calls ready, by promote's own rules, and take its alias canary away."""
    settings, params = configured()
    from groundswell.promote import promote as stage
    from groundswell.rollout import require_ready, stop

    name = params.topic_named(topic)[0]
    require_ready(name, settings=settings)
    report = stage(name, by=by, verdict_digest=verdict, settings=settings, params=params.promote, now=now())
    stop(name, settings=settings)
    tell(report)


@rollout_app.command("stop")
def stop_rollout(topic: TopicOption = None) -> None:
    """Take the alias canary away: every client is the champion's again."""
    settings, params = configured()
    from groundswell.rollout import stop

    tell(stop(params.topic_named(topic)[0], settings=settings))
