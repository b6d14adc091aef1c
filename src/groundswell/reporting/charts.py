"""The report's charts as SVG files that stand alone: no script, no outside address, light and dark by the reader's own setting.

Numbers in, bytes out; reads and writes nothing; the same numbers give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from groundswell.compare_plots import STYLE
from groundswell.schema import LABELS

_INK = "--ink:#1c2430;--soft:#5d6b7e;--line:#d5dbe2;--paper:#fff;--bar:#3f6fb5;--good:#1a7f4b;--bad:#b3261e;--note:#b07a00"
_DARK = "--ink:#e6eaf0;--soft:#9aa7b8;--line:#3a4452;--paper:#1b212a;--bar:#7ba4e0;--good:#6fd39b;--bad:#ff9c94;--note:#f0c566"
_THEME = f"svg{{{_INK}}}@media (prefers-color-scheme:dark){{svg{{{_DARK}}}}}"
_STYLE = (
    f"{_THEME}"
    "text{font:13px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:var(--ink)}"
    ".soft{fill:var(--soft);font-size:12px}.end{text-anchor:end}.mid{text-anchor:middle}.big{font-size:17px;font-weight:600}"
    ".line{stroke:var(--line);stroke-width:1;fill:none}.dash{stroke-dasharray:4 4}"
    ".bar{fill:var(--bar)}.good{fill:var(--good)}.bad{fill:var(--bad)}.note{fill:var(--note)}.faint{fill:var(--soft)}"
    ".s-bar{stroke:var(--bar)}.s-good{stroke:var(--good)}.s-bad{stroke:var(--bad)}.s-note{stroke:var(--note)}.s-faint{stroke:var(--soft)}"
    "polyline,.whisker{fill:none;stroke-width:2}"
)
_OF_LABEL = dict(zip(LABELS, ("bad", "faint", "good"), strict=True))
_OF_SAYS = {"best": "good", "indistinguishable": "bar", "worse": "faint"}


def intervals(rows: Sequence[dict]) -> bytes:
    """A dot with its interval for each of ``rows`` (name, mean, low, high, says), from top to bottom in their order."""
    height, left, right = 26 * len(rows) + 50, 210, 720
    scale = _Scale([row[name] for row in rows for name in ("low", "high")], left, right)
    drawn = [_across(scale, 10, height - 34, height - 14)]
    for number, row in enumerate(rows):
        y, kind = 24 + 26 * number, _OF_SAYS.get(row["says"], "bar")
        drawn.append(f'<text class="end" x="{left - 14}" y="{y + 4}">{escape(row["name"])}</text>')
        drawn.append(f'<line class="whisker s-{kind}" x1="{scale(row["low"]):.1f}" x2="{scale(row["high"]):.1f}" y1="{y}" y2="{y}"/>')
        drawn.append(f'<circle class="{kind}" cx="{scale(row["mean"]):.1f}" cy="{y}" r="4.5"/>')
    return _svg(760, height, "macro-F1 with its interval, a line a row", drawn)


def drawn_by_compare(picture: str) -> bytes:
    """A picture of `compare_plots` as a file that stands alone, light or dark as the charts here."""
    return picture.replace('class="picture">', f'class="picture" style="background:var(--paper)"><style>{_THEME}</style>{STYLE}', 1).encode()


def confusion(counts: dict[tuple[str, str], int]) -> bytes:
    """Rows by (class meant, class said), shaded by the share of the class that was meant."""
    size, left, top = 104, 90, 60
    drawn = [f'<text class="soft mid" x="{left + 1.5 * size:.0f}" y="20">the model says</text>']
    for row, meant in enumerate(LABELS):
        whole = sum(counts.get((meant, said), 0) for said in LABELS)
        drawn.append(f'<text class="end" x="{left - 12}" y="{top + (row + 0.5) * size + 4:.0f}">{meant}</text>')
        drawn.append(f'<text class="mid" x="{left + (row + 0.5) * size:.0f}" y="{top - 10}">{meant}</text>')
        for column, said in enumerate(LABELS):
            x, y, part = left + column * size, top + row * size, counts.get((meant, said), 0)
            kind, strength = "bar" if row == column else "bad", part / whole if whole else 0
            place = f'x="{x}" y="{y}" width="{size - 3}" height="{size - 3}" rx="6"'
            drawn.append(f'<rect class="bar" {place} opacity=".06"/><rect class="{kind}" {place} opacity="{0.6 * strength:.3f}"/>')
            drawn.append(f'<text class="mid big" x="{x + size / 2:.0f}" y="{y + size / 2:.0f}">{part:,}</text>')
            drawn.append(f'<text class="mid" x="{x + size / 2:.0f}" y="{y + size / 2 + 20:.0f}">{strength:.0%}</text>')
    return _svg(
        left + 3 * size + 20, top + 3 * size + 10, "test rows by the class that was meant (lines) and the class that was said (columns)", drawn
    )


def reliability(bins: Sequence[dict]) -> bytes:
    """Accuracy against confidence, a dot a bin, larger for more rows; on the dashed line confidence is what it says."""
    left, bottom, size = 56, 350, 320
    across, up = _Scale([0, 1], left, left + size, step=0.2), _Scale([0, 1], bottom, bottom - size, step=0.2)
    drawn = [_up(up, left, left + size), f'<line class="line dash" x1="{across(0)}" y1="{up(0)}" x2="{across(1)}" y2="{up(1)}"/>']
    drawn += [f'<text class="soft mid" x="{across(tick):.1f}" y="{bottom + 20}">{tick:.1f}</text>' for tick in across.ticks()]
    drawn.append(
        f'<text class="soft mid" x="{left + size / 2:.0f}" y="{bottom + 40}">confidence of the answer (height: how often it is right)</text>'
    )
    most = max((one["rows"] for one in bins), default=1)
    for one in bins:
        radius = 3 + 9 * math.sqrt(one["rows"] / most)
        drawn.append(f'<circle class="bar" opacity=".8" cx="{across(one["confidence"]):.1f}" cy="{up(one["accuracy"]):.1f}" r="{radius:.1f}"/>')
    return _svg(left + size + 30, bottom + 50, "how often an answer is right, by its confidence", drawn)


def words(found: dict[str, Sequence[tuple[str, float]]], shown: int) -> bytes:
    """Bars of the ``shown`` most telling words of each class and their z."""
    width, column = 900, 300
    most = max((weight for pairs in found.values() for _, weight in pairs), default=1)
    drawn = []
    for place, label in enumerate(LABELS):
        left, kind = place * column, _OF_LABEL[label]
        drawn.append(f'<text class="big {kind}" x="{left + 110}" y="22">{label}</text>')
        for number, (word, weight) in enumerate(found.get(label, ())[:shown]):
            y = 48 + 23 * number
            drawn.append(f'<text class="end" x="{left + 102}" y="{y + 5}">{escape(word)}</text>')
            drawn.append(f'<rect class="{kind}" x="{left + 110}" y="{y - 7}" width="{130 * weight / most:.1f}" height="14" rx="2" opacity=".85"/>')
            drawn.append(f'<text class="soft" x="{left + 115 + 130 * weight / most:.1f}" y="{y + 5}">{weight:.1f}</text>')
    return _svg(width, 48 + 23 * shown, "the words that tell each class's posts from the others', by z", drawn)


def shares(found: Sequence[tuple[str, float]]) -> bytes:
    """A bar for each (name, share of 1), from top to bottom in their order."""
    left, width = 210, 440
    most = max((share for _, share in found), default=1) or 1
    drawn = []
    for number, (name, share) in enumerate(found):
        y = 24 + 26 * number
        drawn.append(f'<text class="end" x="{left - 14}" y="{y + 4}">{escape(name)}</text>')
        drawn.append(f'<rect class="bar" x="{left}" y="{y - 8}" width="{width * share / most:.1f}" height="16" rx="2" opacity=".85"/>')
        drawn.append(f'<text class="soft" x="{left + 8 + width * share / most:.1f}" y="{y + 4}">{share:.0%}</text>')
    return _svg(760, 26 * len(found) + 22, "shares, a bar each", drawn)


class _Scale:
    """From numbers to places: the range of ``values`` with some room, between ``start`` and ``end``."""

    def __init__(self, values: Iterable[float], start: float, end: float, step: float | None = None):
        low, high = min(values), max(values)
        self.step = step or _round_step((high - low) / 6 or 0.1)
        self.low = math.floor(low / self.step + 1e-9) * self.step
        self.high = max(math.ceil(high / self.step - 1e-9) * self.step, self.low + self.step)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        return [self.low + self.step * number for number in range(round((self.high - self.low) / self.step) + 1)]


def _round_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, not smaller than ``rough``."""
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _up(scale: _Scale, left: float, right: float) -> str:
    """Level lines with their values at the left."""
    return "".join(
        f'<line class="line" x1="{left}" x2="{right}" y1="{scale(tick):.1f}" y2="{scale(tick):.1f}"/>'
        f'<text class="soft end" x="{left - 8}" y="{scale(tick) + 4:.1f}">{tick:.2f}</text>'
        for tick in scale.ticks()
    )


def _across(scale: _Scale, top: float, bottom: float, words_at: float) -> str:
    """Upright lines with their values below."""
    return "".join(
        f'<line class="line" x1="{scale(tick):.1f}" x2="{scale(tick):.1f}" y1="{top}" y2="{bottom}"/>'
        f'<text class="soft mid" x="{scale(tick):.1f}" y="{words_at}">{tick:.2f}</text>'
        for tick in scale.ticks()
    )


def _svg(width: float, height: float, told: str, drawn: list[str]) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(told)}</title><style>{_STYLE}</style>{''.join(drawn)}</svg>\n"
    ).encode()
