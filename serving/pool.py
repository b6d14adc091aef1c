"""Where predictions are computed: a few threads, so that the event loop never waits for arithmetic, and a bound on what may wait.

Refuses with `Busy` what would go past the bound, at once: a queue that only grows helps nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from serving.loading import LoadedModel


class Busy(Exception):
    """Too many texts are under way or waiting; the client may come again."""


class PredictionFailed(Exception):
    """The model raised. Its message may hold the text, so only the kind of error goes on."""


class Pool:
    """``threads`` predictions at once, at most ``max_waiting_texts`` texts admitted. Used from one event loop only."""

    def __init__(self, *, threads: int, max_waiting_texts: int):
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._max_waiting_texts = max_waiting_texts
        self.waiting_texts = 0

    async def predict(self, model: LoadedModel, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float32 (n, labels). A request is never too large by itself: alone it is always admitted."""
        if self.waiting_texts and self.waiting_texts + len(texts) > self._max_waiting_texts:
            raise Busy
        return await self._submit(model, texts)

    async def probe(self, model: LoadedModel, texts: Sequence[str]) -> np.ndarray:
        """As `predict`, past the bound: a probe asks whether answers are computed, not whether there is room."""
        return await self._submit(model, texts)

    async def _submit(self, model: LoadedModel, texts: Sequence[str]) -> np.ndarray:
        loop = asyncio.get_running_loop()
        future = self._executor.submit(_answer, model, texts)
        self.waiting_texts += len(texts)
        # Counted down when the work ends, not when the client hangs up: until then it holds a thread.
        future.add_done_callback(lambda done: self._on_loop(loop, len(texts)))
        return await asyncio.wrap_future(future)

    def _on_loop(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._finished, count)

    def _finished(self, count: int) -> None:
        self.waiting_texts -= count

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def _answer(model: LoadedModel, texts: Sequence[str]) -> np.ndarray:
    try:
        return model.predictor.predict(texts)
    except Exception as error:  # noqa: BLE001 - see PredictionFailed
        raise PredictionFailed(type(error).__name__) from None
