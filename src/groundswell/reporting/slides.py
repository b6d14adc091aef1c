"""The report as slides: one HTML file that stands alone, a section element a slide; scrolled on a screen, one a page in print.

Reads and writes nothing. Says nothing that the page does not say: tables are cut to their first lines and say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import NamedTuple

from groundswell import pages
from groundswell.reporting.blocks import Listing, Missing, Picture, Report, Section, Table, Tiles
from groundswell.reporting.page import data_uri

_ROWS, _LINES = 11, 6
_STYLE = """<style>
html { scroll-snap-type: y mandatory; } main { max-width: none; padding: 0; margin: 0; }
.slide { height: 100vh; scroll-snap-align: start; padding: 5vh 6vw 4vh; display: flex; flex-direction: column; overflow: hidden;
  font-size: clamp(11px, 1.45vw, 24px); border-bottom: 1px solid var(--line); }
.slide h2 { margin: 0; font-size: 1em; font-weight: 600; color: var(--bar); } .slide h1 { font-size: 2.3em; margin: 0 0 .2em; }
.slide h3 { font-size: 1.6em; margin: .1em 0 .3em; line-height: 1.2; letter-spacing: -.01em; }
.slide .inside { flex: 1; min-height: 0; display: flex; flex-direction: column; justify-content: center; }
.slide img { max-width: 100%; max-height: 100%; width: 100%; height: 100%; object-fit: contain; min-height: 0; }
.slide .row { display: flex; gap: 2vw; min-height: 0; align-items: center; }
.slide figure { flex: 1; min-width: 0; margin: 0; text-align: center; } .slide figure img { height: auto; max-height: 62vh; }
.slide figcaption { color: var(--soft); padding-top: .5em; } .slide .tiles { margin-bottom: 1.2em; }
.slide table { font-size: .82em; } .slide th, .slide td { padding: .38em .9em; } .slide tr:first-child th { font-size: .9em; }
.slide ul { margin: 0; padding-left: 1.2em; } .slide li, .slide p { margin: .45em 0; line-height: 1.4; }
.slide .tile b { font-size: 2em; } .slide .tile span { font-size: .85em; }
.slide .abstract p { margin: .55em 0; font-size: .92em; line-height: 1.42; }
.slide .foot { display: flex; justify-content: space-between; gap: 2em; color: var(--soft); font-size: .68em; padding-top: .8em; }
@page { size: 320mm 180mm; margin: 0; }
@media print { html { scroll-snap-type: none; } body { background: var(--paper); }
  .slide { height: 180mm; width: 320mm; padding: 9mm 18mm 7mm; font-size: 17px; border: 0; break-after: page; break-inside: avoid; } }
</style>"""


class _Slide(NamedTuple):
    section: str
    title: str
    body: str
    source: str = ""


def slides(report: Report) -> str:
    """The file's text."""
    drawn = [_first(report), _abstract(report), *(slide for section in report.sections for slide in _of_section(section))]
    return pages.document(report.title, _STYLE + "\n".join(_html(slide, number, len(drawn)) for number, slide in enumerate(drawn, start=1)))


def _first(report: Report) -> _Slide:
    return _Slide("", "", f'<h1>{escape(report.title)}</h1><p class="soft">{escape(report.subtitle)}</p>')


def _abstract(report: Report) -> _Slide:
    return _Slide("", "Abstract", '<div class="abstract">' + "".join(f"<p>{escape(line)}</p>" for line in report.abstract) + "</div>")


def _of_section(section: Section) -> Iterator[_Slide]:
    """The slides of a section; numbers that stand out go onto the slide of the table that follows them, small pictures side by side."""
    numbers = ""
    for block in section.blocks:
        if isinstance(block, Tiles):
            numbers = pages.tiles(block.numbers)
        elif isinstance(block, Table) and block.is_on_slides:
            yield _Slide(section.name, block.title, numbers + _table(block), block.source)
            numbers = ""
        elif isinstance(block, Listing) and block.is_on_slides:
            yield from _listing(section.name, block)
        elif isinstance(block, Missing):
            yield _Slide(section.name, "", f"<h3>{escape(block.what)}</h3><p>To have it: {pages.code(block.remedy)}</p>")
        elif isinstance(block, Picture) and not block.is_small:
            yield _Slide(section.name, block.title, _image(block), block.source)
    for is_small, blocks in groupby(section.blocks, key=lambda block: isinstance(block, Picture) and block.is_small):
        if is_small:
            yield _side_by_side(section.name, list(blocks))


def _table(block: Table) -> str:
    rows = [list(row) for row in block.rows[:_ROWS]]
    cut = f'<p class="soft">{len(rows)} of {len(block.rows)} lines; the report has all.</p>' if len(rows) < len(block.rows) else ""
    return pages.table(list(block.headings), rows, numeric=block.numeric) + cut


def _listing(section: str, block: Listing) -> Iterator[_Slide]:
    """The lines, as many a slide as fit."""
    for start in range(0, len(block.lines), _LINES):
        more = " (continued)" if start else ""
        items = "".join(f"<li>{escape(line)}</li>" for line in block.lines[start : start + _LINES])
        yield _Slide(section, block.title + more, f"<ul>{items}</ul>")


def _side_by_side(section: str, pictures: list[Picture]) -> _Slide:
    shown = "".join(f"<figure>{_image(picture)}<figcaption>{escape(picture.title)}</figcaption></figure>" for picture in pictures)
    return _Slide(section, "", f'<div class="row">{shown}</div>', pictures[0].source)


def _image(picture: Picture) -> str:
    return f'<img alt="{escape(picture.title)}" src="{data_uri(picture)}">'


def _html(slide: _Slide, number: int, of: int) -> str:
    source = f"From: {escape(slide.source)}" if slide.source else ""
    title = f"<h3>{escape(slide.title)}</h3>" if slide.title else ""
    foot = f'<div class="foot"><span>{source}</span><span>{number} / {of}</span></div>'
    return f'<section class="slide"><h2>{escape(slide.section)}</h2>{title}<div class="inside">{slide.body}</div>{foot}</section>'
