"""Where predictions are computed: a few threads that take what waits from every request together, and a bound on what may wait.

A thread that is free takes, in turn, one width of one model and what waits of it, oldest first, up to a budget of tokens: nobody waits for
a batch to fill, and a crowd is computed in full batches. While requests come one after the other, each after the last one's answer, a text
is computed where it arrives, on the event loop and by all cores: handing it to a thread and back would take a third of its time, and there
is nobody whom it could hold up. Answers do not depend on who shares a batch, nor on how many cores computed it (`groundswell.predictor`).
Refuses with `Busy` what would go past the bound, at once: a queue that only grows helps nobody. What has waited longer than its deadline
is not computed any more (`Late`), nor what its client hung up on. A text that a model can't read fails by itself.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from groundswell.predictor import TOKENS_PER_BATCH, Predictor
from serving.loading import LoadedModel

_CHARACTERS_PER_TOKEN = 4
_TEXTS_AT_ONCE = 256
"""How many texts a thread tokenises before it computes again."""
_LONE, _LONELIEST, _MET = 16, 32, 4
"""What tells a lone client: requests that met no other count 1, up to 32, one that did takes 4 away, and from 16 on it is one. So it takes
that four of five met nobody: among independent ones that is a tenth of what can be computed."""
_TURNS = 3
"""Of the event loop, until what came while it computed has asked: one reads it, in one its request's task begins, one is to spare."""


class Busy(Exception):
    """Too many tokens are under way or waiting; the client may come again."""


class Late(Exception):
    """The request waited longer than it may."""


class PredictionFailed(Exception):
    """The model raised. Its message may hold the text, so only the kind of error goes on."""


@dataclass(eq=False, slots=True)
class _Request:
    predictor: Predictor
    texts: Sequence[str]
    cost: int
    deadline: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future
    answers: list = field(default_factory=list)
    missing: int = 0
    failure: Exception | None = None

    @property
    def is_over(self) -> bool:
        return self.failure is not None or self.future.cancelled()


_Text = tuple[_Request, int, list[int]]
"""A request, which of its texts, and that text's token ids."""


class Pool:
    """``threads`` batches at once, at most ``max_waiting_tokens`` admitted, none waiting longer than ``deadline_seconds``.

    `predict` is called on one event loop. ``observe(texts, seconds)`` hears of every batch, in the thread that computed it.
    """

    def __init__(
        self,
        *,
        threads: int,
        max_waiting_tokens: int,
        deadline_seconds: float,
        observe: Callable[[int, float], None] = lambda texts, seconds: None,
    ):
        self.waiting_texts = 0
        self.waiting_tokens = 0
        """Estimated from characters: admission must not wait for the tokenizer."""
        self._max_waiting_tokens, self._deadline_seconds, self._observe = max_waiting_tokens, deadline_seconds, observe
        self._changed = threading.Condition()
        self._arrived: deque[_Request] = deque()
        self._waiting: dict[tuple[Predictor, int], deque[_Text]] = {}  # the next to be computed first
        self._loneliness = 0  # see `_LONE`
        self._is_catching_up = False  # with what came while the event loop computed
        self._is_closing = False
        self._threads = [threading.Thread(target=self._work, name=f"predict-{number}", daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def is_full(self) -> bool:
        """Whether any request would be refused."""
        return self.waiting_tokens >= self._max_waiting_tokens

    async def predict(self, model: LoadedModel, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float32 (n, labels). A request is never too large by itself: alone it is always admitted."""
        cost = _cost(model.predictor, texts)
        if self.waiting_tokens and self.waiting_tokens + cost > self._max_waiting_tokens:
            raise Busy
        return await self._submit(model, texts, cost)

    async def probe(self, model: LoadedModel, texts: Sequence[str]) -> np.ndarray:
        """As `predict`, past the bound: a probe asks whether answers are computed, not whether there is room."""
        return await self._submit(model, texts, _cost(model.predictor, texts))

    async def _submit(self, model: LoadedModel, texts: Sequence[str], cost: int) -> np.ndarray:
        loop = asyncio.get_running_loop()
        met = self.waiting_tokens or self._is_catching_up
        self._loneliness = max(self._loneliness - _MET, 0) if met else min(self._loneliness + 1, _LONELIEST)
        if self._loneliness >= _LONE and len(texts) == 1 and not self.waiting_tokens:
            return self._at_once(model.predictor, texts, loop)
        request = _Request(model.predictor, texts, cost, time.monotonic() + self._deadline_seconds, loop, loop.create_future())
        self.waiting_texts += len(texts)
        self.waiting_tokens += cost
        with self._changed:
            self._arrived.append(request)
            self._changed.notify()
        return await request.future

    def close(self) -> None:
        """Ends when what was admitted has its answers."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _at_once(self, predictor: Predictor, texts: Sequence[str], loop: asyncio.AbstractEventLoop) -> np.ndarray:
        """The answer to a lone text, on the event loop."""
        self._is_catching_up = True
        loop.call_soon(self._catch_up, loop, _TURNS)
        try:
            pieces = [encoding.ids for encoding in predictor.encode(texts)]
        except Exception as error:  # noqa: BLE001 - see PredictionFailed
            raise PredictionFailed(type(error).__name__) from None
        (answer,) = self._computed(predictor, pieces, is_alone=True)
        if isinstance(answer, Exception):
            raise answer
        return answer[None]

    def _catch_up(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        """What came meanwhile is read in the next turn of the event loop, and asks in the one after: until then, whoever asks has met another."""
        if turns:
            loop.call_soon(self._catch_up, loop, turns - 1)
        else:
            self._is_catching_up = False

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._arrived or self._waiting or self._is_closing):
                    self._changed.wait()
                if not (self._arrived or self._waiting):
                    return
                arrived = self._take_arrived()
            self._settle([request for request in arrived if not self._encode(request)])
            batch = self._take_batch()
            if batch:
                self._answer(batch)

    def _take_arrived(self) -> list[_Request]:
        taken, count = [], 0
        while self._arrived and count < _TEXTS_AT_ONCE:
            taken.append(self._arrived.popleft())
            count += len(taken[-1].texts)
        return taken

    def _encode(self, request: _Request) -> bool:
        """Have the request's texts wait by width; False when there is nothing to wait for."""
        predictor = request.predictor
        try:
            pieces = [encoding.ids for encoding in predictor.encode(request.texts)]
        except Exception as error:  # noqa: BLE001 - see PredictionFailed
            request.failure = PredictionFailed(type(error).__name__)
            return False
        request.answers, request.missing = [None] * len(pieces), len(pieces)
        with self._changed:
            for place, ids in enumerate(pieces):
                self._waiting.setdefault((predictor, predictor.width(len(ids))), deque()).append((request, place, ids))
        return bool(pieces)

    def _take_batch(self) -> list[_Text]:
        """Texts of the next width, the oldest first, within the budget; what nobody waits for any more is dropped."""
        batch, dropped, now = [], [], time.monotonic()
        with self._changed:
            while self._waiting and not batch:
                key = next(iter(self._waiting))
                texts, fit = self._waiting.pop(key), max(1, TOKENS_PER_BATCH // key[1])
                while texts and len(batch) < fit:
                    text = texts.popleft()
                    request = text[0]
                    if request.failure is None and request.deadline < now:
                        request.failure = Late()
                    if request.is_over:
                        self._count_down(request, dropped)
                    else:
                        batch.append(text)
                if texts:
                    self._waiting[key] = texts  # behind the others: every width has its turn
            if self._waiting:
                self._changed.notify()  # and not before: woken for a batch that is taken, another thread would only be in the way
        self._settle(dropped)
        return batch

    def _answer(self, batch: list[_Text]) -> None:
        answers = self._computed(batch[0][0].predictor, [ids for _, _, ids in batch])
        done: list[_Request] = []
        with self._changed:
            for (request, place, _), answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    request.failure = request.failure or answer
                else:
                    request.answers[place] = answer
                self._count_down(request, done)
        self._settle(done)

    def _computed(self, predictor: Predictor, pieces: list[list[int]], *, is_alone: bool = False) -> list[np.ndarray | PredictionFailed]:
        """Probabilities, or why there are none, of texts of one width."""
        started = time.perf_counter()
        try:
            answers = list(predictor.probabilities(predictor.run(pieces, is_alone=is_alone)))
        except Exception:  # noqa: BLE001 - one of them is to blame: the others are asked without it
            answers = [_alone(predictor, ids) for ids in pieces]
        self._observe(len(pieces), time.perf_counter() - started)
        bad = PredictionFailed("an answer that is no number")
        return [answer if isinstance(answer, Exception) or np.isfinite(answer).all() else bad for answer in answers]

    @staticmethod
    def _count_down(request: _Request, done: list[_Request]) -> None:
        request.missing -= 1
        if not request.missing:
            done.append(request)

    def _settle(self, requests: list[_Request]) -> None:
        """Hand the answers over, one call of the event loop for all."""
        if requests and not requests[0].loop.is_closed():
            requests[0].loop.call_soon_threadsafe(self._hand_over, requests)

    def _hand_over(self, requests: list[_Request]) -> None:
        for request in requests:
            self.waiting_texts -= len(request.texts)
            self.waiting_tokens -= request.cost
            if request.future.done():
                continue
            if request.failure is not None:
                request.future.set_exception(request.failure)
            else:
                request.future.set_result(np.stack(request.answers) if request.answers else np.empty((0, len(request.predictor.labels)), np.float32))


def _cost(predictor: Predictor, texts: Sequence[str]) -> int:
    return sum(min(predictor.max_length, 3 + len(text) // _CHARACTERS_PER_TOKEN) for text in texts)


def _alone(predictor: Predictor, ids: list[int]) -> np.ndarray | PredictionFailed:
    try:
        return predictor.probabilities(predictor.run([ids]))[0]
    except Exception as error:  # noqa: BLE001 - see PredictionFailed
        return PredictionFailed(type(error).__name__)
