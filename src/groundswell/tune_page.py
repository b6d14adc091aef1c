"""The page of a `tune` report: what was found, how sure it is, every trial, and the values to paste.

Reads the report, the trials and Optuna's pictures; writes nothing.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from groundswell.pages import Cell, alert, badge, code, document, table, tiles

_TITLES = {"history": "The trials in their order", "importance": "What the best trials have in common"}


def tune_page(report: dict, trials: Sequence, pictures: Mapping[str, bytes]) -> str:
    """The page's text. ``trials``: Optuna's, those that ended; ``pictures``: PNG bytes by name (history, importance)."""
    title = f"tune · {report['topic']} · {report['row']['name']}"
    body = [
        f"<header><h1>{escape(title)}</h1>{_state(report)}</header>",
        f'<p class="soft lead">Macro-F1 on {report["rows"]["validation"]:,} validation rows; the test rows were not looked at.</p>',
        tiles(_numbers(report)),
        alert(f"{report['says'].capitalize()}.", _reservations(report), "note"),
    ]
    if report["best"]:
        body += ["<h2>Against today's values</h2>", _against(report)]
        body += [
            "<h2>The best values</h2>",
            _values(report),
            f'<div class="card" style="margin-top: 12px"><pre style="padding: 0 16px">{escape(report["yaml"])}</pre></div>',
        ]
    body += [f"<h2>{_TITLES[name]}</h2>{_picture(_TITLES[name], png)}" for name, png in pictures.items()]
    body += ["<h2>Trials</h2>", _trials(trials, sorted(report["space"])), f"<footer>Study {code(report['study'])}; found by Optuna.</footer>"]
    return document(title, "\n".join(body))


def _state(report: dict) -> Cell:
    words = report["says"]
    return (
        badge("better", "good") if words.startswith("better") else badge("worse", "bad") if words.startswith("worse") else badge("not shown", "note")
    )


def _numbers(report: dict) -> dict:
    best, default, counts = report["best"], report["default"], report["trials"]
    return {
        "best macro-F1": f"{best['macro_f1']:.4f}" if best else "–",
        "today's": f"{default['macro_f1']:.4f}" if default else "–",
        "trials complete": counts["complete"],
        "pruned": counts["pruned"],
        "failed": counts["failed"],
    }


def _reservations(report: dict) -> list[str]:
    count = report["trials"]["complete"]
    return [
        f"The best of {count} trials is flattered: it was lucky with its seed, and it was chosen on the very rows that it is measured on.",
        "Fresh seeds take back the first kind of luck, not the second. Train with these values and let judge decide, on rows that nobody chose by.",
    ]


def _against(report: dict) -> str:
    rows = []
    if report["difference"]:
        rows.append(["the trials themselves", report["best"]["macro_f1"], report["default"]["macro_f1"], report["difference"]])
    if fresh := report["fresh_seeds"]:
        rows.append([f"fresh seeds {', '.join(map(str, fresh['seeds']))}", fresh["best"], fresh["default"], fresh["difference"]])
    if not rows:
        return '<p class="soft">The best trial is that of today\'s values.</p>'
    cells = [
        [name, f"{best:.4f}", f"{today:.4f}", f"{by['estimate']:+.4f}", f"{by['low']:+.4f} … {by['high']:+.4f}"] for name, best, today, by in rows
    ]
    return table(["", "best", "today's", "difference", "95 % interval"], cells, numeric=4)


def _values(report: dict) -> str:
    best, default = report["best"]["params"], (report["default"] or {}).get("params", {})
    rows = [[code(name), _short(value), _short(default.get(name, "–")), report["importance"].get(name, "–")] for name, value in best.items()]
    return table(["", "best", "today's", "importance"], rows, numeric=3)


def _trials(trials: Sequence, names: list[str]) -> str:
    rows = []
    for trial in trials:
        value = f"{trial.value:.4f}" if trial.state.name == "COMPLETE" else trial.state.name.lower()
        rows.append([trial.number, *(_short(trial.params.get(name, "–")) for name in names), f"{trial.user_attrs.get('seconds', 0):.0f}", value])
    return table(["trial", *names, "seconds", "macro-F1"], rows, numeric=len(names) + 2)


def _short(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _picture(name: str, png: bytes) -> str:
    return f'<div class="card"><img alt="{escape(name)}" style="width: 100%" src="data:image/png;base64,{b64encode(png).decode()}"></div>'
