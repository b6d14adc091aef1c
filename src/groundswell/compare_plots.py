"""Pictures of a comparison, as SVG text: quality by speed with the frontier, and quality by number of labels.

Reads a report of `compare`; writes nothing. Colours are those of the page around it, light or dark; `standalone` brings its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 1000.0, 540.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 24.0, 18.0, 56.0
_LETTER, _LINE = 6.9, 16.0
"""Width and height that a letter of a name takes at the pictures' size of type, a little too much rather than too little."""
_COLOURS = ("var(--bar, #3f6fb5)", "#c8553d", "#2a9d73", "#b07d2b", "#8a63c9", "#5d8a9e")

STYLE = """<style>
.picture text { font: 13px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink, #1c2430);
  paint-order: stroke; stroke: var(--paper, #fff); stroke-width: 3px; stroke-linejoin: round; }
.picture .tick { fill: var(--soft, #5d6b7e); font-size: 12px; } .picture .grid { stroke: var(--line, #dfe4ea); stroke-width: 1; }
.picture .dot { fill: var(--paper, #fff); stroke: var(--soft, #5d6b7e); stroke-width: 1.5; }
.picture .on { fill: var(--bar, #3f6fb5); stroke: var(--bar, #3f6fb5); } .picture .name-on { font-weight: 600; }
.picture .span { stroke: var(--soft, #5d6b7e); stroke-width: 1; opacity: .55; } .picture .leader { stroke: var(--soft, #5d6b7e); stroke-width: .7; }
.picture .frontier { fill: none; stroke: var(--bar, #3f6fb5); stroke-width: 1.5; stroke-dasharray: 5 4; }
</style>"""


@dataclass(frozen=True)
class _Axis:
    """Values from ``low`` to ``high`` onto a length from ``start`` to ``end``; by their logarithm or plainly."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        scale = math.log10 if self.is_log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        if not self.is_log:
            step = next(one for one in (0.01, 0.02, 0.05, 0.1, 0.2) if (self.high - self.low) / one <= 9)
            return [round(step * number, 4) for number in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        parts = (1,) if len(decades) > 4 else (1, 2, 5)
        return [part * 10.0**power for power in decades for part in parts if self.low <= part * 10.0**power <= self.high]


def frontier(rows: list[dict]) -> list[str]:
    """The names of the rows (done ones of a report) that no other beats in macro-F1 and in posts a second both, the quickest first."""
    found, best = [], -math.inf
    for row in sorted(rows, key=lambda one: (-one["posts_per_second"], -one["macro_f1"]["mean"])):
        if row["macro_f1"]["mean"] > best:
            best = row["macro_f1"]["mean"]
            found.append(row["name"])
    return found


def pareto_picture(report: dict) -> str:
    """Macro-F1 with its interval by posts a second, every row with its name; "" when nothing was timed."""
    rows = [row for row in report["rows"] if row["status"] == "done" and row.get("posts_per_second")]
    if not rows:
        return ""
    rates = [row["posts_per_second"] for row in rows]
    speed = _Axis(min(rates) / 1.6, max(rates) * 3, _LEFT, _WIDTH - _RIGHT, is_log=True)  # room for names on the right
    quality = _quality_axis([value for row in rows for value in (row["macro_f1"]["low"], row["macro_f1"]["high"])])
    places = {row["name"]: (speed.at(row["posts_per_second"]), quality.at(row["macro_f1"]["mean"])) for row in rows}
    on = frontier(rows)
    drawn = [_grid(speed, quality, "posts a second on one core", "macro-F1")]
    drawn += [_span(places[row["name"]][0], quality, row["macro_f1"]) for row in rows]
    drawn.append(f'<polyline class="frontier" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in (places[name] for name in on))}"/>')
    drawn += _names(places, on)
    for row in rows:
        x, y = places[row["name"]]
        title = f"<title>{escape(row['name'])}: macro-F1 {row['macro_f1']['mean']:.4f}, {row['posts_per_second']:,.0f} posts/s</title>"
        drawn.append(f'<circle class="dot{" on" if row["name"] in on else ""}" cx="{x:.1f}" cy="{y:.1f}" r="5">{title}</circle>')
    return _svg(drawn, "Quality by speed: macro-F1 by posts a second on one core")


def curves_picture(report: dict) -> str:
    """Macro-F1 by labels learnt from, a line a row with its intervals; "" when there is no curve of two points."""
    curves = [curve for curve in report["curves"] if len(curve["points"]) > 1]
    if not curves:
        return ""
    points = [point for curve in curves for point in curve["points"]]
    counts = [point["labels"] for point in points]
    labels = _Axis(min(counts) / 1.3, max(counts) * 1.3, _LEFT, _WIDTH - _RIGHT - 170, is_log=True)
    quality = _quality_axis([point[end] for point in points for end in ("low", "high")])
    drawn = [_grid(labels, quality, "labels learnt from", "macro-F1 on the first fold")]
    taken: list[tuple[float, float, float, float]] = []
    for curve, colour in zip(curves, _cycled(len(curves)), strict=True):
        line = [(labels.at(point["labels"]), quality.at(point["macro_f1"])) for point in curve["points"]]
        drawn += [_span(labels.at(point["labels"]), quality, point, colour) for point in curve["points"]]
        drawn.append(
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}" fill="none" stroke-width="2" style="stroke: {colour}"/>'
            + "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" style="fill: {colour}"/>' for x, y in line)
        )
        drawn.append(_name_beside(curve["name"], *line[-1], taken, colour))
    return _svg(drawn, "Learning curves: macro-F1 by number of labels")


def standalone(picture: str) -> str:
    """``picture`` as a file of its own, on white; "" stays ""."""
    return picture.replace('class="picture">', f'class="picture" style="background: #fff">{STYLE}', 1)


def interval_bar(measure: dict, low: float, high: float, kind: str) -> str:
    """A small bar of an interval on a scale from ``low`` to ``high``; ``kind`` is a colour of the page: bar, bad, soft, good."""
    axis = _Axis(low, high, 4, 156)
    start, end, mean = axis.at(measure["low"]), axis.at(measure["high"]), axis.at(measure["mean"])
    colour = f"var(--{kind})"
    return (
        f'<svg viewBox="0 0 160 18" style="width: 160px; height: 18px" role="img" aria-label="{measure["low"]:.3f} to {measure["high"]:.3f}">'
        f'<line x1="4" x2="156" y1="9" y2="9" style="stroke: var(--line)"/>'
        f'<line x1="{start:.1f}" x2="{end:.1f}" y1="9" y2="9" style="stroke: {colour}; stroke-width: 5; opacity: .45"/>'
        f'<circle cx="{mean:.1f}" cy="9" r="4" style="fill: {colour}"/></svg>'
    )


def _quality_axis(values: list[float]) -> _Axis:
    room = 0.04 * (max(values) - min(values)) + 0.005
    return _Axis(min(values) - room, max(values) + room, _HEIGHT - _BOTTOM, _TOP)


def _grid(across: _Axis, up: _Axis, across_says: str, up_says: str) -> str:
    lines = []
    for tick in across.ticks():
        x = across.at(tick)
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{up.end:.1f}" y2="{up.start:.1f}"/>')
        lines.append(f'<text class="tick" x="{x:.1f}" y="{up.start + 18:.1f}" text-anchor="middle">{tick:,.10g}</text>')
    for tick in up.ticks():
        y = up.at(tick)
        lines.append(f'<line class="grid" x1="{across.start:.1f}" x2="{across.end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text class="tick" x="{across.start - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick:.2f}</text>')
    middle = (across.start + across.end) / 2
    lines.append(f'<text class="tick" x="{middle:.1f}" y="{_HEIGHT - 12:.1f}" text-anchor="middle">{escape(across_says)}</text>')
    turned = f"rotate(-90 16 {(_HEIGHT - _BOTTOM) / 2:.0f})"
    lines.append(f'<text class="tick" x="16" y="{(_HEIGHT - _BOTTOM) / 2:.0f}" text-anchor="middle" transform="{turned}">{escape(up_says)}</text>')
    return "".join(lines)


def _span(x: float, quality: _Axis, measure: dict, colour: str = "") -> str:
    style = f' style="stroke: {colour}"' if colour else ""
    return f'<line class="span" x1="{x:.1f}" x2="{x:.1f}" y1="{quality.at(measure["low"]):.1f}" y2="{quality.at(measure["high"]):.1f}"{style}/>'


def _names(places: dict[str, tuple[float, float]], first: list[str]) -> list[str]:
    """Every name beside its point, where it lies on no other name and on no point; a line leads to one that stands far off."""
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in places.values()]
    drawn = []
    for name in [*first, *(name for name in places if name not in first)]:
        x, y = places[name]
        box = _free_place(x, y, _LETTER * len(name) + 6, taken)
        taken.append(box)
        left, top, right, bottom = box
        if math.dist((min(max(x, left), right), min(max(y, top), bottom)), (x, y)) > 14:
            end = left if left > x else right if right < x else (left + right) / 2
            drawn.append(f'<line class="leader" x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{(top + bottom) / 2:.1f}"/>')
        kind = ' class="name-on"' if name in first else ""
        side = f'x="{right - 3:.1f}" text-anchor="end"' if right < x else f'x="{left + 3:.1f}"'
        drawn.append(f'<text{kind} {side} y="{bottom - 4:.1f}">{escape(name)}</text>')
    return drawn


def _free_place(x: float, y: float, width: float, taken: list[tuple]) -> tuple[float, float, float, float]:
    """The box nearest to a point that is inside the picture and meets none of ``taken``; where there is none, the box right beside it."""
    steps = [(across, _LINE / 2 * number) for across in (9, 26, 60, 110, 170) for number in range(-48, 49)]
    boxes = [
        (left, y + down - _LINE / 2, left + width, y + down + _LINE / 2)
        for across, down in sorted(steps, key=lambda step: math.hypot(step[0] - 9, 1.2 * step[1]))
        for left in (x + across, x - across - width)
    ]
    above = [(x - width / 2, y + down - _LINE / 2, x + width / 2, y + down + _LINE / 2) for down in (-17, 17)]
    return next((box for box in [*boxes[:2], *above, *boxes] if _is_inside(box) and not any(_meet(box, other) for other in taken)), boxes[0])


def _name_beside(name: str, x: float, y: float, taken: list[tuple], colour: str) -> str:
    left, _, _, bottom = _free_place(x, y, _LETTER * len(name) + 6, taken)
    taken.append((left, bottom - _LINE, left + _LETTER * len(name) + 6, bottom))
    return f'<text x="{left + 3:.1f}" y="{bottom - 4:.1f}" style="fill: {colour}; font-weight: 600">{escape(name)}</text>'


def _is_inside(box: tuple) -> bool:
    return box[0] >= _LEFT and box[2] <= _WIDTH and box[1] >= _TOP - 10 and box[3] <= _HEIGHT - _BOTTOM


def _meet(one: tuple, other: tuple) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _cycled(count: int) -> list[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(count)]


def _svg(parts: list[str], says: str) -> str:
    box = f'viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{escape(says)}" class="picture">{"".join(parts)}</svg>'
