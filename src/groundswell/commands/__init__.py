"""What the subcommands share: their common options, settings and params, a report's one line, and the one clock.

A module of this package holds the subcommands of one room of the house; `groundswell.cli` lists them all. Nothing heavy is imported
before a wrong call could be answered: each command imports its stage when it runs.
"""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from typing import Annotated

import typer

from groundswell.params import Params, load_params
from groundswell.settings import Settings, load_settings

TopicOption = Annotated[str | None, typer.Option("--topic", help="A topic of params.yaml; its default one when left out.")]
_WINDOW = typer.Option("--window", help="A UTC day (2026-10-19), an hour (2026-10-19T05), or a range of them (A..B).")
WindowOption = Annotated[str, _WINDOW]
MaybeWindowOption = Annotated[str | None, _WINDOW]
ByOption = Annotated[str, typer.Option("--by", help="Who decides: goes into the ledger.")]


def configured() -> tuple[Settings, Params]:
    """Settings and params; before any heavy import, so that a wrong call is answered at once."""
    settings = load_settings()
    return settings, load_params(settings)


def tell(found: dict) -> None:
    """The last word of a subcommand: its report as one line of JSON on standard output."""
    typer.echo(json.dumps(found, sort_keys=True, ensure_ascii=False, default=str))


def heed_signals() -> None:
    """Ended gently, or its terminal closed: as by Ctrl-C, what was started is stopped."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a background job is started with it ignored
        signal.signal(number, signal.default_int_handler)


def say(line: str) -> None:
    """A line of progress with the time of day."""
    typer.echo(f"{datetime.now().astimezone():%H:%M:%S} {line}", err=True)


def now() -> datetime:
    """The one clock: stages get time as an argument."""
    return datetime.now(UTC)
