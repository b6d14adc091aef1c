"""The report as Markdown, for a wiki, a repository or a terminal; its pictures lie in a folder beside. Reads and writes nothing."""

from __future__ import annotations

import re

from groundswell.reporting.blocks import Block, Listing, Missing, Paragraph, Picture, Report, Table, Tiles


def markdown(report: Report, pictures: str) -> str:
    """The text; ``pictures``: the folder of the pictures, relative to the file."""
    parts = [f"# {_plain(report.title)}", _plain(report.subtitle), "## Abstract", *map(_plain, report.abstract)]
    for section in report.sections:
        parts += [f"## {_plain(section.name)}", *(_block(block, pictures) for block in section.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block, pictures: str) -> str:
    if isinstance(block, Paragraph):
        return _plain(block.text)
    if isinstance(block, Listing):
        title = f"### {_plain(block.title)}\n\n" if block.title else ""
        return title + "\n".join(f"- {_plain(line)}" for line in block.lines)
    if isinstance(block, Tiles):
        return _table(tuple(block.numbers), (tuple(block.numbers.values()),), len(block.numbers)) + _from(block.source)
    if isinstance(block, Table):
        note = f"\n\n{_plain(block.note)}" if block.note else ""
        return f"### {_plain(block.title)}\n\n{_table(block.headings, block.rows, block.numeric)}{_from(block.source)}{note}"
    if isinstance(block, Missing):
        return f"> **Missing.** {_plain(block.what)} To have it: `{block.remedy}`"
    return _picture(block, pictures)


def _picture(picture: Picture, pictures: str) -> str:
    return f"![{_plain(picture.title)}]({pictures}/{picture.name})\n\n*{_plain(picture.title)}.*{_from(picture.source)}"


def _table(headings: tuple[str, ...], rows: tuple[tuple[str, ...], ...], numeric: int) -> str:
    marks = ["---"] * (len(headings) - numeric) + ["---:"] * numeric
    lines = [f"| {' | '.join(map(_plain, row))} |" for row in (headings, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(marks)}|", *lines[1:]])


def _from(source: str) -> str:
    return f"\n\n<sub>From: {_plain(source)}</sub>"


def _plain(text: str) -> str:
    """``text`` with what Markdown or HTML would take for a mark made harmless."""
    return re.sub(r"([\\`*_\[\]|<>#])", r"\\\1", " ".join(str(text).split()))
