"""The cache: the same bits as computed ones, nothing shared that must not be, and a real Redis that is killed, stalled, flushed and spoilt."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import tracemalloc

import numpy as np
import pytest
import redis
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from groundswell.predictor import Predictor
from serving import cache
from serving.app import create_app
from serving.cache import EPOCH_FILE, MOST_WAITING_WRITES, Cache, InMemory, InRedis, make_cache
from serving.config import ServingSettings
from serving.loading import load_model
from serving.messages import LABELS
from serving.metrics import Metrics
from serving.secret import Secret
from tests.serving.clock import Clock
from tests.serving.servers import free_port, start_serving
from tests.serving.test_serving_app import wait_until
from tests.tiny import tiny_rows

pytestmark = pytest.mark.slow

TEXTS, _ = tiny_rows(12, seed=5)
SECRET = Secret(b"an invented secret of the tests, 32 bytes")


@pytest.fixture(scope="module")
def model(exports, tmp_path_factory):
    from serving.registry import Version

    return load_model(exports["1"], Version("1", "run-1", "models:/m-1"), name="groundswell-sentiment-games", topic="games")


@pytest.fixture(scope="module")
def offline(exports):
    return Predictor.load(exports["1"]).predict(TEXTS)


class Computing:
    """What a cache calls for what it does not have: the real predictor, and a note of what it was asked."""

    def __init__(self):
        self.asked: list[str] = []

    async def __call__(self, model, texts):
        self.asked += texts
        return model.predictor.predict(texts)


def in_memory(entries: int = 1000, secret: Secret = SECRET) -> tuple[Cache, Metrics]:
    metrics = Metrics()
    return Cache(InMemory(entries), secret, metrics), metrics


def value(metrics: Metrics, name: str) -> float:
    return metrics.registry.get_sample_value(f"groundswell_serving_{name}_total") or 0


@pytest.mark.slow
def test_what_is_remembered_is_what_was_computed_to_the_last_bit(model, offline):
    async def story():
        remembered, metrics = in_memory()
        compute = Computing()
        asked = [TEXTS[0], TEXTS[1], TEXTS[0]]
        first = await remembered.through(model, asked, compute)
        assert len(compute.asked) == 2, "a text that comes twice in a request is computed once"
        again = await remembered.through(model, TEXTS[::-1], compute)
        assert len(compute.asked) == len(TEXTS)
        assert np.array_equal(first, offline[[0, 1, 0]])
        assert np.array_equal(again, offline[::-1])
        assert again.dtype == np.float32
        assert (value(metrics, "cache_hits"), value(metrics, "cache_misses")) == (1 + 2, 2 + len(TEXTS) - 2)

    asyncio.run(story())


def test_texts_that_are_normalised_alike_are_one(model):
    async def story():
        remembered, _ = in_memory()
        compute = Computing()
        rows = await remembered.through(model, ["great  game", " great game\n", "great &#103;ame", "great\ud800game"], compute)
        assert len(compute.asked) == 1
        assert (rows == rows[0]).all()

    asyncio.run(story())


def test_nothing_is_shared_between_models_and_secrets(model):
    async def story():
        store, compute = InMemory(1000), Computing()
        remembered = Cache(store, SECRET, Metrics())
        other_version = dataclasses.replace(model, version=dataclasses.replace(model.version, version="2"))
        other_registry = dataclasses.replace(model, digest="0" * 64)
        for each in (model, other_version, other_registry):
            await remembered.through(each, TEXTS[:1], compute)
        await Cache(store, Secret(b"another secret, of somebody else's"), Metrics()).through(model, TEXTS[:1], compute)
        assert len(compute.asked) == 4

    asyncio.run(story())


def test_the_least_recently_asked_for_goes_first(model):
    async def story():
        remembered, _ = in_memory(entries=2)
        compute = Computing()
        for number in (0, 1, 0, 2, 0, 1):
            await remembered.through(model, [TEXTS[number]], compute)
        assert compute.asked == [TEXTS[0], TEXTS[1], TEXTS[2], TEXTS[1]]

    asyncio.run(story())


def test_an_entry_costs_as_much_memory_as_the_page_says():
    async def story():
        store = InMemory(20_000)
        gc.collect()
        tracemalloc.start()
        try:
            for start in range(0, 60_000, 1000):
                store.put((number.to_bytes(16), bytes(bytearray(12))) for number in range(start, start + 1000))
            return tracemalloc.get_traced_memory()[0] / 20_000
        finally:
            tracemalloc.stop()

    assert 100 < asyncio.run(story()) < 350


def test_what_failed_or_is_no_number_is_not_remembered(model):
    async def failing(model, texts):
        raise OverflowError

    async def nan(model, texts):
        rows = model.predictor.predict(texts)
        rows[0] = np.nan
        return rows

    async def story():
        remembered, _ = in_memory()
        with pytest.raises(OverflowError):
            await remembered.through(model, TEXTS[:2], failing)
        assert np.isnan((await remembered.through(model, TEXTS[:2], nan))[0]).all()
        compute = Computing()
        assert np.isfinite(await remembered.through(model, TEXTS[:2], compute)).all()
        assert compute.asked == TEXTS[:1]

    asyncio.run(story())


def test_after_an_erasure_nothing_of_before_is_found_in_any_worker(model, tmp_path):
    async def story():
        clock, epoch, store = Clock(), tmp_path / EPOCH_FILE, InMemory(1000)
        workers = [Cache(store, SECRET, Metrics(), epoch, clock) for _ in range(2)]
        await workers[0].through(model, TEXTS[:2], Computing())
        epoch.write_text("another")
        clock.seconds += 1
        for worker, asked in zip(workers, (TEXTS[:2], []), strict=True):
            compute = Computing()
            await worker.through(model, TEXTS[:2], compute)
            assert compute.asked == asked, "each worker looks for itself, and they share what comes after"
        restarted, compute = Cache(store, SECRET, Metrics(), epoch, clock), Computing()
        await restarted.through(model, TEXTS[:2], compute)
        assert compute.asked == []

    asyncio.run(story())


def test_while_the_epoch_cannot_be_read_nothing_of_before_an_erasure_is_found(model, tmp_path):
    async def story():
        clock, epoch, store = Clock(), tmp_path / EPOCH_FILE, InMemory(1000)
        await Cache(store, SECRET, Metrics(), epoch, clock).through(model, TEXTS[:2], Computing())
        epoch.mkdir()  # reading it raises an OSError that is no FileNotFoundError, as a disk that fails would
        worker, compute = Cache(store, SECRET, Metrics(), epoch, clock), Computing()
        await worker.through(model, TEXTS[:2], compute)
        assert compute.asked == TEXTS[:2]
        epoch.rmdir()
        epoch.write_bytes(b"\xff\xfe")
        clock.seconds += 1
        compute = Computing()
        await worker.through(model, TEXTS[:2], compute)
        assert compute.asked == TEXTS[:2]

    asyncio.run(story())


def test_through_http_a_text_is_computed_once_a_version_and_never_answered_by_another(settings, registry, exports):
    settings = settings.model_copy(update={"serving_cache": ServingSettings(topic="games", serving_cache="memory").serving_cache})
    with TestClient(create_app(settings, registry)) as client:
        wait_until(lambda: client.get("/v1/model").status_code == 200)
        for number in ("1", "2", "1"):
            registry.alias = number
            wait_until(lambda number=number: client.get("/v1/model").json()["version"] == number)
            expected = Predictor.load(exports[number]).predict(TEXTS)
            for _ in range(2):
                body = client.post("/v1/predict", json={"texts": TEXTS}).json()
                assert body["version"] == number
                found = [[each["probabilities"][label] for label in LABELS] for each in body["predictions"]]
                assert np.array_equal(np.array(found, dtype=np.float32), expected)
        metrics = client.app.state.service.metrics
        assert value(metrics, "cache_misses") == 2 * len(TEXTS)
        assert value(metrics, "cache_hits") == 4 * len(TEXTS)


def test_off_is_off(settings):
    assert make_cache(settings, SECRET, Metrics()) is None


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"serving_cache": "memcached://somewhere"}, "memory, off, or"),
        ({"serving_cache": "redis://:hunter2@127.0.0.1/0"}, "set GROUNDSWELL_SERVING_SECRET"),
        ({"serving_secret": "hunter2"}, "32 characters"),
    ],
)
def test_settings_that_can_not_be(wrong, expected):
    with pytest.raises(ValidationError, match=expected) as raised:
        ServingSettings(topic="games", **wrong)
    assert "hunter2" not in str(raised.value.errors(include_input=False))


# --- with a real Redis


class RedisServer:
    """A redis-server of the test's own, in memory only."""

    def __init__(self):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, socket_timeout=10)
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, 60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return self.client.ping()
        return False


@pytest.fixture
def server():
    if not shutil.which("redis-server"):
        pytest.skip("NO CACHE IN A REDIS WAS TRIED: redis-server is not here (Debian: apt-get install redis-server)")
    server = RedisServer()
    yield server
    server.client.close()
    server.kill()


@pytest.fixture
def patient(monkeypatch):
    """A Redis on a busy machine may take its time; how short ours is with it is not what these tests are about."""
    monkeypatch.setattr(cache, "REDIS_SECONDS", 10)
    monkeypatch.setattr(cache, "REST_SECONDS", 0.05)


@contextlib.asynccontextmanager
async def in_redis(url: str, secret: Secret = SECRET):
    metrics = Metrics()
    store = InRedis(url, seconds=1000, metrics=metrics)
    remembered = Cache(store, secret, metrics)
    try:
        yield remembered, metrics
    finally:
        await remembered.close()


async def settled(server: RedisServer, rows: int) -> None:
    """Writes are not waited for by requests: here they are."""
    deadline = time.monotonic() + 30
    while server.client.dbsize() != rows:
        assert time.monotonic() < deadline, server.client.dbsize()
        await asyncio.sleep(0.01)


@pytest.mark.slow
def test_replicas_share_answers_to_the_last_bit(server, patient, model, offline):
    async def story():
        async with (
            in_redis(server.url) as (one, _),
            in_redis(server.url) as (other, metrics),
            in_redis(server.url, Secret(b"o" * 32)) as (stranger, _),
        ):
            await one.through(model, TEXTS, Computing())
            await settled(server, len(set(TEXTS)))
            compute = Computing()
            assert np.array_equal(await other.through(model, TEXTS, compute), offline)
            assert compute.asked == []
            assert value(metrics, "cache_hits") == len(TEXTS)
            await stranger.through(model, TEXTS[:1], compute)
            assert compute.asked == TEXTS[:1]

    asyncio.run(story())
    keys = server.client.keys()
    for key in keys:
        assert len(key) == len(b"groundswell:") + 16
        assert len(server.client.get(key)) == 12
        assert 0 < server.client.ttl(key) <= 1000
    kept = b"".join(keys) + b"".join(server.client.mget(keys))
    assert not any(word.encode() in kept for text in TEXTS for word in text.split() if len(word) > 3)


@pytest.mark.slow
def test_many_at_once_with_some_that_hang_up(server, patient, model, offline):
    async def story():
        async with in_redis(server.url) as (remembered, _):
            compute = Computing()
            for _ in range(3):
                asking = [asyncio.create_task(remembered.through(model, [TEXTS[number % len(TEXTS)]], compute)) for number in range(60)]
                await asyncio.sleep(0)
                for number in range(0, 60, 7):
                    asking[number].cancel()
                for number, answer in enumerate(await asyncio.gather(*asking, return_exceptions=True)):
                    assert isinstance(answer, asyncio.CancelledError) == (number % 7 == 0)
                    assert number % 7 == 0 or np.array_equal(answer[0], offline[number % len(TEXTS)])
            await settled(server, len(set(TEXTS)))

    asyncio.run(story())


@pytest.mark.slow
def test_a_redis_that_is_killed_flushed_and_comes_back(server, patient, model, offline):
    async def story():
        async with in_redis(server.url) as (remembered, metrics):

            async def ask() -> Computing:
                compute = Computing()
                assert np.array_equal(await remembered.through(model, TEXTS, compute), offline)
                return compute

            await ask()
            await settled(server, len(set(TEXTS)))
            assert (await ask()).asked == []
            server.client.flushall()
            assert set((await ask()).asked) == set(TEXTS)
            server.kill()
            for _ in range(5):
                assert set((await ask()).asked) == set(TEXTS)
            assert value(metrics, "cache_errors") == 1, "it was found gone once, and then left alone"
            server.start()
            deadline = time.monotonic() + 30
            while (await ask()).asked:
                assert time.monotonic() < deadline, "was not taken up again"
                await asyncio.sleep(0.05)

    asyncio.run(story())


@pytest.mark.slow
@pytest.mark.parametrize("rubbish", [b"", b"short", b"\xff" * 12, np.full(3, 0.5, np.float32).tobytes(), b"x" * 5000], ids=range(5))
def test_what_is_no_answer_is_computed(server, patient, model, offline, rubbish):
    async def story():
        async with in_redis(server.url) as (remembered, _):
            await remembered.through(model, TEXTS, Computing())
            await settled(server, len(set(TEXTS)))
            first, *others = server.client.keys()
            server.client.delete(first)
            server.client.lpush(first, rubbish)
            for key in others:
                server.client.set(key, rubbish)
            compute = Computing()
            assert np.array_equal(await remembered.through(model, TEXTS, compute), offline)
            assert set(compute.asked) == set(TEXTS)

    asyncio.run(story())


@pytest.mark.slow
def test_a_redis_that_is_full_changes_no_answer(server, patient, model, offline):
    async def story():
        async with in_redis(server.url) as (remembered, metrics):
            server.client.config_set("maxmemory", 1)
            for _ in range(3):
                assert np.array_equal(await remembered.through(model, TEXTS, Computing()), offline)
                await asyncio.sleep(0.1)
            assert value(metrics, "cache_errors") >= 1

    asyncio.run(story())


@pytest.mark.slow
def test_what_is_on_its_way_is_bounded(server, patient):
    async def story():
        store = InRedis(server.url, seconds=1000, metrics=Metrics())
        store.put((number.to_bytes(16), bytes(12)) for number in range(3 * MOST_WAITING_WRITES))  # the loop has not had its turn yet
        await settled(server, MOST_WAITING_WRITES)
        await store.close()

    asyncio.run(story())


@pytest.mark.slow
@pytest.mark.parametrize("turns", range(16))
def test_it_ends_whatever_the_redis_is_being_told(server, patient, turns):
    """Once redis-py answered a cancellation with an error of its own, and whoever closed the cache waited for ever."""

    async def story():
        store = InRedis(server.url, seconds=1000, metrics=Metrics())
        store.put((number.to_bytes(16), bytes(12)) for number in range(128))
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await store.close()

    asyncio.run(story())


class Stalling:
    """A TCP proxy before a Redis that, while ``is_stalled``, takes bytes and passes none on."""

    def __init__(self, port: int):
        self.is_stalled, self._to = threading.Event(), port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                self.connections += 1
                there = socket.create_connection(("127.0.0.1", self._to))
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError), one, other:
            while content := one.recv(65536):
                while self.is_stalled.is_set():
                    time.sleep(0.01)
                other.sendall(content)


@pytest.mark.slow
def test_a_redis_that_stalls_costs_one_short_wait(server, monkeypatch, model, offline):
    monkeypatch.setattr(cache, "REST_SECONDS", 3600)
    proxy = Stalling(server.port)

    async def story():
        async with in_redis(proxy.url) as (remembered, metrics):
            proxy.is_stalled.set()
            started = time.monotonic()
            for _ in range(20):
                assert np.array_equal(await remembered.through(model, TEXTS, Computing()), offline)
            assert time.monotonic() - started < 20 * 1.0, "each waited for it"
            assert value(metrics, "cache_errors") == 1
            assert proxy.connections == 1

    try:
        asyncio.run(story())
    finally:
        proxy.is_stalled.clear()
        proxy.close()


@pytest.mark.slow
def test_a_serving_process_outlives_its_redis(server, answering, tmp_path):
    """The real process: its answers are the same with a Redis, without one, and with one again."""
    import httpx2

    settings = {"serving_cache": server.url, "serving_secret": "s" * 32}
    serving = start_serving(tmp_path, answering.mlflow_url, **settings).wait(120, "/readyz")

    def ask() -> list:
        answer = httpx2.post(f"{serving.url}/v1/predict", json={"texts": TEXTS}, timeout=30)
        assert answer.status_code == 200, answer.text
        return [each["probabilities"] for each in answer.json()["predictions"]]

    def counted(name: str) -> float:
        page = httpx2.get(f"{serving.url}/metrics", timeout=30).text
        return sum(each.value for family in text_string_to_metric_families(page) for each in family.samples if each.name.endswith(f"{name}_total"))

    def hits_at_last() -> bool:
        before = counted("cache_hits")
        assert ask() == expected
        return counted("cache_hits") > before

    try:
        expected = ask()
        wait_until(hits_at_last, 60)
        server.kill()
        for _ in range(20):
            assert ask() == expected
        assert counted("cache_errors") >= 1
        assert counted("cache_misses") >= len(TEXTS)
        server.start()
        wait_until(hits_at_last, 60)
        os.kill(server.process.pid, signal.SIGSTOP)  # alive, connected, silent
        for _ in range(20):
            assert ask() == expected
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.process.pid, signal.SIGCONT)
        assert serving.stop() == 0
