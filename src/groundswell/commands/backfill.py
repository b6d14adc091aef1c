"""groundswell backfill: past windows, what they need and cost, and their start."""

from __future__ import annotations

from typing import Annotated

import typer

from groundswell.commands import TopicOption, configured, now, say, tell
from groundswell.errors import UsageError
from groundswell.settings import Settings
from groundswell.window import parse_windows

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
    settings, params = configured()
    windows = parse_windows(f"{first}..{last}")
    from groundswell import backfill

    name = params.topic_named(topic)[0]
    return settings, backfill.plan(source, name, windows, settings=settings, params=params, now=now(), budget=budget, again=again)


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

    tell(planned) if as_json else backfill.show(planned, typer.echo)


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
    options = {"reason": reason, "no_downstream": no_downstream, "max_active_runs": max_active_runs, "say": say}
    is_paid = source_named(source).usd_per_post > 0
    tell(backfill.start(planned, stack.airflow_of(settings), settings=settings, is_paid=is_paid, **options) if planned["needed"] else planned)
