"""Trials: the fits of a comparison, each done once, in child processes, and kept.

Reads a data set by its folds; writes under one folder ``folds.parquet`` and ``trials/<key>.npz``, a file a fit. The key is of all that the answers
hang on: data set, folds, the row's own settings, fold, seed, share of the labels, version of the approaches. Whatever is killed, at most the fit
under way is lost. A child that crashes, or that the kernel ends for its memory, fails its row with the reason.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from groundswell import approaches, folds, grid
from groundswell.approaches.trial import read_trial
from groundswell.files import sha256_of, write_json
from groundswell.params import CompareRow, TrainParams
from groundswell.spare import Spare
from groundswell.text import TEXT_VERSION

DONE, FAILED, LEFT = "done", "failed", "left: budget"
MAKER = "groundswell.approaches:make"
"""What builds an approach, ``module:function``; the module's ``check`` refuses rows beforehand. Tests have approaches of their own."""

_POLL_SECONDS = 0.1
_UNSEEN = ("threads", "seed", "augmentation", "min_fp32_agreement", "min_int8_agreement")
"""Keys of the train section that no answer of a trial hangs on."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """A fit: the fold that judges it, its seed, the share of the other folds' rows that it learns from."""

    fold: int
    seed: int
    share: float = 1.0
    is_timed: bool = False
    """Whether answering is timed too: once a fold is enough."""


@dataclass(frozen=True)
class Outcome:
    """How the trials of a row ended: DONE, FAILED or LEFT, and why."""

    status: str
    why: str = ""


class Bench:
    """Where the trials of one comparison are done and kept: ``folder`` belongs to one data set and one cut of it."""

    def __init__(
        self, folder: Path, dataset: Path, dataset_md5: str, cut: folds.Folds, *, train: TrainParams, spare: Spare, vectors: Path | None, maker: str
    ):
        self.folder, self.dataset, self.dataset_md5, self.cut = folder, dataset, dataset_md5, cut
        self.train, self.spare, self.vectors, self.maker = train, spare, vectors, maker
        self.threads = train.threads or len(os.sched_getaffinity(0))
        self._seconds: dict[tuple[str, str], list[float]] = {}

    def trials_of(self, row: CompareRow, seeds: Sequence[int]) -> list[Trial]:
        """Every fit that ``row`` needs: all folds, and all ``seeds`` where it hangs on one."""
        wanted = list(seeds) if row.is_seeded else list(seeds[:1])
        return [Trial(fold, seed, is_timed=seed == seeds[0]) for fold in range(self.cut.count) for seed in wanted]

    def result(self, row: CompareRow, trial: Trial) -> tuple[np.ndarray, dict] | None:
        """(probabilities of the fold's judged rows, numbers) of a trial that is done."""
        return read_trial(self._path(row, trial))

    def missing(self, row: CompareRow, trials: Sequence[Trial]) -> list[Trial]:
        return [trial for trial in trials if not self._path(row, trial).is_file()]

    def seconds_of(self, row: CompareRow, trials: Sequence[Trial]) -> float | None:
        """What ``trials`` of ``row`` may take, by what the most similar rows took: itself, its model and features, its model, its family."""
        family = [model for model in grid.MODELS if approaches.family_of(model) == approaches.family_of(row.model)]
        alike = (
            lambda key: key == (row.name, row.model, row.features),
            lambda key: key[1:] == (row.model, row.features),
            lambda key: key[1] == row.model,
            lambda key: key[1] in family,
        )
        for is_alike in alike:
            if known := [one for key, seconds in self._seconds.items() if is_alike(key) for one in seconds]:
                return float(np.mean(known)) * sum(trial.share for trial in trials)
        return None

    def remember(self, row: CompareRow, trials: Sequence[Trial]) -> None:
        """Take note of how long the trials that are done took."""
        found = [(trial, self.result(row, trial)) for trial in trials]
        self._seconds[row.name, row.model, row.features] = [result[1]["seconds"] / trial.share for trial, result in found if result]

    def run(self, row: CompareRow, trials: Sequence[Trial], *, deadline: float | None, tell: Callable[[int, int], None]) -> Outcome:
        """Do what is missing of ``trials``. ``deadline`` is a time of time.monotonic(): what would not be done by then is not begun, and what is
        not done by then is ended. ``tell`` hears how many of how many fits are done."""
        missing = self.missing(row, trials)
        if not missing:
            return Outcome(DONE)
        expected = self.seconds_of(row, missing) or 0.0
        if deadline is not None and time.monotonic() + expected >= deadline:
            return Outcome(LEFT, _would_take(len(missing), expected, deadline))
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=self.folder) as box:
            return self._child(row, trials, missing, Path(box), deadline, tell)

    def _child(self, row, trials, missing: list[Trial], box: Path, deadline: float | None, tell) -> Outcome:
        write_json(self._job(row, missing, box), box / "job.json")
        process = subprocess.Popen(
            [sys.executable, "-m", "groundswell.approaches.trial", str(box / "job.json")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # standard output is the report's
            env={**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(self.threads)), "OMP_WAIT_POLICY": "PASSIVE"},
        )
        try:
            return self._watched(process, row, trials, missing, box, deadline, tell)
        finally:
            process.kill()
            process.wait()

    def _watched(self, process, row, trials, missing, box: Path, deadline: float | None, tell) -> Outcome:
        """Until the child is over, or what is left would not be done by the deadline."""
        done = 0
        while True:
            is_over = process.poll() is not None
            left = self.missing(row, missing)
            is_news = len(missing) - len(left) > done
            if is_news:
                done = len(missing) - len(left)
                self.remember(row, trials)
                tell(len(trials) - len(left), len(trials))
            if is_over:
                return Outcome(DONE) if not left else Outcome(FAILED, _why(process.returncode, box / "why"))
            expected = (self.seconds_of(row, left) or 0.0) if is_news else 0.0
            if left and deadline is not None and time.monotonic() + expected >= deadline:
                return Outcome(LEFT, _would_take(len(left), expected, deadline))
            time.sleep(_POLL_SECONDS)

    def _job(self, row: CompareRow, missing: Sequence[Trial], box: Path) -> dict:
        return {
            "parent": os.getpid(),
            "maker": self.maker,
            "dataset": str(self.dataset),
            "folds": str(self.folder / "folds.parquet"),
            "digest": self.cut.digest,
            "row": row.model_dump(mode="json"),
            "train": self.train.model_dump(mode="json"),
            "threads": self.threads,
            "vectors": str(self.vectors) if self.vectors else None,
            **self.spare.given(row.augmentation, box),
            "scratch": str(box / "scratch"),
            "why": str(box / "why"),
            "trials": [{**asdict(trial), "out": str(self._path(row, trial))} for trial in missing],
        }

    def _path(self, row: CompareRow, trial: Trial) -> Path:
        what = {
            "dataset": self.dataset_md5,
            "folds": self.cut.digest,
            "row": self.settings_of(row),
            "trial": {"fold": trial.fold, "seed": trial.seed, "share": trial.share},
            "versions": [approaches.VERSION, TEXT_VERSION],
        }
        return self.folder / "trials" / f"{digest_of(what)[:32]}.npz"

    def settings_of(self, row: CompareRow) -> dict:
        """All that the answers of ``row`` hang on beside the data set; its name is not in it."""
        own = {**row.model_dump(mode="json", exclude={"name"}), **self.spare.settings_of(row.augmentation)}
        if row.model in grid.TRANSFORMERS or row.features == "encoder":
            own["train"] = self.train.model_dump(mode="json", exclude=set(_UNSEEN))
        if row.features == "vectors" and self.vectors and self.vectors.is_file():
            own["vectors"] = sha256_of(self.vectors)
        return own


def digest_of(value) -> str:
    """The sha256 of ``value`` as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _why(status: int, file: Path) -> str:
    if file.is_file():
        return file.read_text(encoding="utf-8")
    if status == -signal.SIGKILL:
        return "its process was killed (SIGKILL): by the kernel, when memory ran out, or by somebody"
    return f"its process was ended by {signal.Signals(-status).name}" if status < 0 else f"its process ended with exit status {status}"


def _would_take(fits: int, expected: float, deadline: float) -> str:
    left = max(0.0, deadline - time.monotonic())
    return f"{fits} fits to go" + (f" would take about {expected:.0f} s" if expected else "") + f", {left:.0f} s of the budget were left"
