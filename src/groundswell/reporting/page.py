"""The report as one HTML page that stands alone: pictures inside, no script, light and dark. Reads and writes nothing."""

from __future__ import annotations

import base64
from html import escape
from itertools import groupby

from groundswell import pages
from groundswell.reporting.blocks import Block, Listing, Missing, Paragraph, Picture, Report, Section, Table, Tiles

_STYLE = """<style>
.report p, .report li { max-width: 78ch; } .report h2 { font-size: 21px; margin: 48px 0 12px; } .report h3 { font-size: 15px; margin: 26px 0 8px; }
.abstract { background: var(--paper); border: 1px solid var(--line); border-left: 4px solid var(--bar); border-radius: 10px; padding: 12px 20px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 18px 0; } nav a, a { color: var(--bar); text-decoration: none; }
.source { color: var(--soft); font-size: 12px; margin: 5px 2px 0; overflow-wrap: anywhere; }
.missing { border: 1px dashed var(--note); color: var(--note); border-radius: 10px; padding: 10px 16px; margin: 12px 0; }
figure { margin: 18px 0; break-inside: avoid; } figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figure .card { padding: 16px; } .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 14px; align-items: start; }
.pair figure { margin: 6px 0; } .report .tiles { margin: 14px 0 0; } .report td { overflow-wrap: break-word; }
@page { size: A4; margin: 16mm 13mm; }
@media print { main { padding: 0; max-width: none; } body { font-size: 11px; background: none; } nav { display: none; } th, td { padding: 3px 7px; }
  tr:first-child th { font-size: 10px; } .report p, .report li { max-width: none; } .report .tiles { grid-template-columns: repeat(5, 1fr); }
  .pair { grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); } figure .card { padding: 8px; }
  .card { overflow: visible; } tr, .tile, .abstract, li { break-inside: avoid; } h2, h3 { break-after: avoid; } }
</style>"""


def page(report: Report) -> str:
    """The page's text."""
    names = "".join(f'<a href="#{anchor(section.name)}">{escape(section.name)}</a>' for section in report.sections)
    lines = "".join(f"<p>{escape(line)}</p>" for line in report.abstract)
    body = [
        _STYLE,
        f'<div class="report"><header><h1>{escape(report.title)}</h1></header><p class="soft">{escape(report.subtitle)}</p>',
        f'<h2 id="abstract">Abstract</h2><div class="abstract">{lines}</div><nav>{names}</nav>',
        *(_section(section) for section in report.sections),
        "<footer>Every number was read from the file or run that stands under it. No post's text is here: only words that many wrote.</footer></div>",
    ]
    return pages.document(report.title, "\n".join(body))


def anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def data_uri(picture: Picture) -> str:
    """``picture`` as an address that holds it."""
    kind = "image/svg+xml" if picture.name.endswith(".svg") else "image/png"
    return f"data:{kind};base64,{base64.b64encode(picture.data).decode()}"


def _section(section: Section) -> str:
    parts = []
    for is_small, blocks in groupby(section.blocks, key=is_beside):
        shown = [html_of(block) for block in blocks]
        parts += [f'<div class="pair">{"".join(f"<div>{one}</div>" for one in shown)}</div>'] if is_small else shown
    return f'<section><h2 id="{anchor(section.name)}">{escape(section.name)}</h2>' + "\n".join(parts) + "</section>"


def is_beside(block: Block) -> bool:
    """Whether ``block`` stands beside its like."""
    return (isinstance(block, Picture) and block.is_small) or (isinstance(block, Table) and block.is_narrow)


def html_of(block: Block) -> str:
    """A block as HTML."""
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Listing):
        title = f"<h3>{escape(block.title)}</h3>" if block.title else ""
        return title + "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in block.lines) + "</ul>"
    if isinstance(block, Tiles):
        return pages.tiles(block.numbers) + source_of(block)
    if isinstance(block, Table):
        note = f'<p class="soft">{escape(block.note)}</p>' if block.note else ""
        shown = pages.table(list(block.headings), [list(row) for row in block.rows], numeric=block.numeric)
        return f"<h3>{escape(block.title)}</h3>{shown}{source_of(block)}{note}"
    if isinstance(block, Missing):
        return f'<div class="missing">{escape(block.what)} To have it: {pages.code(block.remedy)}</div>'
    return figure(block)


def figure(picture: Picture) -> str:
    title = escape(picture.title)
    shown = f'<div class="card"><img alt="{title}" src="{data_uri(picture)}"></div>'
    return f'<figure>{shown}<figcaption class="source">{title}. From: {escape(picture.source)}</figcaption></figure>'


def source_of(block: Table | Tiles) -> str:
    return f'<p class="source">From: {escape(block.source)}</p>'
