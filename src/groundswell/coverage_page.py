"""The page of what the lake has: a heat map of windows for every source and topic, and what in it deserves a look.

Reads what `overview` found and gives the page's text; writes nothing. Works in a light and a dark room, without a script.
"""

from __future__ import annotations

from html import escape

from groundswell.overview import STATES
from groundswell.pages import Cell, badge, code, document, table, tiles

_SAYS = {
    "missing": "nothing is there",
    "collected": "raw posts, not validated",
    "open": "may still grow",
    "validated": "valid, not sealed as it is",
    "sealed": "versioned as it is",
}
_KINDS = {"missing": "bad", "collected": "note", "open": "note", "validated": "good", "sealed": "good"}
_SCORED = {False: "", True: " scored", None: " scored stale"}
_STYLE = """<style>
.strip { display: flex; flex-wrap: wrap; gap: 3px; padding: 10px 16px; align-items: center; }
.strip b { width: 112px; font-size: 14px; overflow-wrap: anywhere; } .strip div { display: flex; flex-wrap: wrap; gap: 3px; flex: 1; }
.day { width: 15px; height: 20px; border-radius: 3px; border: 1px solid transparent; font: 600 10px/18px system-ui, sans-serif; text-align: center; }
.month { font-size: 12px; color: var(--soft); line-height: 20px; padding: 0 3px; }
.s-missing { border-color: var(--bad); background: repeating-linear-gradient(45deg, var(--bad-back) 0 3px, transparent 3px 6px); }
.s-collected { background: var(--note); opacity: .55; } .s-open { background: var(--note-back); border-color: var(--note); }
.s-validated { background: var(--bar); opacity: .75; } .s-sealed { background: var(--good); }
.day.over { outline: 2px solid var(--bad); outline-offset: 1px; } .s-validated, .s-sealed { color: var(--paper); }
.day.scored { border-bottom: 3px solid var(--ink); } .day.stale { border-bottom-color: var(--bad); }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; font-size: 13px; color: var(--soft); align-items: center; margin: 12px 0; }
.legend span { display: inline-flex; gap: 6px; align-items: center; }
</style>"""


def coverage_page(found: dict, *, at: str = "") -> str:
    """The page of ``found`` (of `overview`), as it was at ``at``."""
    body = [
        _STYLE,
        f"<header><h1>Coverage · {escape(found['from'])} … {escape(found['to'])}</h1>{_verdict(found)}</header>",
        f'<p class="soft lead">What the lake has{f", at {escape(at)}" if at else ""}. Point at a window for its numbers.</p>',
        tiles(_tiles(found)),
        _legend(),
        *(_topic(topic, by_source) for topic, by_source in found["topics"].items()),
        "<footer>Read from the footers of the lake's files. A window is superseded when something was built on other content than it has now: "
        "groundswell impact DAY names what. Scores are stale when their valid posts are others since: groundswell score --window DAY "
        "makes them again. Whether their version is still champion is not asked here.</footer>",
    ]
    return document(f"coverage {found['from']} … {found['to']}", "\n".join(body))


def empty_page(why: str) -> str:
    """The page of a lake that has nothing to show."""
    return document("coverage", f'<header><h1>Coverage</h1>{badge("empty", "note")}</header><p class="soft lead">{escape(why)}</p>')


def _verdict(found: dict) -> Cell:
    holes = sum(totals["missing"] + totals["collected"] for totals in found["totals"].values())
    if any(totals["superseded"] for totals in found["totals"].values()):
        return badge("superseded data in use", "bad")
    return badge(f"{holes:,} not validated", "bad") if holes else badge("whole", "good")


def _tiles(found: dict) -> dict:
    totals = list(found["totals"].values())
    valid, aside = (sum(each[name] for each in totals) for name in ("rows_valid", "rows_quarantined"))
    return {
        "windows": found["windows"],
        "missing": sum(each["missing"] for each in totals),
        "valid posts": valid,
        "quarantined": f"{aside / (valid + aside):.1%}" if valid + aside else "–",
        "revised": sum(each["revised"] for each in totals),
        "superseded": sum(each["superseded"] for each in totals),
        "scored": sum(each["scored"] for each in totals),
        "stale scores": sum(each["stale_scores"] for each in totals),
    }


def _legend() -> str:
    states = [f'<span><i class="day s-{state}"></i>{state}: {_SAYS[state]}</span>' for state in STATES]
    marks = [
        '<span><i class="day s-sealed">2</i>revision 2</span>',
        '<span><i class="day s-sealed over"></i>superseded: used with other content</span>',
        '<span><i class="day s-sealed scored"></i>scored by a model</span>',
        '<span><i class="day s-sealed scored stale"></i>scored, its valid posts are others since</span>',
    ]
    return f'<div class="legend">{"".join([*states, *marks])}</div>'


def _topic(topic: str, by_source: dict[str, dict[str, dict]]) -> str:
    strips = "".join(f'<div class="strip"><b>{escape(source)}</b><div>{_days(cells)}</div></div>' for source, cells in by_source.items())
    return f'<h2>{escape(topic)}</h2><div class="card">{strips}</div>{_worth_a_look(by_source)}{_all(by_source)}'


def _days(cells: dict[str, dict]) -> str:
    drawn, month = [], ""
    for window, cell in cells.items():
        if window[:7] != month:
            month = window[:7]
            drawn.append(f'<span class="month">{escape(month)}</span>')
        classes = f"day s-{cell['state']}{' over' if cell['superseded'] else ''}{_SCORED[cell['is_scored']]}"
        mark = str(cell["revision"]) if cell["revision"] > 1 else ""
        drawn.append(f'<i class="{classes}" role="img" title="{escape(told(window, cell))}" aria-label="{escape(told(window, cell))}">{mark}</i>')
    return "".join(drawn)


def told(window: str, cell: dict) -> str:
    """A window in one sentence."""
    parts = [f"{window}: {cell['state']}"]
    if cell["rows_valid"] is not None:
        parts.append(f"{cell['rows_valid']:,} valid posts, {cell['quarantined_share']:.1%} quarantined")
    elif cell["rows_raw"] is not None:
        parts.append(f"{cell['rows_raw']:,} raw posts")
    if cell["revision"] > 1:
        parts.append(f"revision {cell['revision']} ({cell['reason'] or 'no reason given'})")
    if cell["is_sealed"] is None:
        parts.append("sealed with other content")
    if cell["is_scored"] is not False:
        stale = "" if cell["is_scored"] else ", but its valid posts are others since"
        parts.append(f"{cell['rows_scored']:,} scored by version {cell['scored_by']}{stale}")
    if cell["superseded"]:
        parts.append(f"superseded in {', '.join(cell['superseded'])}")
    return ", ".join(parts)


def _worth_a_look(by_source: dict[str, dict[str, dict]]) -> str:
    """The windows that changed after something was built on them, were revised, or are not there."""
    rows = []
    for source, cells in by_source.items():
        for window, cell in cells.items():
            if cell["superseded"] or cell["revision"] > 1 or cell["state"] in ("missing", "collected") or cell["is_scored"] is None:
                built = badge("superseded", "bad") if cell["superseded"] else badge("stale scores", "note") if cell["is_scored"] is None else "–"
                rows.append([window, source, badge(cell["state"], _KINDS[cell["state"]]), cell["revision"] or "–", cell["reason"] or "–", built])
                rows[-1].append(", ".join(cell["superseded"]) or "–")
    if not rows:
        return ""
    shown = table(["window", "source", "state", "revision", "reason", "", "used by"], sorted(rows, key=lambda row: (row[0], row[1]))[-200:])
    return f"<details{' open' if len(rows) <= 12 else ''}><summary>{len(rows):,} windows worth a look</summary>{shown}</details>"


def _all(by_source: dict[str, dict[str, dict]]) -> str:
    rows = []
    for source, cells in by_source.items():
        for window, cell in cells.items():
            counts = [cell[name] if cell[name] is not None else "–" for name in ("rows_raw", "rows_valid", "rows_quarantined")]
            share, scored = f"{cell['quarantined_share']:.1%}", "–" if cell["rows_scored"] is None else cell["rows_scored"]
            by = f"version {cell['scored_by']}{'' if cell['is_scored'] else ', stale'}" if cell["is_scored"] is not False else "–"
            rows.append([code(window), source, cell["state"], by, *counts, share, cell["revision"] or "–", scored])
    shown = table(["window", "source", "state", "scored by", "raw", "valid", "quarantined", "share", "revision", "scored"], rows, numeric=6)
    return f"<details><summary>All {len(rows):,} partitions</summary>{shown}</details>"
