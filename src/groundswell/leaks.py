"""What two files share, or one file repeats: found for anybody's CSV, TSV, JSONL or Parquet before its numbers are believed.

Reads the files, writes nothing. Refuses columns that name neither an id nor a text, and a file that can't be read
(`CorpusError` naming file, row and column). Blank texts are counted and are like nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from groundswell.duplicates import connected, near_clusters
from groundswell.errors import CorpusError, UsageError, nearest
from groundswell.sources.corpus import FORMATS, Corpus
from groundswell.sources.replay import ReplayTopic
from groundswell.text import normalise, skeleton

logger = logging.getLogger(__name__)

KNOWN = ("id", "text", "label", "author")
"""The columns that are looked at; any other name only says that a column is there."""

_LABEL_HEADERS = frozenset({"label", "labels", "sentiment", "class", "category", "target", "polarity"})
_KEYINGS = {
    "shared_ids": "ids",
    "shared_exact_texts": "byte-identical texts",
    "shared_normalised_texts": "same words",
    "shared_near_duplicates": "near duplicates",
}


@dataclass
class Side:
    """One file's rows, a list a column; a column that the file lacks is all None."""

    name: str
    has_header: bool
    rows: int = 0
    columns: dict[str, list] = field(default_factory=lambda: {name: [] for name in KNOWN})


def leaks(file: Path, *, against: Path | None = None, columns: Sequence[str], similarity: float = 0.8, encoding: str = "utf-8") -> dict:
    """Rows of ``against`` whose id or text ``file`` has too; without ``against``, rows of ``file`` that repeat an earlier one.

    ``columns`` say what the columns are: by name where the file has a header with these names, else by their order. Each kind of
    sharing holds the one before: exact within normalised (equal `text.skeleton`) within near (`duplicates.near_clusters`).
    """
    columns = _checked(columns)
    sides = [_read(Path(path), columns, encoding) for path in (file, against) if path is not None]
    keyings = _keyings(sides, similarity)
    first = sides[0].rows
    shared = {name: _shared(keyings[name], first if against else None) for name in _KEYINGS}
    labels = _joined(sides, "label")
    return {
        "file": sides[0].name,
        "against": sides[1].name if against else None,
        "columns": columns,
        "rows": {side: part.rows for side, part in zip(("file", "against"), sides, strict=False)},
        "has_header": {side: part.has_header for side, part in zip(("file", "against"), sides, strict=False)},
        "blank_texts": sum(not (text or "").strip() for text in _joined(sides, "text")) if "text" in columns else 0,
        **shared,
        "shared_authors": _shared(_joined(sides, "author"), first if against else None),
        "conflicting_labels": _conflicting(keyings["shared_exact_texts"], labels),
        "conflicting_labels_normalised": _conflicting(keyings["shared_normalised_texts"], labels),
        "groups": _groups(sides, keyings),
        "similarity": similarity,
    }


def table(found: dict) -> str:
    """`leaks`' answer as a table for people."""
    one, other = found["file"], found["against"]
    whole = found["rows"]["against" if other else "file"]
    lines = [f"{one}: {found['rows']['file']:,} rows" + (f", against {other}: {whole:,} rows" if other else "")]
    lines.append(f"{f'rows of {other} that {one} has too' if other else 'rows that repeat an earlier one'}:")
    for key, name in _KEYINGS.items():
        lines.append(f"  {name:<24}{found[key]:>9,}{found[key] / max(whole, 1):>8.1%}")
    groups = found["groups"]
    lines.append(f"{'texts with two labels':<26}{found['conflicting_labels']:>9,}  ({found['conflicting_labels_normalised']:,} by words)")
    lines.append(f"{'blank texts':<26}{found['blank_texts']:>9,}")
    lines.append(f"{'groups':<26}{groups['number']:>9,}  (largest {groups['largest']:,} rows; {groups['rows_with_company']:,} rows are not alone)")
    if other:
        lines.append(f"{'groups in both files':<26}{groups['in_both']:>9,}  ({groups['rows_in_both']:,} rows)")
    return "\n".join(lines)


def _checked(columns: Sequence[str]) -> list[str]:
    names = [name.strip().casefold() for name in columns]
    if not {"id", "text"} & set(names):
        raise UsageError(f"--columns {','.join(columns)}: expected id or text among them{nearest(names[0] if names else '', ('id', 'text'))}")
    if len(set(names)) < len(names):
        raise UsageError(f"--columns {','.join(columns)}: a name stands there twice")
    return names


def _read(path: Path, columns: list[str], encoding: str) -> Side:
    kind = FORMATS.get(path.suffix.lower(), "csv")
    side = _positional(path, columns, kind, encoding) if kind in ("csv", "tsv") else _named(path, columns, kind, encoding)
    logger.info("%s: %d rows", side.name, side.rows)
    return side


def _named(path: Path, columns: list[str], kind: str, encoding: str) -> Side:
    side = Side(path.name, has_header=True)
    wanted = [name for name in KNOWN if name in columns]
    for row in Corpus.open(path, ReplayTopic(path=path, format=kind, encoding=encoding), required=wanted).rows():
        _add(side, {name: row.get(name) for name in wanted})
    return side


def _positional(path: Path, columns: list[str], kind: str, encoding: str) -> Side:
    section = ReplayTopic(path=path, format=kind, encoding=encoding, has_header=False)
    rows = [(row.number, row.values) for row in Corpus.open(path, section, required=["0"]).rows()]
    header = _header(rows, columns)
    side = Side(path.name, has_header=header is not None)
    places = header or {name: place for place, name in enumerate(columns)}
    width = len(rows[0][1]) if header and rows else len(columns)
    for number, values in rows[1:] if header else rows:
        if len(values) != width:
            raise CorpusError(
                f"{path}, row {number}: expected {width} columns ({','.join(columns)}), found {len(values)}: is a quote or a delimiter missing?"
            )
        _add(side, {name: values[place] for name, place in places.items() if name in KNOWN})
    return side


def _header(rows: list[tuple[int, Sequence[str]]], columns: list[str]) -> dict[str, int] | None:
    """Column → place where the first row is a header, else None.

    A header is a first row that has all the names of ``columns`` (in any order and case), or one in their order whose id is no
    number where all others are, or whose label is a word such as "sentiment".
    """
    if not rows:
        return None
    first = [value.strip().casefold() for value in rows[0][1]]
    if set(columns) <= set(first):
        return {name: first.index(name) for name in columns}
    if len(first) != len(columns):
        return None
    value = dict(zip(columns, first, strict=True))
    place = columns.index("id") if "id" in columns else None
    numbered = place is not None and len(rows) > 1 and all(row[place : place + 1] and row[place].strip().isdigit() for _, row in rows[1:])
    is_header = value.get("label") in _LABEL_HEADERS or (numbered and not value["id"].isdigit())
    return {name: place for place, name in enumerate(columns)} if is_header else None


def _add(side: Side, values: dict) -> None:
    side.rows += 1
    for name, column in side.columns.items():
        value = values.get(name)
        column.append(value if value is None else str(value))


def _joined(sides: list[Side], name: str) -> list:
    return [value for side in sides for value in side.columns[name]]


def _keyings(sides: list[Side], similarity: float) -> dict[str, list[Hashable]]:
    """For each kind of sharing a key for every row of both files; None for what is like nothing."""
    texts = [text if (text or "").strip() else None for text in _joined(sides, "text")]
    skeletons = [skeleton(normalise(text)) or None for text in texts]
    clusters = near_clusters([words or "" for words in skeletons], similarity)
    return {
        "shared_ids": [(value or "").strip() or None for value in _joined(sides, "id")],
        "shared_exact_texts": texts,
        "shared_normalised_texts": skeletons,
        "shared_near_duplicates": [cluster if words else None for cluster, words in zip(clusters, skeletons, strict=True)],
    }


def _shared(keys: Sequence[Hashable], first: int | None) -> int:
    """Rows from ``first`` on whose key an earlier file has; with no ``first``, rows whose key an earlier row has."""
    if first is None:
        present = [key for key in keys if key is not None]
        return len(present) - len(set(present))
    held = set(keys[:first]) - {None}
    return sum(key in held for key in keys[first:])


def _conflicting(texts: Sequence[Hashable], labels: Sequence[str | None]) -> int:
    """How many different texts bear two labels and more."""
    said: dict[Hashable, set[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        if text is not None and (label or "").strip():
            said.setdefault(text, set()).add(label.strip().casefold())
    return sum(len(words) > 1 for words in said.values())


def _groups(sides: list[Side], keyings: dict[str, list]) -> dict[str, int]:
    """Rows that hang together by id, near duplicate or author, step by step: what a split must not cut."""
    total = sum(side.rows for side in sides)
    roots = connected(total, keyings["shared_ids"], keyings["shared_near_duplicates"], _joined(sides, "author"))
    sizes: dict[int, int] = {}
    for root in roots:
        sizes[root] = sizes.get(root, 0) + 1
    first = sides[0].rows
    both = set(roots[:first]) & set(roots[first:])
    return {
        "number": len(sizes),
        "largest": max(sizes.values(), default=0),
        "rows_with_company": sum(size for size in sizes.values() if size > 1),
        "in_both": len(both),
        "rows_in_both": sum(sizes[root] for root in both),
    }
