"""Corrections that people send, each tied to a prediction: kept for a person to judge, and never trained on from here.

Writes ``serving/<topic>/feedback.sqlite3``, which the worker processes of one server share: SQLite in its write-ahead mode, because one
file that needs no server, no package and no migration is what a serving process can keep whole by itself; a commit is on the disk before
it is answered. Rows are only added. Refuses with `FeedbackUnavailable`, and nothing half-written, when the disk is full, somebody
else holds the file, or it is damaged.

``python -m serving.feedback`` prints counts, with ``--out FILE.csv`` it writes every row, if there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from urllib.parse import quote

from groundswell.errors import GroundswellError
from groundswell.files import replacing
from serving.config import load_serving_settings
from serving.pool import Busy

FILE = "feedback.sqlite3"
LOCK_SECONDS = 2
"""How long a correction waits for another process's to be written."""
MOST_WAITING = 64

_TABLE = """
CREATE TABLE IF NOT EXISTS feedback (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at TEXT NOT NULL,
    client TEXT NOT NULL,
    prediction_id TEXT NOT NULL,
    predicted_at TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    predicted TEXT NOT NULL,
    label TEXT NOT NULL,
    text_hash BLOB NOT NULL,
    text TEXT,
    state TEXT NOT NULL DEFAULT 'quarantined'
) STRICT
"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS by_prediction ON feedback (prediction_id, client, number)",
    "CREATE INDEX IF NOT EXISTS by_text ON feedback (text_hash)",
)

logger = logging.getLogger(__name__)


class FeedbackUnavailable(Exception):
    """The correction could not be kept, and is not."""


@dataclass(frozen=True)
class Correction:
    """One person's word on one prediction, and where it comes from. Times are ISO 8601 in UTC."""

    received_at: str
    client: str
    prediction_id: str
    predicted_at: str
    version: str
    digest: str
    predicted: str
    label: str
    text_hash: bytes
    text: str | None


_COLUMNS = ", ".join(field.name for field in fields(Correction))
_INSERT = f"INSERT INTO feedback ({_COLUMNS}) VALUES ({', '.join('?' * len(fields(Correction)))})"
_LATEST = "SELECT label, text FROM feedback WHERE prediction_id = ? AND client = ? ORDER BY number DESC LIMIT 1"


class Feedback:
    """The corrections of one topic. Used from one event loop; the file is touched by one thread of its own."""

    def __init__(self, folder: Path):
        self._path = Path(folder) / FILE
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feedback")
        self._waiting = 0

    async def keep(self, correction: Correction) -> bool:
        """Keep it; False when the client's latest word on this prediction is the same already, so that sending twice is sending once.

        Another label than before is a row of its own, and the earlier one stays. `Busy` when too many wait for the disk.
        """
        return await self._run(self._keep, correction)

    async def forget(self, text_hashes: list[bytes]) -> int:
        """Remove, from the file too, every row of a text, by what prediction ids say of it; how many there were."""
        return await self._run(self._forget, text_hashes)

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    async def _run(self, step, argument):
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        future = self._thread.submit(step, argument)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: loop.is_closed() or loop.call_soon_threadsafe(self._done))
        return await asyncio.wrap_future(future)

    def _done(self) -> None:
        self._waiting -= 1

    def _keep(self, correction: Correction) -> bool:
        with self._writing() as connection:
            latest = connection.execute(_LATEST, (correction.prediction_id, correction.client)).fetchone()
            if latest is not None and latest[0] == correction.label and (latest[1] is not None or correction.text is None):
                return False
            connection.execute(_INSERT, astuple(correction))
            return True

    def _forget(self, text_hashes: list[bytes]) -> int:
        with self._writing() as connection:
            removed = sum(connection.execute("DELETE FROM feedback WHERE text_hash = ?", (each,)).rowcount for each in text_hashes)
        with self._opened() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return removed

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which is on the disk when it ends, or has changed nothing."""
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each step: a file that was moved away, or mended, is found again without a restart."""
        connection = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its own mode to what it makes; people's words are nobody's
            connection = sqlite3.connect(self._path, timeout=LOCK_SECONDS, isolation_level=None)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                connection.execute(f"PRAGMA {pragma}")
            for statement in (_TABLE, *_INDEXES):
                connection.execute(statement)
            yield connection
        except (sqlite3.Error, OSError) as error:
            logger.error("feedback can't be written: %s", error)  # SQLite's messages name tables, never values
            raise FeedbackUnavailable from None
        finally:
            if connection is not None:
                connection.close()


def rows(path: Path) -> Iterator[dict]:
    """Every row of a feedback file, in the order they came; writers are not disturbed."""
    with closing(_reader(path)) as connection:
        for row in connection.execute("SELECT * FROM feedback ORDER BY number"):
            yield {**row, "text_hash": row["text_hash"].hex()}


def counts(path: Path) -> dict[str, int]:
    """Rows by what was predicted and what it was corrected to, as ``negative → positive``."""
    with closing(_reader(path)) as connection:
        return dict(connection.execute("SELECT predicted || ' → ' || label AS kind, COUNT(*) FROM feedback GROUP BY kind").fetchall())


def _reader(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=LOCK_SECONDS)
    connection.row_factory = sqlite3.Row
    return connection


def _write_csv(path: Path, out: Path) -> None:
    with replacing(out) as beside, open(beside, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["number", *(field.name for field in fields(Correction)), "state"])
        writer.writeheader()
        writer.writerows(rows(path))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m serving.feedback", description="Count or export the corrections that serving has kept.")
    parser.add_argument("--out", type=Path, help="write every row to this CSV file")
    wanted = parser.parse_args()
    try:
        path = load_serving_settings().folder / FILE
        found = counts(path) if path.exists() else {}
        if wanted.out is not None and found:
            _write_csv(path, wanted.out)
        print(json.dumps({"rows": sum(found.values()), "corrections": found}, ensure_ascii=False, sort_keys=True))
    except GroundswellError as error:
        print(f"serving.feedback: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (sqlite3.Error, OSError) as error:
        print(f"serving.feedback: the corrections can't be read or written ({error})", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
