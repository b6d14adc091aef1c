"""Coverage: which windows are in the lake, and how far each has come, for every source of a topic.

Reads the footers of the lake. `coverage` demands: it writes its report and refuses, as a `LakeError` that names them, when a window is
not validated; retraining on a hole would be a quiet mistake. `look` only looks: it writes a page and its numbers.
"""

from __future__ import annotations

from datetime import datetime

from groundswell.coverage_page import coverage_page
from groundswell.errors import LakeError
from groundswell.files import replacing, write_json
from groundswell.lake import Lake
from groundswell.overview import overview
from groundswell.params import Params
from groundswell.settings import Settings
from groundswell.superseded import is_made_of
from groundswell.window import Window, parse_windows

_NAMED = 5
"""How many missing windows a message names; the report has them all."""


def coverage(topic: str, sources: list[str], windows: list[Window] | None, *, settings: Settings, unit: str = "day") -> dict:
    """Rows and status of every source's windows; `LakeError` when one is not complete in ``lake/valid``.

    ``windows`` None: all of ``unit`` (day, hour) from the topic's first collected one to its last.
    """
    lake = Lake(settings.lake)
    windows = windows or _all_between(lake, topic, unit)
    parts = {source: {window.key: _state(lake, source, topic, window) for window in windows} for source in sources}
    missing = [
        f"{source}/{topic}/{key} ({state['status']})"
        for source, states in parts.items()
        for key, state in states.items()
        if state["status"] != "complete"
    ]
    report = {
        "stage": "coverage",
        "topic": topic,
        "from": windows[0].key,
        "to": windows[-1].key,
        "windows": len(windows),
        "rows": {source: sum(state["rows"] for state in states.values()) for source, states in parts.items()},
        "partitions": parts,
        "missing": missing,
    }
    write_json(report, settings.report("coverage", topic))
    if missing:
        named = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        raise LakeError(f"{len(missing)} of {len(sources) * len(windows)} partitions are not in lake/valid: {named}: collect and validate them first")
    return report


def look(settings: Settings, params: Params, *, topics: list[str], windows: list[Window] | None, now: datetime) -> dict:
    """What `overview` finds of ``topics`` (none: all); ``reports/coverage/overview.html`` and ``.json`` show it, as it is at ``now``."""
    found = {"stage": "coverage", **overview(settings, params, topics=topics, windows=windows)}
    path = settings.report("coverage", "overview")
    with replacing(path.with_suffix(".html")) as beside:
        beside.write_text(coverage_page(found, at=f"{now:%Y-%m-%d %H:%MZ}"), encoding="utf-8")
    write_json(found, path)
    return found


def between(settings: Settings, params: Params, first: str | None, last: str | None) -> list[Window] | None:
    """The windows from ``first`` to ``last``; for the one that is None, the lake's own; None when both are."""
    if first is None and last is None:
        return None
    if first is None or last is None:
        known = overview(settings, params)
        first, last = first or min(known["from"], last), last or max(known["to"], first)
    return parse_windows(f"{first}..{last}")


_WINDOW_WIDTH, _CELL_WIDTH = 17, 17
"""Of a table in the terminal, in characters: as many sources as fit beside each other, the others below."""


def show(found: dict, *, most: int | None = 31) -> None:
    """Print ``found`` (of `look`) as tables for a person: the last ``most`` windows, all where it is None."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for topic, by_source in found["topics"].items():
        windows = list(next(iter(by_source.values()), {}))
        fit = max(1, (console.width - _WINDOW_WIDTH) // _CELL_WIDTH)
        for sources in (list(by_source)[start : start + fit] for start in range(0, len(by_source), fit)):
            table = Table("window", *sources, title=f"{topic}: {found['from']} … {found['to']}")
            for window in windows[-(most or 0) :]:
                table.add_row(window, *(_mark(by_source[source][window]) for source in sources))
            console.print(table)
        totals = found["totals"][topic]
        counts = ", ".join(f"{totals[name]:,} {name.replace('_', ' ')}" for name in (*_COLOURS, "revised", "superseded", "scored", "stale_scores"))
        console.print(f"{counts}; {totals['rows_valid']:,} valid posts, {totals['quarantined_share']:.1%} quarantined", soft_wrap=True)
        if (hidden := len(windows) - (most or len(windows))) > 0:
            console.print(f"{hidden:,} earlier windows are not shown: --from, or the page")
    console.print(
        "r2: revision 2; q3%: quarantined; s4: scored by version 4, s4?: its valid posts are others since (groundswell score again); "
        "!: something was built on other content (groundswell impact DAY)",
        soft_wrap=True,
    )


_COLOURS = {"missing": "red", "collected": "yellow", "open": "yellow", "validated": "blue", "sealed": "green"}


def _mark(cell: dict) -> str:
    words = [cell["state"]] + [f"{cell[name]:,}" for name in ("rows_valid", "rows_raw") if cell[name] is not None][:1]
    words += [f"q{cell['quarantined_share']:.0%}"] * (cell["quarantined_share"] >= 0.005) + [f"r{cell['revision']}"] * (cell["revision"] > 1)
    words += [f"s{cell['scored_by']}{'' if cell['is_scored'] else '?'}"] * (cell["is_scored"] is not False)
    return f"[{_COLOURS[cell['state']]}]{' '.join(words)}[/]" + (" [bold red]![/]" if cell["superseded"] else "")


def _all_between(lake: Lake, topic: str, unit: str) -> list[Window]:
    collected = [partition.window for partition in lake.partitions("raw", topic=topic) if partition.window.unit == unit]
    if not collected:
        raise LakeError(f"no {unit} of {topic} is in the lake ({lake.root}): collect some first")
    return parse_windows(f"{min(collected)}..{max(collected)}")


def _state(lake: Lake, source: str, topic: str, window: Window) -> dict:
    raw, valid = (
        lake.metadata(one) if lake.exists(one) else None for one in (lake.partition(layer, source, topic, window) for layer in ("raw", "valid"))
    )
    if valid is None:
        return {"status": "not collected" if raw is None else "not validated", "rows": 0}
    status = valid.get("status", "unknown") if is_made_of(valid, raw) else "not validated since it was collected again"
    return {"status": status, "rows": valid.get("rows", 0)}
