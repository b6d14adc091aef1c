"""A trial: one approach fitted with one seed, asked about one fold, in a process of its own: ``python -m groundswell.approaches.trial JOB``.

Reads the job (JSON: a row, its trials, where things are), the data set's train and validation splits and their folds. Writes for every
trial, as soon as it is done, one file with probabilities and numbers, whole or not at all; and ``why`` when an approach fails, in words
that hold no post: the kind of a foreign error and the lines it passed through, since its message may quote a text.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from groundswell import folds as cuts
from groundswell.approaches.base import Approach, Labelled, Surroundings
from groundswell.errors import GroundswellError, ModelError
from groundswell.files import replacing
from groundswell.params import CompareRow, TrainParams
from groundswell.schema import LABELS
from groundswell.text import fingerprint

_WARM_UP_TEXTS, _PROBE_TEXTS, _MOST_TEXTS = 32, 64, 2048
_TIMED_SECONDS = 2.0
_KEPT_FRAMES = 4

log = logging.getLogger(__name__)


def main(job: dict) -> int:
    """Do the trials of ``job``; 0, or 1 with the reason in the file that ``job["why"]`` names."""
    _end_with_parent(job["parent"])
    _end_first_when_memory_is_short()
    try:
        _trials(job)
    except Exception as error:  # noqa: BLE001 - the last line of a process, as in the CLI: what it says must be safe to write down
        Path(job["why"]).write_text(_reason(error), encoding="utf-8")
        return 1
    return 0


def _trials(job: dict) -> None:
    rows = cuts.read_rows(Path(job["dataset"]))
    folds = cuts.read(Path(job["folds"]), rows)
    if folds.digest != job["digest"]:
        raise ModelError(f"the folds are {folds.digest[:8]}, the job is of {job['digest'][:8]}: run groundswell compare again")
    row = CompareRow(**job["row"])
    around = Surroundings(
        threads=job["threads"],
        train=TrainParams(**job["train"]),
        scratch=Path(job["scratch"]),
        vectors=Path(job["vectors"]) if job["vectors"] else None,
        unlabelled=json.loads(Path(job["unlabelled"]).read_text(encoding="utf-8")) if job["unlabelled"] else (),
        champion=Path(job["champion"]) if job["champion"] else None,
    )
    module, _, name = job["maker"].partition(":")
    bare = _memory("VmRSS")
    for trial in job["trials"]:
        make = getattr(import_module(module), name)
        _trial(trial, row, rows, folds, around, make, bare)


def _trial(trial: dict, row: CompareRow, rows: cuts.Rows, folds: cuts.Folds, around: Surroundings, make, bare: int) -> None:
    begun = time.perf_counter()
    judged = folds.judged(rows, trial["fold"])
    texts = [rows.texts[place] for place in judged]
    given = _labelled(rows, folds.learnt(rows, trial["fold"], trial["share"], trial["seed"]))
    fit_begun = time.perf_counter()
    train = _augmented(given, row, trial["seed"], around, texts)
    approach = make(row, trial["seed"], replace(around, scratch=_fresh(around.scratch, trial)))
    approach.fit(train)
    numbers = {"train_seconds": time.perf_counter() - fit_begun, "labels": len(given), "rows": len(train)}
    if trial["is_timed"]:
        numbers["posts_per_second"] = posts_per_second(approach, texts, train.texts)
    said = _checked(approach.predict(texts), len(texts))
    numbers["peak_memory_bytes"] = max(0, _memory("VmHWM") - bare)
    numbers["size_bytes"] = int(approach.size_bytes())
    numbers["seconds"] = time.perf_counter() - begun
    with replacing(Path(trial["out"])) as beside, open(beside, "wb") as file:
        np.savez(file, probabilities=said.astype(np.float32), numbers=np.array(json.dumps(numbers)))


def read_trial(path: Path) -> tuple[np.ndarray, dict] | None:
    """(probabilities (n, 3) of the fold's judged rows, numbers) of a finished trial; None when it is not there."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as found:
        return found["probabilities"], json.loads(str(found["numbers"]))


def posts_per_second(approach: Approach, texts: Sequence[str], warm_up: Sequence[str]) -> float:
    """Posts answered a second on one core: warmed up with texts learnt from, then timed on texts that it never saw.

    As many of them as take about two seconds, 64 at least and 2,048 at most, in one call.
    """
    with one_core():
        approach.predict(list(warm_up[:_WARM_UP_TEXTS]))
        probe = list(texts[:_PROBE_TEXTS])
        alone = _timed(approach, probe)
        wanted = min(_MOST_TEXTS, int(_TIMED_SECONDS / max(alone, 1e-9) * len(probe)))
        rest = list(texts[len(probe) : len(probe) + wanted])
        if len(rest) < len(probe):
            return len(probe) / alone
        return len(rest) / _timed(approach, rest)


def _timed(approach: Approach, texts: list[str]) -> float:
    begun = time.perf_counter()
    approach.predict(texts)
    return time.perf_counter() - begun


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Every thread of this process on one core, and no library with more than one thread."""
    from threadpoolctl import threadpool_limits

    allowed = os.sched_getaffinity(0)
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    with threadpool_limits(1):
        if torch:
            torch.set_num_threads(1)
        _pin({min(allowed)})
        try:
            yield
        finally:
            _pin(allowed)
            if torch:
                torch.set_num_threads(threads)


def _pin(cores: set[int]) -> None:
    """Threads have affinities of their own: a library's pool keeps the one that it was born with."""
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), cores)


def _augmented(train: Labelled, row: CompareRow, seed: int, around: Surroundings, judged: list[str]) -> Labelled:
    if row.augmentation == "none":
        return train
    from groundswell.approaches.augmentation import augmented

    return augmented(train, row, seed, replace(around, judged=frozenset(map(fingerprint, judged))))


def _labelled(rows: cuts.Rows, places: np.ndarray) -> Labelled:
    return Labelled([rows.texts[place] for place in places], rows.labels[places], [rows.groups[place] for place in places])


def _checked(said, count: int) -> np.ndarray:
    said = np.asarray(said, dtype=np.float64)
    if said.shape != (count, len(LABELS)) or not np.isfinite(said).all():
        kind = f"an array of shape {said.shape}" + ("" if np.isfinite(said).all() else " with NaN or infinity in it")
        raise ModelError(f"the approach was expected to answer finite probabilities of shape ({count}, {len(LABELS)}), found {kind}")
    return said


def _fresh(scratch: Path, trial: dict) -> Path:
    folder = scratch / Path(trial["out"]).stem
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _reason(error: BaseException) -> str:
    if isinstance(error, GroundswellError):
        return str(error)
    if isinstance(error, ImportError) and error.name:
        return f"{type(error).__name__}: {error.name} can't be imported"
    frames = traceback.extract_tb(error.__traceback__)[-_KEPT_FRAMES:]
    return f"{type(error).__name__} at " + ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))


def _memory(name: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at its peak. Not getrusage: its peak is the parent's until the child has outgrown it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise ModelError(f"/proc/self/status says nothing of {name}: memory is measured on Linux only")


def _end_with_parent(parent: int) -> None:
    """A parent that is killed outright takes this process along: two of them must never write the same trial."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _end_first_when_memory_is_short() -> None:
    """The kernel ends this process before its parent, which can tell what happened."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("GROUNDSWELL_LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
