"""Predict: a few texts as a table, or a file of posts with the endpoint's answers beside its own columns.

Reads CSV, TSV, JSONL or Parquet as a stream, asks the endpoint through `groundswell.client`, and writes a file of the same kind, rows in
order, whole or not at all. A text over the endpoint's length is cut, a row without a text gets empty answers, both are counted. Refuses a
column that is not there and a file that can't be read (`CorpusError` naming the row); repeats no text in an error.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from groundswell.client import MOST_CHARACTERS, Client, Prediction
from groundswell.errors import UsageError, nearest
from groundswell.files import replacing
from groundswell.posts import ANSWERS, Posts, Row, open_posts
from groundswell.schema import LABELS

_BAR = 12  # characters of a probability of 1
_COLOURS = {"negative": "red", "neutral": "yellow", "positive": "green"}


def predict_file(
    file: Path, client: Client, *, column: str = "text", out: Path | None = None, progress: Callable[[int, float], None] = lambda rows, share: None
) -> dict:
    """Write ``file`` with answers to ``out`` (None: beside it); counts. ``progress`` hears of each row: how many, and the share that is done."""
    out = out or file.with_name(f"{file.stem}.answers{file.suffix}")
    if out.suffix.lower() != file.suffix.lower() or out.resolve() == file.resolve():
        raise UsageError(f"{out}: expected another file of the same kind as {file.name}, *{file.suffix}")
    posts = open_posts(file)
    try:
        names = _names(file, posts.columns(), column)
        with replacing(out) as beside:
            posts.start(beside, names)
            counts = _answer(posts, client, column, progress)
            posts.close()
    finally:
        posts.close()
    return {"file": str(file), "out": str(out), "columns": list(names), **counts}


def _answer(posts: Posts, client: Client, column: str, progress: Callable[[int, float], None]) -> dict:
    waiting: deque[Row] = deque()
    labels, versions = Counter(), Counter()
    rows = cut = without = 0

    def texts() -> Iterator[str]:
        nonlocal cut
        for row in posts.rows(column):
            waiting.append(row)
            if row.text is None:
                write_those_without()  # at once where no answer is waited for: a column without a text must not fill the memory
            else:
                cut += len(row.text) > MOST_CHARACTERS
                yield row.text[:MOST_CHARACTERS]

    def write(prediction: Prediction | None) -> None:
        nonlocal rows
        row = waiting.popleft()
        posts.write(row.content, prediction)
        rows += 1
        progress(rows, row.share)

    def write_those_without() -> None:
        nonlocal without
        while waiting and waiting[0].text is None:
            write(None)
            without += 1

    for prediction in client.stream(texts()):
        write_those_without()
        write(prediction)
        labels[prediction.label] += 1
        versions[prediction.version] += 1
    write_those_without()
    return {"rows": rows, "without_text": without, "cut": cut, "labels": dict(labels), "versions": dict(versions)}


def _names(file: Path, columns: list[str], column: str) -> tuple[str, ...]:
    """The answers' columns, ``predicted_…`` where the file has one of their names; `UsageError` where ``column`` is not one column of it."""
    if columns.count(column) != 1:
        found = ", ".join(map(repr, columns)) or "none"
        raise UsageError(f"{file}: expected one column {column!r}, found {found}{nearest(column, columns)}: say by --column which one holds the text")
    is_taken = set(ANSWERS) & set(columns)
    return tuple(f"predicted_{name}" for name in ANSWERS) if is_taken else ANSWERS


class Progress:
    """A bar on standard error: rows, rows a second, and how long it will take."""

    def __enter__(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rows]:,} rows"), TextColumn("{task.fields[speed]:,.0f}/s"))
        self._bar = Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True))
        self._started = time.monotonic()
        self._task = self._bar.add_task("", total=1, rows=0, speed=0)
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def show(self, rows: int, share: float) -> None:
        self._bar.update(self._task, completed=share, rows=rows, speed=rows / max(time.monotonic() - self._started, 1e-9))


def show(texts: Sequence[str], client: Client, *, as_json: bool) -> None:
    """Print what the endpoint says of ``texts``, cut to its length, as a table or as one line of JSON."""
    from rich.console import Console

    predictions = client.predict(text[:MOST_CHARACTERS] for text in texts)
    if as_json:
        print(json.dumps({"predictions": [asdict(prediction) for prediction in predictions]}))
    else:
        console = Console()
        console.print(_table(texts, predictions, console.width))


def _table(texts: Sequence[str], predictions: Sequence[Prediction], width: int):
    """A rich table that fits ``width`` characters: the texts get what the numbers leave."""
    from rich.table import Table
    from rich.text import Text

    versions = ", ".join(sorted({prediction.version for prediction in predictions}))
    shown = Table(box=None, pad_edge=False, caption=f"version {versions}", caption_justify="left")
    shown.add_column("text", max_width=max(16, min(60, width - _BAR - 42)), no_wrap=True, overflow="ellipsis")
    shown.add_column("label", min_width=8)
    for name in LABELS:
        shown.add_column(name, min_width=8, justify="right")
    shown.add_column("", min_width=_BAR)
    for text, said in zip(texts, predictions, strict=True):
        style, length = _COLOURS[said.label], round(_BAR * getattr(said, said.label))
        shares = (f"{getattr(said, label):.1%}" for label in LABELS)
        bar = Text("█" * length + "░" * (_BAR - length), style=style)
        shown.add_row(Text(" ".join(text.split())), Text(said.label, style=f"bold {style}"), *shares, bar)
    return shown
