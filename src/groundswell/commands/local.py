"""The embedded stack on one machine."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from groundswell.commands import configured, heed_signals, say
from groundswell.settings import load_settings


def up() -> None:
    """Start Airflow, MLflow, the simulated platforms and serving, and leave them running."""
    settings, params = configured()
    from groundswell import demo, stack, status

    heed_signals()
    ours = stack.settings_of_the_stack(settings)
    before = stack.running(ours)
    demo.write_corpus(ours, params, demo.WINDOWS)
    stack.up(settings, params, say=say)
    try:
        demo.make_ready(ours, params).unpause("monitor", "report", "score")
    except BaseException:
        stack.down(ours, spare=before, say=say)
        raise
    status.show(status.status(settings, params), settings.home)


def down() -> None:
    """Stop what `up` or an interrupted `demo` left running."""
    from groundswell import stack

    stack.down(load_settings(), say=say)


def shell(command: Annotated[list[str] | None, typer.Argument(help="What to run there; left out: an interactive shell.")] = None) -> None:
    """A shell in the environment of the embedded stack: groundswell, airflow, dvc and mlflow work there as typed."""
    settings, params = configured()
    from groundswell import stack

    ours = stack.settings_of_the_stack(settings)
    words = command or [os.environ.get("SHELL", "/bin/sh")]
    os.environ.update(stack.environment(ours, params.topic_named(None)[0]), MLFLOW_TRACKING_URI=ours.mlflow_uri)
    os.execvp(words[0], words)


def status() -> None:
    """What runs, which model is champion, which windows are in the lake."""
    settings, params = configured()
    from groundswell import status as found

    found.show(found.status(settings, params), settings.home)


def demo() -> None:
    """The whole loop once, through Airflow, on the simulated platforms; then stop what was started."""
    settings, params = configured()
    from groundswell import demo as loop

    heed_signals()
    loop.show(loop.demo(settings, params, say=say), settings)
