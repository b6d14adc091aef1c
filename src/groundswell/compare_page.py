"""The page of a comparison: every approach in one table with its interval and its costs, quality by speed, learning curves.

Reads a report of `compare` and gives the page's text; writes nothing. Self-contained as all pages are: no script, no outside address.
"""

from __future__ import annotations

from html import escape

from groundswell.compare_plots import STYLE, curves_picture, frontier, interval_bar, pareto_picture
from groundswell.pages import Cell, alert, badge, code, document, table, tiles

_SAYS = {"best": "good", "indistinguishable": "note", "worse": "bad"}
_BARS = {"best": "good", "indistinguishable": "note", "worse": "soft"}
_STYLE = """<style>
main { max-width: 1240px; } td svg { display: inline-block; } td { vertical-align: middle; }
.what { font-size: 13px; } td:first-child { white-space: nowrap; } .card + p { margin-top: 10px; }
th, td { padding: 6px 9px; } th:first-child, td:first-child { padding-left: 16px; } th:last-child, td:last-child { padding-right: 16px; }
.picture { padding: 8px 12px; } details { margin-top: 10px; }
</style>"""


def comparison_page(report: dict) -> str:
    """The page of a `compare` report."""
    done = [row for row in report["rows"] if row["status"] == "done"]
    others = [row for row in report["rows"] if row["status"] != "done"]
    equals = sum(row["against_best"]["says"] == "indistinguishable" for row in done)
    body = [
        _STYLE + STYLE,
        f"<header><h1>Comparison · {escape(report['topic'])}</h1>{badge(f'{len(done)} approaches', 'note')}</header>",
        f'<p class="soft lead">{_what(report)}</p>',
        tiles(_tiles(report, done, equals)),
        _alert(others),
        "<h2>By macro-F1</h2>" + _table(report, done),
        f'<p class="soft">{_reading(len(done))}</p>',
        _picture("Quality by speed", pareto_picture(report), _pareto_says(done)),
        _picture("Quality by number of labels", curves_picture(report), _CURVES_SAY),
        "<h2>Other measures, and what the seed does</h2>" + _measures(report, done),
        f"<footer>{_footer(report)}</footer>",
    ]
    return document(f"comparison {report['topic']}", "\n".join(part for part in body if part))


def _what(report: dict) -> str:
    folds = report["folds"]
    seeds = len(report["seeds"])
    return (
        f"{folds['rows']:,} rows of train and validation, cut into {folds['count']} folds by group; each fold is answered by an approach that "
        f"learnt from the others, and "
        f"{folds['judged']:,} rows judge. What hangs on chance was fitted with {seeds} seeds. The test split was not read."
    )


def _tiles(report: dict, done: list[dict], equals: int) -> dict:
    best = done[0]
    return {
        "best: " + report["best"]: f"{best['macro_f1']['mean']:.3f}",
        "its 95 % interval": f"{best['macro_f1']['low']:.3f} – {best['macro_f1']['high']:.3f}",
        "not told apart from it": equals,
        "rows that judge": report["folds"]["judged"],
    }


def _alert(others: list[dict]) -> str:
    failed = [f"{row['name']}: {row['why']}" for row in others if row["status"] == "failed"]
    left = [f"{row['name']}: {row['why']}" for row in others if row["status"] != "failed"]
    return (alert("Failed:", failed, "bad") if failed else "") + (alert("Left for want of time:", left, "note") if left else "")


def _table(report: dict, done: list[dict]) -> str:
    low = min(row["macro_f1"]["low"] for row in done) - 0.005
    high = max(row["macro_f1"]["high"] for row in done) + 0.005
    headings = ["approach", "", f"macro-F1, {low:.2f} to {high:.2f}", "macro-F1", "to the best", "p (Holm)", "one fit", "posts/s", "size", "memory"]
    return table(headings, [_row(row, low, high, report["samples"]) for row in done], numeric=7)


def _row(row: dict, low: float, high: float, samples: int) -> list:
    measure, versus = row["macro_f1"], row["against_best"]
    says = versus["says"]
    is_best = says == "best"
    return [
        Cell(f'<b>{escape(row["name"])}</b><br><span class="soft what">{escape(_made_of(row))}</span>'),
        badge(says, _SAYS[says]),
        Cell(interval_bar(measure, low, high, _BARS[says])),
        _with_half(measure),
        "–" if is_best else f"{versus['estimate']:+.3f}",
        "–" if is_best else _p(versus, samples),
        _seconds(row["train_seconds"]),
        _rate(row.get("posts_per_second")),
        _bytes(row["size_bytes"]),
        _bytes(row["peak_memory_bytes"]),
    ]


def _made_of(row: dict) -> str:
    parts = [] if row["cleaning"] == "none" else [row["cleaning"]]
    parts += [row["features"], row["model"]] + ([] if row["augmentation"] == "none" else [f"+ {row['augmentation']}"])
    parts += [f"{name}={value}" for name, value in sorted(row["options"].items())]
    return " · ".join(part.replace("_", " ") for part in parts)


def _reading(count: int) -> str:
    return (
        "Intervals: bootstrap over groups, seeds averaged in each resample; they speak of other rows, not of another seed. The badge says what "
        f"a paired test against the best says after Holm's correction over {max(0, count - 1)} rows: <i>indistinguishable</i> is a result, not a "
        "draw. The best was chosen on these rows, so its own number is a little too good: expect less of it elsewhere. Speed is that of batches on "
        "one core after a warm-up; memory is the peak of training and answering over a bare process, the libraries that the approach needs included."
    )


def _pareto_says(done: list[dict]) -> str:
    names = frontier([row for row in done if row.get("posts_per_second")])
    return f"On the frontier, where nothing is both better and quicker: {', '.join(names)}. Bars are 95 % intervals."


_CURVES_SAY = (
    "Learnt from parts of the other folds' rows (whole groups, each part within the next), judged on the first fold. Bars are 95 % intervals."
)


def _picture(heading: str, picture: str, says: str) -> str:
    return f'<h2>{escape(heading)}</h2><div class="card">{picture}</div><p class="soft">{escape(says)}</p>' if picture else ""


def _measures(report: dict, done: list[dict]) -> str:
    seeds = [str(seed) for seed in report["seeds"]]
    rows = [
        [row["name"], _with_half(row["macro_recall"]), _with_half(row["accuracy"]), *(_of_seed(row, seed) for seed in seeds), _spread(row)]
        for row in done
    ]
    headings = ["approach", "macro-recall", "accuracy", *(f"macro-F1, seed {seed}" for seed in seeds), "largest less smallest"]
    return table(headings, rows, numeric=len(seeds) + 3)


def _of_seed(row: dict, seed: str) -> str:
    by_seed = row["macro_f1"]["by_seed"]
    return f"{by_seed[seed]:.3f}" if row["is_seeded"] and seed in by_seed else "–"


def _spread(row: dict) -> str:
    values = row["macro_f1"]["by_seed"].values()
    return f"{max(values) - min(values):.3f}" if row["is_seeded"] else "–"


def _footer(report: dict) -> str:
    machine = report["machine"]
    on = f"{machine['processor']}, {machine['threads']} threads for training, {machine['memory_gb']:.0f} GB"
    return f"Data set {code(report['dataset_md5'])}, folds {code(report['folds']['digest'][:16])}, MLflow run {code(report['run_id'])}. {escape(on)}."


def _with_half(measure: dict) -> Cell:
    return Cell(f'{measure["mean"]:.3f} <span class="soft">± {(measure["high"] - measure["low"]) / 2:.3f}</span>')


def _p(versus: dict, samples: int) -> str:
    """Where no resample contradicts the difference, p is only known to be no larger than what so many resamples can show."""
    is_least = versus["p_value"] <= 2 / (samples + 1) + 1e-6
    return ("≤ " if is_least else "") + f"{versus['p_holm']:.3f}"


def _seconds(value: float) -> str:
    return f"{value / 60:,.1f} min" if value >= 120 else f"{value:.1f} s" if value >= 0.95 else f"{1000 * value:.0f} ms"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _bytes(value: int) -> str:
    for name, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {name}" if value < 100 * size else f"{value / size:.0f} {name}"
    return f"{value} B"
