"""Many requests' texts computed together: who shares a batch, who is refused, who fails, and that nobody's answer changes."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from groundswell.predictor import TOKENS_PER_BATCH, Predictor
from serving.pool import Busy, Late, Pool, PredictionFailed
from tests.tiny import tiny_rows

POISON = "wonderful wonderful wonderful poison"


class Watched(Predictor):
    """The real predictor; notes its batches, waits to be let go on, and can't read `POISON`."""

    def watch(self):
        self.batches, self.gate, self.started = [], threading.Event(), threading.Event()
        self.on_the_loop, self.meanwhile = [], lambda: None
        self.gate.set()
        self.poison = self.encode([POISON])[0].ids
        return self

    def run(self, pieces, *, is_alone=False):
        self.started.set()
        assert self.gate.wait(20)
        self.batches.append(pieces)
        self.on_the_loop.append((threading.current_thread() is threading.main_thread(), is_alone))
        self.meanwhile()
        if self.poison in pieces:
            raise RuntimeError("poison")
        return super().run(pieces, is_alone=is_alone)


@pytest.fixture
def model(exports):
    """As much of a `LoadedModel` as the pool looks at."""
    return SimpleNamespace(predictor=Watched.load(exports["1"]).watch())


@pytest.fixture
def make_pool():
    pools = []

    def make(**options) -> Pool:
        pools.append(Pool(**{"threads": 1, "max_waiting_tokens": 100_000, "deadline_seconds": 60, **options}))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


async def under_way(pool: Pool, model, texts, requests: int) -> list[asyncio.Task]:
    """Requests of ``texts`` that wait behind one that is being computed: nothing goes on before the gate opens."""
    model.predictor.gate.clear()
    tasks = [asyncio.create_task(pool.predict(model, ["first"]))]
    while not model.predictor.started.is_set():
        await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(pool.predict(model, texts[number::requests])) for number in range(requests)]
    while pool.waiting_texts < 1 + len(texts):
        await asyncio.sleep(0.001)
    return tasks


async def ask(pool: Pool, model, text: str = "great game") -> np.ndarray:
    """As a client that sends its next text when it has read the answer to its last."""
    answer = await pool.predict(model, [text])
    await asyncio.sleep(0.002)
    return answer


def test_what_waits_is_computed_together_and_answered_as_alone(model, make_pool):
    texts = [text + " and so on" * (number % 3) for number, text in enumerate(tiny_rows(120, seed=4)[0])]
    expected = model.predictor.predict(texts)
    model.predictor.batches.clear()

    async def run():
        pool = make_pool(threads=2)
        tasks = await under_way(pool, model, texts, requests=12)
        model.predictor.gate.set()
        answers = await asyncio.gather(*tasks)
        assert (pool.waiting_texts, pool.waiting_tokens) == (0, 0)
        return answers[1:]

    answers = asyncio.run(run())
    for number, answer in enumerate(answers):
        assert np.array_equal(answer, expected[number::12])
    widths = [{model.predictor.width(len(ids)) for ids in batch} for batch in model.predictor.batches]
    assert all(len(each) == 1 for each in widths), "a batch has one width"
    assert max(len(batch) * width for batch, (width,) in zip(model.predictor.batches, widths, strict=True)) <= TOKENS_PER_BATCH
    assert len(model.predictor.batches) < 30, "121 texts of a few widths"


def test_every_width_has_its_turn(model, make_pool):
    short, long = ["great"] * 400, ["great game " * 9] * 3

    async def run():
        pool = make_pool()
        tasks = await under_way(pool, model, short, requests=4)
        last = asyncio.create_task(pool.predict(model, long))
        await asyncio.sleep(0.01)
        model.predictor.gate.set()
        await asyncio.gather(*tasks, last)

    asyncio.run(run())
    lengths = [len(batch[0]) for batch in model.predictor.batches]
    assert lengths.index(max(lengths)) < len(lengths) - 1, "the last to come, of another width, was not the last to be computed"


def test_a_text_that_can_not_be_read_fails_alone(model, make_pool):
    fine = [f"{word} game and so" for word in ("great", "awful", "boring", "happy")]
    assert len({model.predictor.width(len(each.ids)) for each in model.predictor.encode([*fine, POISON])}) == 1, "one batch"

    async def run():
        pool = make_pool()
        await under_way(pool, model, [], requests=0)
        tasks = [asyncio.create_task(pool.predict(model, texts)) for texts in ([fine[0], fine[1]], [fine[2], POISON], [fine[3]])]
        await asyncio.sleep(0.05)
        model.predictor.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert np.array_equal(np.concatenate([first, third]), model.predictor.predict([fine[0], fine[1], fine[3]]))
    assert isinstance(second, PredictionFailed) and str(second) == "RuntimeError"


def test_an_answer_that_is_no_number_is_a_failure(model, make_pool, monkeypatch):
    monkeypatch.setattr(Watched, "probabilities", lambda self, logits: np.full_like(logits, np.nan))
    with pytest.raises(PredictionFailed, match="no number"):
        asyncio.run(make_pool().predict(model, ["great"]))


def test_a_text_that_can_not_be_tokenised_is_a_failure(model, make_pool, monkeypatch):
    monkeypatch.setattr(Watched, "encode", lambda self, texts: 1 / 0)
    with pytest.raises(PredictionFailed, match="ZeroDivisionError"):
        asyncio.run(make_pool().predict(model, ["great"]))


def test_who_hung_up_is_not_computed_for_and_harms_nobody(model, make_pool):
    texts = ["great game", "awful game"]

    async def run():
        pool = make_pool()
        first, gone, stays = await under_way(pool, model, texts, requests=2)
        gone.cancel()
        await asyncio.sleep(0)
        model.predictor.gate.set()
        answer = await stays
        await first
        while pool.waiting_texts:
            await asyncio.sleep(0.001)
        return answer

    answer = asyncio.run(run())
    computed = Counter(tuple(ids) for batch in model.predictor.batches for ids in batch)
    hung_up, stayed = (tuple(each.ids) for each in model.predictor.encode(texts))
    assert (computed[hung_up], computed[stayed]) == (0, 1)
    assert np.array_equal(answer, model.predictor.predict(texts[1:]))


def test_a_lone_client_is_answered_where_it_asks_and_by_all_cores(model, make_pool):
    async def run():
        pool = make_pool(threads=2)
        answers = [await ask(pool, model) for _ in range(40)]
        two = await pool.predict(model, ["great game", "awful game"])
        return answers, two

    answers, two = asyncio.run(run())
    expected = model.predictor.predict(["great game", "awful game"])
    assert all(np.array_equal(answer, expected[:1]) for answer in answers) and np.array_equal(two, expected)
    assert model.predictor.on_the_loop[:15] == [(False, False)] * 15 and model.predictor.on_the_loop[15:40] == [(True, True)] * 25
    assert (False, False) in model.predictor.on_the_loop[40:], "several texts are shared out"


def test_a_lone_text_that_fails_fails_as_any_other(model, make_pool, monkeypatch):
    async def run():
        pool = make_pool()
        for _ in range(20):
            await ask(pool, model)
        with pytest.raises(PredictionFailed, match="RuntimeError"):
            await pool.predict(model, [POISON])
        await asyncio.sleep(0.002)
        with monkeypatch.context() as patch:
            patch.setattr(Watched, "encode", lambda self, texts: 1 / 0)
            with pytest.raises(PredictionFailed, match="ZeroDivisionError"):
                await pool.predict(model, ["great game"])
        await asyncio.sleep(0.002)
        assert (await pool.predict(model, ["great game"])).shape == (1, 3)
        assert model.predictor.on_the_loop[-1] == (True, True)

    asyncio.run(run())


def test_who_meets_another_is_no_lone_client(model, make_pool):
    """The other's bytes come while the event loop computes, as they would from a socket."""
    ours, theirs = socket.socketpair()

    async def run():
        pool, loop, others = make_pool(threads=2), asyncio.get_running_loop(), []
        loop.add_reader(theirs, lambda: (theirs.recv(1), others.append(loop.create_task(pool.predict(model, ["awful game"])))))
        for _ in range(20):
            await ask(pool, model)
        assert model.predictor.on_the_loop[-1] == (True, True)
        model.predictor.meanwhile = lambda: ours.send(b".") if len(model.predictor.batches) % 2 else None
        for _ in range(10):
            await ask(pool, model)
            await asyncio.gather(*others)
        assert len(others) == 10 and model.predictor.on_the_loop[-2:] == [(False, False)] * 2
        model.predictor.meanwhile = lambda: None
        await ask(pool, model)
        assert model.predictor.on_the_loop[-1] == (False, False), "and is none for a while"
        loop.remove_reader(theirs)

    with ours, theirs:
        asyncio.run(run())


def test_past_the_bound_of_tokens_is_busy_and_the_bound_counts_length(model, make_pool):
    async def run():
        pool = make_pool(max_waiting_tokens=100)
        tasks = await under_way(pool, model, ["great " * 50], requests=1)  # 78 tokens by its characters, and 4 for the first
        with pytest.raises(Busy):
            await pool.predict(model, ["awful " * 20])
        probe = asyncio.create_task(pool.probe(model, ["is anybody there"]))
        small = asyncio.create_task(pool.predict(model, ["fine"]))
        await asyncio.sleep(0.01)
        assert not small.done()
        model.predictor.gate.set()
        await asyncio.gather(small, probe, *tasks)

    asyncio.run(run())


def test_what_waited_too_long_is_late_and_not_computed(model, make_pool):
    async def run():
        pool = make_pool(deadline_seconds=0.2)
        first, second = await under_way(pool, model, ["great"], requests=1)
        await asyncio.sleep(0.3)
        model.predictor.gate.set()
        with pytest.raises(Late):
            await second
        assert (await first).shape == (1, 3), "what was begun in time is answered"
        assert len(model.predictor.batches) == 1
        assert (await pool.predict(model, ["great"])).shape == (1, 3)

    asyncio.run(run())


def test_closing_waits_for_what_was_admitted(model, make_pool):
    async def run():
        pool = make_pool()
        tasks = await under_way(pool, model, ["great", "awful"], requests=2)
        closing = asyncio.create_task(asyncio.to_thread(pool.close))
        await asyncio.sleep(0.05)
        assert not closing.done()
        model.predictor.gate.set()
        await closing
        return await asyncio.gather(*tasks)

    assert [answer.shape for answer in asyncio.run(run())] == [(1, 3)] * 3


def test_batches_are_heard_of(model, make_pool):
    heard = []
    pool = make_pool(observe=lambda texts, seconds: heard.append((texts, seconds)))
    began = time.perf_counter()
    asyncio.run(pool.predict(model, ["great"] * 3))
    assert heard[0][0] == 3 and 0 < heard[0][1] <= time.perf_counter() - began
