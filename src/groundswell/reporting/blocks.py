"""What a report is made of: sections of paragraphs, tables, pictures and what is missing; and how its numbers are written.

Reads and writes nothing. A cell is written out here, so that HTML, Markdown and slides can't round apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NONE = "–"


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Listing:
    """Lines of plain text, each an item."""

    lines: tuple[str, ...]
    title: str = ""
    is_on_slides: bool = False


@dataclass(frozen=True)
class Tiles:
    """Few numbers that stand out: what it is → the number, written out."""

    numbers: dict[str, str]
    source: str


@dataclass(frozen=True)
class Table:
    """Cells as they are shown; the last ``numeric`` columns are numbers. ``source``: the file or run that they were read from.

    Narrow ones that follow each other stand side by side.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    source: str
    numeric: int = 0
    note: str = ""
    is_on_slides: bool = False
    is_narrow: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture file, SVG or PNG, with what it shows in words; small ones stand side by side."""

    name: str
    title: str
    data: bytes
    source: str
    is_small: bool = False


@dataclass(frozen=True)
class Missing:
    """What could not be told, and what to do for it to be told next time."""

    what: str
    remedy: str


Block = Paragraph | Listing | Tiles | Table | Picture | Missing


@dataclass(frozen=True)
class Section:
    """A chapter."""

    name: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """The whole: what three renderings are made of."""

    title: str
    subtitle: str
    abstract: tuple[str, ...]
    sections: tuple[Section, ...] = field(default=())

    def blocks(self, kind: type) -> list:
        """Every block of ``kind``, in order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, kind)]


def score(value: float | None) -> str:
    """A measure in 0…1, or a difference of two without its sign."""
    return NONE if value is None else f"{value:.3f}"


def change(value: float | None) -> str:
    return NONE if value is None else f"{value:+.3f}"


def interval(low: float | None, high: float | None, sign: str = "") -> str:
    return NONE if low is None or high is None else f"{low:{sign}.3f} to {high:{sign}.3f}"


def count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def share(part: float | None, whole: float = 1.0) -> str:
    return NONE if part is None or not whole else f"{part / whole:.1%}"


def p_value(value: float | None) -> str:
    return NONE if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def seconds(value: float | None) -> str:
    return NONE if value is None else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def megabytes(value: float | None) -> str:
    return NONE if value is None else f"{value / 1e6:,.1f}"


def listed(names: list[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def told(number: int, one: str, many: str | None = None) -> str:
    """``1 window``, ``2 windows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
