"""What happened to the models here, one line of JSON each: came into service, was refused and why, steps of a rollout, disagreements.

Appends to ``<folder>/<name>.jsonl``; several workers write into one file, each line in one write. At `MOST_BYTES` the file becomes
``<name>.1.jsonl``, the one before that goes: it never grows past twice that. Never a text, never an author. A disk that is full costs
the line and a warning, never an answer.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

MOST_BYTES = 4 * 1024 * 1024

logger = logging.getLogger(__name__)


class Ledger:
    """The file ``name`` in ``folder``, as worker ``worker`` writes it."""

    def __init__(self, folder: Path, name: str = "ledger", *, worker: int = 0, most_bytes: int = MOST_BYTES):
        self.path = Path(folder) / f"{name}.jsonl"
        self._worker, self._most_bytes, self._is_broken = worker, most_bytes, False

    def write(self, event: str, **facts) -> None:
        """Add a line: when, which worker, what, and ``facts``."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "worker": self._worker, "event": event, **facts}, ensure_ascii=False) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path.with_suffix(".lock"), "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._append(line.encode("utf-8", "replace"))
            self._is_broken = False
        except OSError as error:
            if not self._is_broken:
                logger.warning("%s can't be written (%s): events are lost until it can", self.path.name, error.strerror)
            self._is_broken = True

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a full disk tore the line before
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
        if size + len(line) > self._most_bytes:
            os.replace(self.path, self.path.with_suffix(".1.jsonl"))


def lines(path: Path) -> list[dict]:
    """The events of a file and of the one before it, the oldest first; torn lines are passed over."""
    found = []
    for part in (path.with_suffix(".1.jsonl"), path):
        try:
            content = part.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in content.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
