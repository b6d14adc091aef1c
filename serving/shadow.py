"""A second opinion on live traffic, off the request path: another model is asked what was just answered, and where they disagree is noted.

A thread asks one text at a time, and only while nobody waits for an answer; what waits too long, or does not fit into the bounded queue,
is dropped and counted. Writes ``shadow.jsonl``: the prediction's id, both versions, both labels and probabilities; never a text.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from serving.ledger import Ledger
from serving.loading import LoadedModel
from serving.messages import LABELS
from serving.metrics import Metrics

MOST_WAITING = 64
PATIENCE_SECONDS = 2
_LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Job:
    """What ``answered`` said of ``texts``, probabilities (n, labels), and whom to ask next. ``alias``: whose rollout it is about."""

    alias: str
    answered: LoadedModel
    rival: LoadedModel
    texts: Sequence[str]
    probabilities: np.ndarray
    noted: Callable[[bool], None] = lambda agrees: None
    """Told of every text whether the two gave the same label."""


class Shadow:
    """Asks ``job.rival`` what ``job.answered`` was asked. ``is_idle()``: nobody waits for an answer just now."""

    def __init__(self, *, is_idle: Callable[[], bool], make_id: Callable[[LoadedModel, str, np.ndarray], str], metrics: Metrics, ledger: Ledger):
        self._is_idle, self._make_id, self._metrics, self._ledger = is_idle, make_id, metrics, ledger
        self._jobs: queue.Queue[Job | None] = queue.Queue(MOST_WAITING)
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, job: Job) -> None:
        """Ask when there is time; never waits."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self._metrics.shadow_texts.labels(job.alias, "dropped").inc(len(job.texts))

    def stop(self) -> None:
        """End after the text under way; what waits is dropped."""
        self._is_stopping = True
        with contextlib.suppress(queue.Full):  # then it is busy, and looks at the flag after each text
            self._jobs.put_nowait(None)
        self._thread.join(5)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None and not self._is_stopping:
            for row, text in enumerate(job.texts):
                if self._is_stopping or not self._may_ask():
                    self._metrics.shadow_texts.labels(job.alias, "dropped").inc(len(job.texts) - row)
                    break
                self._ask(job, row, text)

    def _may_ask(self) -> bool:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_idle():
            if self._is_stopping or time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _ask(self, job: Job, row: int, text: str) -> None:
        try:
            other = job.rival.predictor.predict([text])[0]
        except Exception:  # noqa: BLE001 - whatever a model on trial does, it does it here and to nobody
            self._metrics.shadow_texts.labels(job.alias, "failed").inc()
            return
        one = job.probabilities[row]
        agrees = bool(one.argmax() == other.argmax())
        self._metrics.shadow_texts.labels(job.alias, "agrees" if agrees else "disagrees").inc()
        job.noted(agrees)
        if not agrees:
            self._ledger.write(
                "disagreement",
                id=self._make_id(job.answered, text, one),
                alias=job.alias,
                versions=[job.answered.version.version, job.rival.version.version],
                labels=[LABELS[one.argmax()], LABELS[other.argmax()]],
                probabilities=[one.round(4).tolist(), other.round(4).tolist()],
            )
