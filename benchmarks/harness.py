"""What every benchmark shares: measures with floors and aims, a table, a file of results, an exit status.

A benchmark is ``benchmarks/NAME.py``, run by ``make bench-NAME``; it ends with ``sys.exit(finish("NAME", measures))``. Writes
``benchmarks/results/NAME.json``. What it compares is measured in one run, on one machine: give ratios where a machine's speed matters.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from groundswell.machine import machine

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results"
SHARED = PROJECT.parent / "shared" / "data"
"""Real data beside the checkout; never in it."""

DISTURBED = 0.03
"""Share of the processors' time that others took, above which a measurement is made again."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Measure:
    """One number: it fails below its ``floor`` (above it where lower is better); the ``aim`` is where it should get to."""

    measure: str
    value: float
    unit: str = ""
    floor: float | None = None
    aim: float | None = None
    lower_is_better: bool = False

    @property
    def is_missed(self) -> bool:
        return self.floor is not None and not self._reaches(self.floor)

    @property
    def verdict(self) -> str:
        if self.is_missed:
            return "MISSED"
        if self.aim is None:
            return "" if self.floor is None else "ok"
        return "aim reached" if self._reaches(self.aim) else "below the aim" if not self.lower_is_better else "above the aim"

    def _reaches(self, mark: float) -> bool:
        return self.value <= mark if self.lower_is_better else self.value >= mark


def processor_times() -> tuple[int, int]:
    """(spent by this machine's processes, wanted by them and given to other machines) since it started, in ticks of all processors together.

    The second is what Linux calls steal; (0, 0) where nothing tells.
    """
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:]
    except OSError:
        return 0, 0
    user, nice, system, _, _, interrupts, soft_interrupts, stolen = map(int, fields[:8])
    return user + nice + system + interrupts + soft_interrupts, stolen


@dataclass
class Undisturbed:
    """Measures again what was measured while the hypervisor gave the processors to somebody else, up to ``tries`` times in all.

    Then the least disturbed one counts. Only that share decides, never what was measured.
    """

    tries: int = 3
    shares: list[float] = field(default_factory=list)
    """The stolen share of everything that counted, in turn."""
    repeated: int = 0

    def __call__(self, measure: Callable[[], Answer]) -> Answer:
        found: list[tuple[float, Answer]] = []
        while not found or (len(found) < self.tries and found[-1][0] > DISTURBED):
            before = processor_times()
            answer = measure()
            spent, stolen = (after - earlier for after, earlier in zip(processor_times(), before, strict=True))
            found.append((stolen / (spent + stolen) if stolen else 0.0, answer))
        self.repeated += len(found) - 1
        share, answer = min(found, key=lambda each: each[0])
        self.shares.append(share)
        return answer

    def measures(self) -> list[Measure]:
        """How far the machine was ours."""
        shares = self.shares or [0.0]
        return [
            Measure("processor time taken by other machines, median of the measurements", 100 * statistics.median(shares), "%"),
            Measure("the same, of the worst one that counted", 100 * max(shares), "%"),
            Measure("measurements made again for it", self.repeated),
        ]


def finish(name: str, measures: Sequence[Measure], *, results: Path = RESULTS, also: dict | None = None) -> int:
    """Print the table, write ``<name>.json`` (with ``also`` in it), and return the exit status: 1 when a floor is missed."""
    print(table(measures))
    results.mkdir(parents=True, exist_ok=True)
    answer = {"measures": [asdict(measure) for measure in measures], "machine": machine(), "commit": commit(), **(also or {})}
    path = results / f"{name}.json"
    path.write_text(json.dumps(answer, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    missed = [measure.measure for measure in measures if measure.is_missed]
    print(f"\n{path.name} written; " + (f"floors missed: {', '.join(missed)}" if missed else "no floor missed"))
    return int(bool(missed))


def table(measures: Sequence[Measure]) -> str:
    """The measures as lines of text: value, floor, aim, verdict."""
    rows = [("measure", "value", "unit", "floor", "aim", "")]
    rows += [(m.measure, _number(m.value), m.unit, _number(m.floor), _number(m.aim), m.verdict) for m in measures]
    widths = [max(len(row[place]) for row in rows) for place in range(6)]
    lines = [
        "  ".join(cell.ljust(width) if place in (0, 2, 5) else cell.rjust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * len(lines[0]), *lines[1:]])


def shared(*parts: str) -> Path:
    """A file of the real data; without it the benchmark ends here, saying so: there is nothing to measure."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        print(f"This benchmark needs {'/'.join(('shared', 'data', *parts))} beside the checkout: nothing was measured.", file=sys.stderr)
        sys.exit(2)
    return path


def commit() -> str:
    """The commit that was measured; ``+`` after it where files of the checkout differ from it, results aside."""
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.strip()


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
