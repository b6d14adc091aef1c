"""The networks that posts come from: one file and one line here for each."""

from __future__ import annotations

from importlib import import_module

from groundswell.errors import UnknownName, nearest
from groundswell.sources.base import Source

SOURCES = {
    "hackernews": "groundswell.sources.hackernews",
    "replay": "groundswell.sources.replay",
    "steam": "groundswell.sources.steam",
}
"""Name → the module that holds its `SOURCE`; imported only when it is asked for."""


def source_named(name: str) -> Source:
    """The source called ``name``; `UnknownName` with the nearest one that exists."""
    if name not in SOURCES:
        raise UnknownName(f"source {name!r} is unknown{nearest(name, SOURCES)}")
    return import_module(SOURCES[name]).SOURCE
