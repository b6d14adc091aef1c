"""The serving endpoint: asking it, and its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundswell.commands import tell
from groundswell.errors import UsageError
from groundswell.settings import load_settings

keys_app = typer.Typer(name="keys", no_args_is_help=True, help="Serving's API keys: make, list, revoke.", rich_markup_mode=None)


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
            tell(found)
        else:
            asking.show(texts, client, as_json=as_json)


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
    tell({"file": str(path), "keys": [key.model_dump(mode="json", exclude={"sha256"}) for key in keys.read(path)]})


@keys_app.command("revoke")
def revoke_key(name: str) -> None:
    """Take a key away: serving refuses it within a second."""
    from groundswell import keys

    path = load_settings().keys_file
    tell({"file": str(path), "revoked": keys.revoke(path, name).model_dump(mode="json", exclude={"sha256"})})
