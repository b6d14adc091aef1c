"""The one door to every stage: Airflow's tasks, DVC's stages, CI and people all call these subcommands.

A stage's report goes to standard output as one line of JSON; everything else goes to standard error. Exit status: 0 done,
1 failed, 2 wrong use, 77 not allowed by a platform, 75 not now: then one line of JSON says after how many seconds.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys

import typer

from groundswell.commands import ingest, learning, local, release, rights, serving
from groundswell.commands.backfill import backfill_app
from groundswell.commands.rollout import rollout_app
from groundswell.errors import ComeBack, GroundswellError

_COMMANDS = (
    *(ingest.collect, ingest.annotate, ingest.validate, ingest.coverage, ingest.new_source, ingest.simulate, ingest.leaks),
    *(rights.erase, rights.takedown, rights.retain),
    *(learning.prepare, learning.seal, learning.train, learning.evaluate, learning.judge, learning.tune, learning.report),
    *(learning.impact, learning.lineage, learning.checkout),
    learning.compare,
    *(release.promote, release.rollback, release.verify, release.score, release.monitor, release.export),
    serving.predict,
    *(local.up, local.down, local.shell, local.status, local.demo),
)

app = typer.Typer(name="groundswell", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
for _command in _COMMANDS:
    app.command()(_command)
for _group in (backfill_app, rollout_app, serving.keys_app):
    app.add_typer(_group)


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
