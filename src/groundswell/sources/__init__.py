"""The networks that posts come from: one file and one line here for each, and those of installed packages.

A package adds a source by an entry point of the group ``groundswell.sources``: its name → ``module:SOURCE``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from groundswell.errors import ParamsError, UnknownName, nearest
from groundswell.sources.base import Source

GROUP = "groundswell.sources"
SOURCES = {
    "bluesky": "groundswell.sources.bluesky:SOURCE",
    "gdelt": "groundswell.sources.gdelt:SOURCE",
    "hackernews": "groundswell.sources.hackernews:SOURCE",
    "lemmy": "groundswell.sources.lemmy:SOURCE",
    "mastodon": "groundswell.sources.mastodon:SOURCE",
    "huggingface": "groundswell.sources.huggingface:SOURCE",
    "kaggle": "groundswell.sources.kaggle:SOURCE",
    "reddit": "groundswell.sources.reddit:SOURCE",
    "replay": "groundswell.sources.replay:SOURCE",
    "rss": "groundswell.sources.rss:SOURCE",
    "steam": "groundswell.sources.steam:SOURCE",
    "x": "groundswell.sources.x:SOURCE",
}
"""Name → module and attribute of our own sources; imported only when one is asked for."""


@cache
def known() -> dict[str, EntryPoint]:
    """Every source there is, ours and those of installed packages, by name; `ParamsError` where two have one name."""
    found = {name: EntryPoint(name, value, GROUP) for name, value in SOURCES.items()}
    for point in entry_points(group=GROUP):
        if point.name in found and found[point.name].value != point.value:
            raise ParamsError(f"two sources are called {point.name!r}: {found[point.name].value} and {point.value}: uninstall the package of one")
        found[point.name] = point
    return found


@cache
def source_named(name: str) -> Source:
    """The source called ``name``; `UnknownName` with the nearest one that exists, `ParamsError` for a package's that is none."""
    if name not in known():
        raise UnknownName(f"source {name!r} is unknown{nearest(name, known())}")
    point = known()[name]
    source = getattr(import_module(point.module), point.attr, None)
    if not isinstance(source, Source) or source.name != name:
        raise ParamsError(f"source {name!r}: expected a groundswell.sources.base.Source of that name at {point.value}, found something else")
    return source
