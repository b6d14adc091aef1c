"""What the lake has of every window, source and topic: the facts behind `groundswell coverage` and its pages.

Reads footers of ``lake/raw``, ``lake/valid``, ``lake/quarantine`` and ``lake/scored``, what `seal` sealed last, and what `impact` knows to
be built on which content. Writes nothing, asks no server, reads no post.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from groundswell.errors import LakeError
from groundswell.lake import Lake, Partition
from groundswell.params import Params
from groundswell.settings import Settings
from groundswell.superseded import built_on, is_made_of, read_sealed
from groundswell.window import Window, parse_windows

STATES = ("missing", "collected", "open", "validated", "sealed")
"""How far a window has come; ``open`` is one that may still grow: of a source that shows its latest posts only, or read in part."""
_POSTS = ("raw", "valid", "quarantine")
_LAYERS = (*_POSTS, "scored")


def overview(settings: Settings, params: Params, *, topics: Iterable[str] = (), windows: list[Window] | None = None, last: int | None = None) -> dict:
    """``{"from", "to", "topics": {topic: {source: {window: cell}}}, "totals": {topic: …}}``.

    ``windows`` None: all of ``collect.window`` from the first collected to the last; ``last``: only so many of those. A cell has
    ``state`` (of `STATES`), rows raw, valid and quarantined, ``quarantined_share``, ``revision`` and its ``reason``, ``is_sealed`` (None:
    sealed once, with other content) and ``superseded``: what was built on content that is no more; ``is_scored`` (None: its valid posts are others
    since), ``rows_scored`` and ``scored_by``, the model's version. `LakeError` when nothing is there.
    """
    lake = Lake(settings.lake)
    names = list(topics) or sorted(params.topics)
    there = {topic: _there(lake, topic) for topic in names}
    windows = windows or _all_between(there, params.collect.window, lake.root)[-(last or 0) :]
    cells = {topic: _of_topic(lake, settings, params, topic, there[topic], windows) for topic in names}
    return {
        "from": windows[0].key,
        "to": windows[-1].key,
        "windows": len(windows),
        "topics": cells,
        "totals": {topic: _totals(by_source) for topic, by_source in cells.items()},
    }


def _there(lake: Lake, topic: str) -> dict[tuple[str, str, Window], Partition]:
    return {(layer, one.source, one.window): one for layer in _LAYERS for one in lake.partitions(layer, topic=topic)}


def _all_between(there: dict[str, dict], unit: str, root) -> list[Window]:
    found = [window for partitions in there.values() for _, _, window in partitions if window.unit == unit]
    if not found:
        raise LakeError(f"no {unit} of {', '.join(there)} is in the lake ({root}): collect some first")
    return parse_windows(f"{min(found)}..{max(found)}")


def _of_topic(lake: Lake, settings: Settings, params: Params, topic: str, there: dict, windows: list[Window]) -> dict[str, dict[str, dict]]:
    sealed, built = read_sealed(settings, topic), built_on(settings, topic)
    wanted = params.topics[topic].sources if topic in params.topics else []
    sources = sorted({*wanted, *(source for _, source, _ in there)})
    found: dict[str, dict[str, dict]] = {}
    for source in sources:
        for window in windows:
            footers = {layer: lake.metadata(there[layer, source, window]) for layer in _LAYERS if (layer, source, window) in there}
            key = f"{source}/{topic}/{window}"
            found.setdefault(source, {})[window.key] = _cell(footers, sealed.get(key), built.get(key, {}))
    return found


def _cell(footers: dict[str, dict], sealed: str | None, built: dict[str, list[str]]) -> dict:
    valid, raw = footers.get("valid"), footers.get("raw")
    content = valid.get("content_sha256") if valid else None
    rows = {layer: footers[layer].get("rows", 0) if layer in footers else None for layer in _LAYERS}
    newest = max((footers[layer] for layer in _POSTS if layer in footers), key=lambda footer: footer.get("revision", 1), default={})
    whole = (rows["valid"] or 0) + (rows["quarantine"] or 0)
    return {
        "state": _state(raw, valid, is_sealed=content is not None and content == sealed),
        "rows_raw": rows["raw"],
        "rows_valid": rows["valid"],
        "rows_quarantined": rows["quarantine"],
        "quarantined_share": round((rows["quarantine"] or 0) / whole, 4) if whole else 0.0,
        "revision": newest.get("revision", 1) if newest else 0,
        "reason": newest.get("reason", ""),
        "is_sealed": None if sealed and content != sealed else content is not None and content == sealed,
        "superseded": sorted({name for then, names in built.items() if then != content for name in names}),
        "is_scored": (is_made_of(footers["scored"], valid) or None) if "scored" in footers else False,
        "rows_scored": rows["scored"],
        "scored_by": footers.get("scored", {}).get("model", {}).get("version"),
    }


def _state(raw: dict | None, valid: dict | None, *, is_sealed: bool) -> str:
    if (raw or {}).get("status") == "open":
        return "open"
    if valid is not None and is_made_of(valid, raw):
        return "sealed" if is_sealed else "validated"
    return "missing" if raw is None else "collected"


def _totals(by_source: dict[str, dict[str, dict]]) -> dict:
    cells = [cell for by_window in by_source.values() for cell in by_window.values()]
    valid, aside = (sum(cell[name] or 0 for cell in cells) for name in ("rows_valid", "rows_quarantined"))
    return {
        **dict.fromkeys(STATES, 0),
        **Counter(cell["state"] for cell in cells),
        "cells": len(cells),
        "rows_valid": valid,
        "rows_quarantined": aside,
        "quarantined_share": round(aside / (valid + aside), 4) if valid + aside else 0.0,
        "revised": sum(cell["revision"] > 1 for cell in cells),
        "superseded": sum(bool(cell["superseded"]) for cell in cells),
        "scored": sum(cell["is_scored"] is True for cell in cells),
        "stale_scores": sum(cell["is_scored"] is None for cell in cells),
        "rows_scored": sum(cell["rows_scored"] or 0 for cell in cells),
        "scored_by": dict(sorted(Counter(cell["scored_by"] for cell in cells if cell["scored_by"]).items())),
    }
