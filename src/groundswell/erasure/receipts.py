"""Receipts: what an erasure did, store by store, in numbers. No text, no native id, no pseudonym.

Writes ``rights/receipts/<id>.json``, first when the tombstones are on the disk (``state: begun``, with what a second run must know if
this one is killed), again when all is done. Reads those that were begun and never finished.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from groundswell.files import write_json
from groundswell.settings import Settings


def folder(settings: Settings) -> Path:
    return settings.root / "rights" / "receipts"


def name(kind: str, digest: str, now: datetime) -> str:
    """``<kind>-<moment>-<digest>``: sorts by time within a kind."""
    return f"{kind}-{now:%Y%m%dT%H%M%SZ}-{digest}"


def write(receipt: dict, settings: Settings) -> None:
    write_json(receipt, folder(settings) / f"{receipt['receipt']}.json")


def unfinished(settings: Settings) -> list[dict]:
    """Receipts that were begun and not finished, the oldest first: by runs that were killed, or failed."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder(settings).glob("erase-*.json"))]
    return [receipt for receipt in found if receipt["state"] == "begun"]
