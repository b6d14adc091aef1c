"""The pages that people open: one self-contained HTML file each, which works from a disk without a network.

Reads a stage's report and gives the page's text; writes nothing. No script, no outside address (the page's own policy forbids
both), and never a post's text: what is not in the report can't be on the page.
"""

from __future__ import annotations

from html import escape

_STYLE = """
:root, :host { --ink: #1c2430; --soft: #5d6b7e;
  --line: #dfe4ea; --paper: #fff; --back: #f4f6f8;
  --good: #1a7f4b; --good-back: #e2f5ea; --bad: #b3261e; --bad-back: #fde8e6; --note: #8a6100; --note-back: #fff3d6; --bar: #3f6fb5; }
* { box-sizing: border-box; }
body, :host { display: block; margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 64px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; }
h1 { font-size: 26px; margin: 0; letter-spacing: -0.01em; } h2 { font-size: 17px; margin: 34px 0 10px; }
p { margin: 6px 0; } .soft { color: var(--soft); } .lead { margin-bottom: 22px; }
.badge { border-radius: 999px; padding: 2px 12px; font-weight: 600; font-size: 13px; white-space: nowrap; }
.good { color: var(--good); background: var(--good-back); } .bad { color: var(--bad); background: var(--bad-back); }
.note { color: var(--note); background: var(--note-back); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tile b { display: block; font-size: 24px; font-variant-numeric: tabular-nums; line-height: 1.25; }
.tile span { color: var(--soft); font-size: 13px; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 7px 16px; border-top: 1px solid var(--line); vertical-align: top; }
tr:first-child th { border-top: 0; color: var(--soft); font-size: 13px; font-weight: 600; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: 13px/1.4 ui-monospace, "DejaVu Sans Mono", monospace; }
.alert { border-radius: 10px; padding: 12px 16px; margin: 18px 0; } .alert ul { margin: 4px 0 0; padding-left: 20px; }
svg { display: block; width: 100%; } .chart { padding: 14px 16px 0; margin-bottom: 12px; } .bar { fill: var(--bar); } .bar-bad { fill: var(--bad); }
.key-bar { color: var(--bar); } .key-bad { color: var(--bad); }
 summary { cursor: pointer; padding: 10px 16px; color: var(--soft); }
footer { margin-top: 40px; color: var(--soft); font-size: 13px; }
"""

_DARK = """
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa7b8; --line: #313a46; --paper: #1b212a; --back: #12171e;
  --good: #6fd39b; --good-back: #12351f; --bad: #ff9c94; --bad-back: #43201d; --note: #f0c566; --note-back: #3a2d0c; --bar: #7ba4e0; } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(title: str, body: str) -> str:
    """A whole page around ``body``."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{escape(title)}</title><style>{_STYLE}{_DARK}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


class Cell(str):
    """HTML that is safe already."""


def panel(title: str, page: str, body: str) -> str:
    """Another tool's whole ``page`` with ``body`` on top of it, in a shadow tree: neither page's style reaches the other."""
    page = page.replace("<head>", f"<head><title>{escape(title)}</title>", 1)
    top = f'<div><template shadowrootmode="open"><style>{_STYLE}</style><main>{body}</main></template></div>'
    head, tag, rest = page.partition("<body>")
    return f"{head}{tag}{top}{rest}"


def badge(text: str, kind: str) -> Cell:
    """A coloured word; ``kind`` is good, bad or note."""
    return Cell(f'<span class="badge {kind}">{escape(text)}</span>')


def tiles(numbers: dict[str, object]) -> str:
    """Large numbers in a row, each with its name."""
    boxes = [f'<div class="tile"><b>{_cell(value)}</b><span>{escape(name)}</span></div>' for name, value in numbers.items()]
    return f'<div class="tiles">{"".join(boxes)}</div>'


def table(headings: list[str], rows: list[list], numeric: int = 0) -> str:
    """A table of HTML cells; the last ``numeric`` columns stand right. Cells that are not `Cell` are escaped."""
    first = len(headings) - numeric
    kinds = [' class="number"' if place >= first else "" for place in range(len(headings))]
    head = "".join(f"<th{kind}>{escape(heading)}</th>" for kind, heading in zip(kinds, headings, strict=True))
    body = "".join("<tr>" + "".join(f"<td{kind}>{_cell(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>" for row in rows)
    return f'<div class="card"><table><tr>{head}</tr>{body}</table></div>'


def code(text: str) -> Cell:
    return Cell(f"<code>{escape(text)}</code>")


def alert(heading: str, lines: list[str], kind: str) -> str:
    """A coloured box with a list."""
    return f'<div class="alert {kind}"><b>{escape(heading)}</b><ul>' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul></div>"


def heading(stage: str, report: dict, state: Cell) -> str:
    return f"<header><h1>{stage} · {escape(report['topic'])} · {escape(report['window'])}</h1>{state}</header>"


def bars(columns: list[tuple[str, int, int]]) -> str:
    """A stacked bar for each (name, good, bad), in order: what a range looks like at a glance."""
    most = max((good + bad for _, good, bad in columns), default=0) or 1
    width = 1000 / max(len(columns), 14)  # a short range keeps slim bars
    drawn = [_bar(place * width, width, name, good, bad, 90 / most) for place, (name, good, bad) in enumerate(columns)]
    return f'<div class="card chart"><svg viewBox="0 0 1000 90" preserveAspectRatio="none" height="110">{"".join(drawn)}</svg></div>'


def _bar(left: float, width: float, name: str, good: int, bad: int, scale: float) -> str:
    gap = width * 0.15 if width > 4 else 0
    boxes = [("bar", good, 90 - good * scale), ("bar-bad", bad, 90 - (good + bad) * scale)]
    box = '<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>'
    drawn = [box.format(kind, left, top, width - gap, count * scale) for kind, count, top in boxes if count]
    return f"<g><title>{escape(name)}: {good:,} + {bad:,}</title>{''.join(drawn)}</g>"


def validation_page(report: dict) -> str:
    """The page of a `validate` report."""
    checked = report["great_expectations"]
    body = [
        heading("validate", report, badge("passed", "good") if report["success"] else badge("failed", "bad")),
        f'<p class="soft lead">The posts of {escape(", ".join(report["sources"]))}, held against the rules of a post and of a window.</p>',
        _failures(report),
        _missing(report),
        tiles({name.replace("_", " "): report[name] for name in ("rows_raw", "rows_valid", "rows_quarantined", "windows")}),
        "<h2>Table rules</h2>" + _rules(checked["suites"]["partitions"], "partitions"),
        "<h2>Row rules</h2>" + _rules(checked["suites"]["posts"], "rows"),
        "<h2>Sources</h2>" + _sources(report),
        "<h2>Personal data taken out</h2>" + _scrubbed(report),
        "<h2>Partitions</h2>" + _per_window(report) + _partitions(report),
        f"<footer>Checked by Great Expectations {escape(checked['version'])}. A row that breaks a row rule lies in lake/quarantine with the rule's "
        "name as its reason; it may break several. Numbers only: no post's text is on this page.</footer>",
    ]
    return document(f"validate {report['topic']} {report['window']}", "\n".join(body))


def _failures(report: dict) -> str:
    if report["success"]:
        return ""
    lines = [f"{failure['window']} · {failure['source']} · {failure['rule']}: {failure['found']}" for failure in report["failures"][:50]]
    more = len(report["failures"]) - len(lines)
    return alert("Refused; valid stayed as it was there:", lines + ([f"and {more} more"] if more else []), "bad")


def _missing(report: dict) -> str:
    lines, more = report["missing"][:50], report["missing"][50:]
    told = lines + [f"and {len(more)} more"] * bool(more)
    return alert("Not collected, so not validated; the others of these windows were:", told, "note") if lines else ""


def _rules(suite: dict, of: str) -> str:
    kept, broken = badge("kept", "good"), badge("broken", "bad" if of == "partitions" else "note")
    rows = []
    for one in suite["results"]:
        says = Cell(f'{escape(one["says"])}<br><span class="soft">{code(one["type"])}</span>')
        rows.append([kept if one["success"] else broken, code(one["rule"]), says, one.get("element_count", 0), one.get("unexpected_count", 0)])
    return table(["", "rule", "it says", of, "broke it"], rows, numeric=2)


def _per_window(report: dict) -> str:
    """The chart of a range: rows that passed, and those that did not."""
    if report["windows"] < 2:
        return ""
    counts: dict[str, list[int]] = {}
    for key, layers in report["partitions"].items():
        both = counts.setdefault(key.rsplit("/", 1)[1], [0, 0])
        aside = layers.get("quarantine", {}).get("rows", 0 if "valid" in layers else layers["raw"]["rows"])
        both[0] += layers["raw"]["rows"] - aside
        both[1] += aside
    legend = '<p class="soft">Rows per window: <span class="key-bar">passed</span>, <span class="key-bad">quarantined or refused</span></p>'
    return legend + bars([(window, good, bad) for window, (good, bad) in counts.items()])


def _sources(report: dict) -> str:
    rows = []
    for source, counts in report["sources"].items():
        raw, aside, repeated = counts["rows_raw"], counts["rows_quarantined"], counts["rows_duplicate"]
        near, compared = counts["rows_near_duplicate"], counts["rows_compared"]
        of = f"{_share(near, compared)} of {compared:,}" if compared else "–"
        rows.append([source, raw, aside, _share(aside, raw), repeated, _share(repeated, raw), near, of])
    return table(["source", "rows raw", "quarantined", "share", "repeated", "share", "nearly repeated", "share"], rows, numeric=7)


def _scrubbed(report: dict) -> str:
    kinds = sorted({kind for found in report["scrubbed"].values() for kind in found})
    if not kinds:
        return '<p class="soft">Nothing was found in the texts.</p>'
    rows = [[source, *(found.get(kind, 0) for kind in kinds)] for source, found in report["scrubbed"].items()]
    return table(["source", *kinds], rows, numeric=len(kinds))


def _partitions(report: dict) -> str:
    rows = []
    for key, layers in report["partitions"].items():
        counts = [layers[layer]["rows"] if layer in layers else "–" for layer in ("raw", "valid", "quarantine")]
        rows.append([code(key), code(layers.get("valid", {}).get("content_sha256", "–")[:16]), *counts])
    shown = table(["partition", "valid content sha256", "raw", "valid", "quarantined"], rows, numeric=3)
    return shown if len(rows) <= 12 else f"<details><summary>{len(rows):,} partitions</summary>{shown}</details>"


def drift_page(report: dict, comparison: str | None) -> str:
    """The page of a `monitor` report, above Evidently's own ``comparison`` where there is one."""
    decided = report["status"] == "decided"
    state = badge("drift", "bad") if report["is_drift"] else badge("no drift", "good") if decided else badge("no decision", "note")
    is_quiet = decided and not any(signal["is_over"] for signal in report["signals"].values())
    kind = "bad" if report["is_drift"] else "good" if is_quiet else "note"
    body = [heading("monitor", report, state), f'<p class="soft lead">{_compared(report)}</p>', tiles(_drift_tiles(report))]
    body.append(alert("Why", report["reasons"], kind))
    if decided:
        body += ["<h2>Signals</h2>" + _signals(report), "<h2>Predictions</h2>" + _predictions(report)]
        body.append(f"<footer>Below: Evidently {escape(report['evidently']['version'])}, each signal by its own method and threshold.</footer>")
    title, text = f"monitor {report['topic']} {report['window']}", "\n".join(body)
    return panel(title, comparison, text) if comparison else document(title, text)


def _compared(report: dict) -> str:
    if report["champion"] is None:
        return "There is no champion to compare with."
    return f"The window's posts as version {escape(report['champion']['version'])} sees them, against the posts that it was fitted on."


def _drift_tiles(report: dict) -> dict:
    champion = report["champion"] or {"version": "none", "reference_rows": 0}
    lasting = len(report["lasting"])
    return {
        "posts": report["rows"],
        "reference rows": champion["reference_rows"],
        "champion's version": champion["version"],
        "lasting signals": lasting,
    }


def _signals(report: dict) -> str:
    lasting = report["lasting"]
    rows = []
    for name, signal in sorted(report["signals"].items(), key=lambda item: -item[1]["effect"] / item[1]["threshold"]):
        state = badge("lasting", "bad") if name in lasting else badge("over", "note") if signal["is_over"] else badge("quiet", "good")
        numbers = [f"{signal[key]:.3g}" for key in ("effect", "threshold", "noise")]
        both = [f"{levels[name]:.3g}" if name in levels else "–" for levels in (report["levels"]["window"], report["levels"]["reference"])]
        rows.append([state, code(name), signal["method"], *both, *numbers, signal["windows_over"]])
    return table(["", "signal", "method", "window", "reference", "effect", "threshold", "chance", "windows over"], rows, numeric=6)


def _predictions(report: dict) -> str:
    window, reference = report["predictions"]["window"], report["predictions"]["reference"]
    rows = [[label, f"{window[label]:.1%}", f"{reference[label]:.1%}", f"{window[label] - reference[label]:+.1%}"] for label in window]
    return table(["label", "window", "reference", "change"], rows, numeric=3)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _cell(value) -> str:
    return value if isinstance(value, Cell) else _number(value)


def _number(value) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
