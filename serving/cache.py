"""Answers that were given before: the same text and the same model give the same bits, so they need computing once.

Keys are keyed hashes of the model's digest, its version, what computes, and the normalised text: no text is kept, and none can be
recovered without the secret. Values are the float32 probabilities' own bytes. Kept in this process (the least recently asked for goes
first) or in a Redis that replicas share. A Redis that is gone, slow or full of rubbish costs one request `REDIS_SECONDS` and then
nothing until it is well again. Refuses nothing: what can't be remembered is computed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import platform
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from groundswell import predictor
from groundswell.files import sha256_of
from groundswell.onnx_runtime import onnxruntime
from groundswell.text import normalise
from serving.config import ServingSettings
from serving.loading import LoadedModel
from serving.messages import LABELS
from serving.metrics import Metrics
from serving.secret import Secret

REDIS_SECONDS = 0.05
"""How long a Redis may take to connect, and to answer: longer, and computing is the better answer."""
REST_SECONDS = 2
"""How long a Redis that failed is left alone before it is asked, by nobody's request, whether it is well again."""
MOST_WAITING_WRITES = 4096
"""Answers on their way to a Redis; what comes on top is not remembered."""
_WRITES_AT_ONCE = 64
_PREFIX = b"groundswell:"
_VALUE = np.dtype((np.float32, len(LABELS)))
EPOCH_FILE = "cache-epoch"
"""Beside the model copies: what lies in it is part of every key, so another content makes all that was remembered unreachable at once."""
_LOOK_EVERY_SECONDS = 1
_MODELS = 16
"""Whose begun hashes are kept: those of the models that answered here last."""

Compute = Callable[[LoadedModel, Sequence[str]], Awaitable[np.ndarray]]

logger = logging.getLogger(__name__)


class Store(Protocol):
    """Where values lie by their keys. ``put`` comes back at once."""

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]: ...

    def put(self, values: Iterable[tuple[bytes, bytes]]) -> None: ...

    async def close(self) -> None: ...


class Cache:
    """Used from one event loop only."""

    def __init__(self, store: Store, secret: Secret, metrics: Metrics, epoch: Path | None = None, clock: Callable[[], float] = time.monotonic):
        self._store, self._metrics = store, metrics
        self._secret, self._epoch, self._clock = secret, epoch, clock
        self._epoch_read, self._look_at = _content(epoch), clock() + _LOOK_EVERY_SECONDS
        self._key = self._made_key()
        self._hashes: OrderedDict[tuple[str, str], hashlib.blake2b] = OrderedDict()

    async def through(self, model: LoadedModel, texts: Sequence[str], compute: Compute) -> np.ndarray:
        """Probabilities, float32 (n, labels), of ``texts`` in their order; ``compute(model, texts)`` is asked for those that are not here, once each.

        Raises what ``compute`` raises. An answer that is no number is given, and not remembered.
        """
        texts = [normalise(text) for text in texts]
        keys = self._keys(model, texts)
        rows = _rows(keys, await self._store.get(keys))
        misses = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
        self._metrics.cache_hits.inc(len(keys) - len(misses))
        if misses:
            self._metrics.cache_misses.inc(len(misses))
            computed = await compute(model, list(misses.values()))
            rows.update(zip(misses, computed, strict=True))
            good = np.isfinite(computed).all(axis=1)
            self._store.put((key, row.tobytes()) for key, row, is_good in zip(misses, computed, good, strict=True) if is_good)
        return np.stack([rows[key] for key in keys])

    async def close(self) -> None:
        await self._store.close()

    def _made_key(self) -> bytes:
        return self._secret.key(f"cache {_arithmetic()}{self._epoch_read}")

    def _look(self) -> None:
        """Once a second: somebody was erased, so that nothing of before may be found any more."""
        now = self._clock()
        if self._epoch is None or now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_SECONDS
        if (found := _content(self._epoch)) != self._epoch_read:
            self._epoch_read = found
            self._key = self._made_key()
            self._hashes.clear()

    def _keys(self, model: LoadedModel, texts: Sequence[str]) -> list[bytes]:
        self._look()
        name = (model.version.version, model.digest)
        begun = self._hashes.get(name)
        if begun is None:
            begun = self._hashes[name] = hashlib.blake2b("\0".join(name).encode() + b"\0", key=self._key, digest_size=16)
            if len(self._hashes) > _MODELS:
                self._hashes.popitem(last=False)
        return [_digest(begun, text) for text in texts]


def _digest(begun: hashlib.blake2b, text: str) -> bytes:
    whole = begun.copy()
    whole.update(text.encode())
    return whole.digest()


def _rows(keys: Sequence[bytes], values: Sequence[bytes | None]) -> dict[bytes, np.ndarray]:
    """The probabilities among ``values``, by their keys: a shared Redis may hold anything."""
    sized = [(key, value) for key, value in zip(keys, values, strict=True) if value is not None and len(value) == _VALUE.itemsize]
    rows = np.frombuffer(b"".join(value for _, value in sized), _VALUE)
    good = (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) < 1e-3)
    return {key: row for (key, _), row, is_good in zip(sized, rows, good.tolist(), strict=True) if is_good}


def _content(epoch: Path | None) -> str:
    """What lies in the epoch's file; "" where nobody was erased yet.

    A file that can't be read may stand for an erasure: an epoch that nothing was remembered in, so that answers are computed until it can.
    """
    try:
        return epoch.read_text(encoding="ascii") if epoch else ""
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        logger.warning("%s can't be read (%s): nothing that was remembered is answered with", EPOCH_FILE, type(error).__name__)
        return secrets.token_hex(8)


def _arithmetic() -> str:
    """What the last bit of an answer depends on beside the model: replicas that differ in it share no answers."""
    try:
        processor = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        processor = platform.processor()
    return f"{sha256_of(Path(predictor.__file__))} {onnxruntime.__version__} {processor}"


class InMemory:
    """At most ``entries`` values. Keys and values have one size each, so that a bound on their number bounds the bytes: about 300 each."""

    def __init__(self, entries: int):
        self._entries, self._values = entries, OrderedDict()

    async def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        values = self._values
        for key in keys:
            if key in values:
                values.move_to_end(key)
        return [values.get(key) for key in keys]

    def put(self, values: Iterable[tuple[bytes, bytes]]) -> None:
        self._values.update(values)
        while len(self._values) > self._entries:
            self._values.popitem(last=False)

    async def close(self) -> None:
        self._values.clear()


class InRedis:
    """Values in a Redis, for ``seconds`` each. One connection, one task: what is asked while it waits goes out together, next.

    A request waits for the exchange that is under way and for its own, each bounded by `REDIS_SECONDS`; after a failure nobody asks until
    the task has found the Redis well again. Values on their way are bounded too, and dropped when it fails.
    """

    def __init__(self, url: str, *, seconds: int, metrics: Metrics):
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=REDIS_SECONDS,
            socket_timeout=REDIS_SECONDS,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self._seconds, self._metrics = seconds, metrics
        self._asked: list[tuple[Sequence[bytes], asyncio.Future]] = []
        self._written: dict[bytes, bytes] = {}
        self._work = asyncio.Event()
        self._task: asyncio.Task | None = None
        self._is_well, self._is_open = True, True

    async def get(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        if not self._is_well:
            return [None] * len(keys)
        answer = asyncio.get_running_loop().create_future()
        self._asked.append((keys, answer))
        self._wake()
        return await answer

    def put(self, values: Iterable[tuple[bytes, bytes]]) -> None:
        if self._is_well:
            for key, value in values:
                if len(self._written) < MOST_WAITING_WRITES:
                    self._written[key] = value
            self._wake()

    async def close(self) -> None:
        self._is_open = False  # redis-py may turn a cancellation that reaches it into an answer: the task looks here too
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._fail()
        await self._redis.aclose()

    def _wake(self) -> None:
        self._work.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._is_open:
            await self._work.wait()
            self._work.clear()
            try:
                while self._is_open and (self._asked or self._written):
                    await self._exchange()
            except Exception as error:  # noqa: BLE001 - requests wait for this task: whatever a Redis says, it must not end
                self._metrics.cache_errors.inc()
                logger.warning("the cache's Redis does not answer (%s): going on without, every answer is computed", type(error).__name__)
                self._fail()
                await self._until_well()

    async def _exchange(self) -> None:
        """Everything that is asked for, and some of what is to be written, in one round trip."""
        asked, self._asked = self._asked, []
        written = [(key, self._written.pop(key)) for key in list(self._written)[:_WRITES_AT_ONCE]]
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                async with self._redis.pipeline(transaction=False) as pipeline:
                    if asked:
                        pipeline.mget([_named(key) for keys, _ in asked for key in keys])
                    for key, value in written:
                        pipeline.set(_named(key), value, ex=self._seconds)
                    answers = await pipeline.execute(raise_on_error=False)
            failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
            if failed is not None:
                raise failed
        except BaseException:
            self._asked = asked + self._asked  # `_fail` answers them
            raise
        found = iter(answers[0] if asked else ())
        for keys, answer in asked:
            values = [next(found) for _ in keys]
            if not answer.done():  # the client may have hung up
                answer.set_result(values)

    def _fail(self) -> None:
        """Nobody waits any longer, and nobody asks until `_is_well`."""
        self._is_well = False
        asked, self._asked = self._asked, []
        self._written.clear()
        for keys, answer in asked:
            if not answer.done():
                answer.set_result([None] * len(keys))

    async def _until_well(self) -> None:
        while self._is_open and not self._is_well:
            try:
                await self._redis.connection_pool.disconnect()  # what it may still say answers nothing that will be asked
                await asyncio.sleep(REST_SECONDS)
                async with asyncio.timeout(REDIS_SECONDS):
                    await self._redis.ping()
            except (RedisError, OSError):
                continue
            logger.warning("the cache's Redis answers again")
            self._is_well = True


def _named(key: bytes) -> bytes:
    return _PREFIX + key


def make_cache(settings: ServingSettings, secret: Secret, metrics: Metrics) -> Cache | None:
    """The cache that ``settings`` want; None for none."""
    place = settings.serving_cache.get_secret_value()
    if place == "off":
        return None
    in_memory = place == "memory"
    store = InMemory(settings.serving_cache_entries) if in_memory else InRedis(place, seconds=settings.serving_cache_seconds, metrics=metrics)
    return Cache(store, secret, metrics, settings.folder / EPOCH_FILE)
