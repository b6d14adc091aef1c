"""A budget: the most that all runs of one backfill together may pay a platform, held across processes.

Reads and writes ``budgets/<name>.json`` under home, one process at a time. Before a run asks anything, the most that it may cost is
put down; when it has ended well, or was told to come back, what it did cost. A run that died leaves its most standing: its money may
be gone. So what is paid never exceeds the budget. Refuses, as `QuotaSpent` and before anything was asked, a run whose most would exceed it, and a
source that costs money but has no cap on a window.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from groundswell.errors import ComeBack, QuotaSpent, UsageError
from groundswell.files import alone_in, write_json
from groundswell.params import Section
from groundswell.settings import Settings
from groundswell.sources import source_named
from groundswell.sources.base import Source
from groundswell.window import Window

_NAME = re.compile(r"[\w.-]{1,100}")


class Budget:
    """The budget called ``name``."""

    def __init__(self, settings: Settings, name: str):
        if not _NAME.fullmatch(name) or name.startswith("."):
            raise UsageError(f"budget {name!r}: expected letters, digits, dots and dashes")
        self.name = name
        self._path = settings.root / "budgets" / f"{name}.json"

    def open(self, usd: float) -> None:
        """Begin with ``usd``; one that is there gets this sum, and what was spent of it stays spent."""
        with self._alone():
            runs = self._read()["runs"] if self._path.exists() else []
            write_json({"usd": usd, "runs": runs}, self._path)

    def spent(self) -> float:
        """What was paid, or may have been."""
        return sum(run["usd"] for run in self._read()["runs"])

    @contextmanager
    def held(self, key: str, most: float) -> Iterator[Callable[[float], None]]:
        """Put ``most`` down for the run ``key``; whoever calls what it gives with what was paid gets the rest back."""
        with self._alone():
            known = self._read()
            spent = sum(run["usd"] for run in known["runs"])
            if spent + most > known["usd"] + 1e-6:
                raise QuotaSpent(
                    f"budget {self.name}: {key} may cost ${most:.2f}, and ${spent:.2f} of ${known['usd']:.2f} are spent or held: nothing was "
                    "asked; raise the budget with groundswell backfill run, or lower the cap of a window in params.yaml"
                )
            number = len(known["runs"])
            known["runs"].append({"key": key, "usd": most})
            write_json(known, self._path)

        def settle(usd: float) -> None:
            with self._alone():
                now = self._read()
                now["runs"][number]["usd"] = round(usd, 6)
                write_json(now, self._path)

        try:
            yield settle
        except (UsageError, ComeBack) as error:
            settle(error.usd)  # no answer is on its way any more: what was paid until then is known
            raise

    def _read(self) -> dict:
        try:
            return json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(f"budget {self.name!r} does not exist ({self._path}): groundswell backfill run --budget makes one") from None

    def _alone(self) -> AbstractContextManager[None]:
        return alone_in(self._path.parent)


@contextmanager
def within(settings: Settings, name: str, key: str, source: str, section: Section | None, windows: list[Window]) -> Iterator[Callable[[float], None]]:
    """`Budget.held` for a run of `collect`, where it has a budget called ``name``; without one nothing is held."""
    if not name or section is None:
        yield lambda usd: None
        return
    with Budget(settings, name).held(key, most_of(source_named(source).for_topic(section), section, windows)) as settle:
        yield settle


def most_of(source: Source, section: Section, windows: list[Window]) -> float:
    """The most that collecting ``windows`` may cost: nothing, or the section's own caps."""
    if not source.usd_per_post:
        return 0.0
    cap = getattr(section, "max_usd_per_window", None)
    if cap is None:
        raise QuotaSpent(f"{source.name} costs money and has no max_usd_per_window: no budget can be kept for it")
    return min(cap * len(windows), getattr(section, "max_usd_per_run", float("inf")))
