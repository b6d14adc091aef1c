"""The ledger: who made which version champion, when, from what, on which verdict. Lines are added, never changed.

Reads and writes ``ledger/<topic>.jsonl``. A move of the alias is announced in ``ledger/<topic>.pending.json`` before it is made: a
process killed between the move and its line leaves the announcement, from which the next call writes the line, once. Who makes a
move holds ``ledger/<topic>.lock`` meanwhile, lest somebody else takes a move under way for one cut short.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from groundswell.files import fsync, write_json
from groundswell.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One move of the champion alias."""

    at: str
    by: str
    action: str
    before: str | None
    after: str
    verdict_digest: str | None

    @classmethod
    def of(cls, line: dict) -> Entry:
        return cls(line["at"], line["by"], line["action"], line["from"], line["to"], line["verdict_digest"])

    def as_dict(self) -> dict:
        return {"at": self.at, "by": self.by, "action": self.action, "from": self.before, "to": self.after, "verdict_digest": self.verdict_digest}


def stamp(now: datetime) -> str:
    """``now`` as ledger lines have it: UTC, to the second."""
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"


class Ledger:
    """The ledger of one topic."""

    def __init__(self, settings: Settings, topic: str):
        self.path = settings.root / "ledger" / f"{topic}.jsonl"
        self._pending = self.path.with_suffix(".pending.json")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time: whoever comes second waits. To be held from `settle` to the end of the `move`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def entries(self) -> list[Entry]:
        """Every line, the oldest first; a line that a power cut tore is passed over with a warning."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for number, line in enumerate(lines, start=1):
            try:
                found.append(Entry.of(json.loads(line)))
            except (ValueError, KeyError, TypeError):
                log.warning("ledger %s: line %d can't be read, it was torn while being written", self.path.name, number)
        return found

    def reigns(self) -> list[str]:
        """The champions in whose succession the present one stands, the present one last: what was rolled back is not in it."""
        succession: list[str] = []
        for entry in self.entries():
            if entry.after in succession:
                del succession[succession.index(entry.after) + 1 :]
            else:
                succession.append(entry.after)
        return succession

    def has_rolled_back(self, version: str) -> bool:
        """Whether ``version`` was champion, was gone back from, and is not in the succession again."""
        return any(entry.action == "rollback" and entry.before == version for entry in self.entries()) and version not in self.reigns()

    def move(self, entry: Entry, set_champion: Callable[[str], None]) -> None:
        """Announce ``entry``, make the move by ``set_champion(version)``, write the line. What fails in between can be `settle`d."""
        write_json(entry.as_dict(), self._pending)
        set_champion(entry.after)
        self._close(entry)

    def settle(self, champion: str | None) -> Entry | None:
        """Finish what a killed process began: the entry whose line was still due because the alias had moved, or None."""
        try:
            entry = Entry.of(json.loads(self._pending.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        if entry.after == champion:
            self._close(entry)
            return entry
        self._pending.unlink()  # the alias never moved: whoever asked asks again
        return None

    def append(self, entry: Entry) -> None:
        """Add the line, on disk when this returns; a line that is the last one already is not added twice."""
        if self.entries()[-1:] == [entry]:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(entry.as_dict(), sort_keys=True, ensure_ascii=False) + "\n"
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = "\n" + line
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fsync(self.path.parent)

    def _close(self, entry: Entry) -> None:
        self.append(entry)
        self._pending.unlink(missing_ok=True)
