"""A rollout step by step, its tests' false alarms counted, and a real service that tries a version on some of its clients."""

from __future__ import annotations

import contextlib
import math
import random
import re
import time
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from groundswell.predictor import Predictor
from serving.app import create_app
from serving.canary import CANARY_ARM, CHAMPION_ARM, SHARES, Rollout, _counts, _place, tail
from serving.ledger import MOST_BYTES, Ledger, lines
from serving.registry import Version
from tests.serving.clock import Clock
from tests.tiny import WORDS, tiny_rows
from tests.waiting import eventually

pytestmark = pytest.mark.slow

OLD, NEW = Version("1", "run-1", "models:/m-1"), Version("2", "run-2", "models:/m-2")
TEXTS, _ = tiny_rows(4, seed=5)


@pytest.fixture
def new_rollout(tmp_path, clock):
    """Makes a rollout as a worker would, on the same folder."""

    def new() -> Rollout:
        made = Rollout(tmp_path, Ledger(tmp_path), points=50, step_seconds=60, slower=2, disagreement=0.15, clock=clock)
        made.follow(NEW, OLD)
        return made

    return new


def feed(
    rollout: Rollout, clock: Clock, count: int = 60, *, errors: int = 0, seconds: float = 0.01, disagreements: int = 0, wait: float = 65
) -> None:
    """``count`` requests of each arm, the champion's in about 10 ms, in ``wait`` seconds."""
    for place in range(count):
        rollout.observe(CHAMPION_ARM, 0.009 + 0.002 * (place % 10) / 10, is_error=False)
        rollout.observe(CANARY_ARM, seconds, is_error=place < errors)
        rollout.compared(place >= disagreements)
    for _ in range(math.ceil(wait / 5)):
        clock.seconds += 5
        rollout.settle()


def test_a_good_version_goes_all_the_way_and_is_ready(new_rollout, clock, tmp_path):
    rollout, shares = new_rollout(), []
    rollout.settle()
    for _ in SHARES:
        shares.append(rollout.report()["share"])
        feed(rollout, clock)
    assert tuple(shares) == SHARES
    assert rollout.report()["state"] == "ready"
    assert rollout.report()["share"] == 1
    events = [(event["event"], event.get("share")) for event in lines(tmp_path / "ledger.jsonl")]
    assert events == [*(("rollout step", share) for share in SHARES), ("rollout ready", None)]


def test_no_step_without_points_or_before_its_time(new_rollout, clock):
    rollout = new_rollout()
    rollout.settle()
    feed(rollout, clock, 49)
    assert rollout.report()["share"] == 0.01
    assert rollout.report()["points"] == {"errors": 49, "seconds": 49, "disagreement": 49}
    feed(rollout, clock, 1, wait=0)
    rollout.settle()
    assert rollout.report()["share"] == 0.1
    feed(rollout, clock, 60, wait=20)
    assert rollout.report()["share"] == 0.1
    assert rollout.report()["seconds_left"] == 40


BAD = {
    "errors": ({"errors": 30}, "errors: 30 of 60 requests failed"),
    "slow": ({"seconds": 0.2}, "seconds: 60 of 60 requests took more than"),
    "disagreement": ({"disagreements": 40}, "disagreement: 40 of 60 labels differ"),
}


@pytest.mark.parametrize(("faults", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_one_loses_its_share_at_once_and_stays_out(new_rollout, clock, tmp_path, faults, reason):
    rollout = new_rollout()
    rollout.settle()
    feed(rollout, clock)
    assert rollout.report()["share"] == 0.1
    feed(rollout, clock, **faults, wait=5)
    assert rollout.report()["state"] == "rolled back"
    assert rollout.report()["decision"].startswith(reason)
    assert not rollout.chooses_canary(NEW, b"anybody")
    again = new_rollout()
    again.settle()
    assert again.report()["state"] == "rolled back", "a restart does not forget"
    feed(again, clock)
    assert again.report()["share"] == 0
    again.follow(None, OLD)
    again.settle()
    again.follow(NEW, OLD)
    again.settle()
    assert again.report()["share"] == 0.01, "the alias moved: a new trial"
    assert [event["event"] for event in lines(tmp_path / "ledger.jsonl")] == [
        "rollout step",
        "rollout step",
        "rollout rolled back",
        "rollout ended",
        "rollout step",
    ]


def test_a_version_that_can_not_be_loaded_is_rolled_back_with_the_reason(new_rollout):
    rollout = new_rollout()
    rollout.settle()
    rollout.follow(NEW, OLD, "version 2 is refused: damaged")
    rollout.settle()
    assert rollout.report()["decision"] == "version 2 is refused: damaged"


def test_two_workers_count_together_and_a_third_finds_it_after_a_restart(new_rollout, clock):
    one, other = new_rollout(), new_rollout()
    one.settle()
    other.settle()
    feed(one, clock, 30, wait=30)
    feed(other, clock, 30, wait=40)
    one.settle()
    assert one.report() == other.report()
    assert one.report()["share"] == 0.1
    third = new_rollout()
    third.settle()
    assert third.report() == one.report()


def test_a_clock_that_starts_anew_or_leaps_gives_no_step_for_nothing(new_rollout, clock):
    rollout = new_rollout()
    rollout.settle()
    feed(rollout, clock, wait=0)
    for leap in (1e6, -1e6, 0, 3600):
        clock.seconds += leap
        rollout.settle()
    assert rollout.report()["share"] == 0.01


def test_a_state_that_can_not_be_read_is_no_rollout(new_rollout, tmp_path):
    (tmp_path / "rollout.json").write_text('{"state": "run')
    rollout = new_rollout()
    rollout.settle()
    assert rollout.report()["share"] == 0.01


def test_a_full_disk_leaves_the_share_where_it_was(new_rollout, clock, tmp_path, monkeypatch, caplog):
    rollout = new_rollout()
    rollout.settle()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serving.canary.write_json", full)
    feed(rollout, clock)
    assert rollout.report()["share"] == 0.01
    assert "the rollout stands still" in caplog.text


def test_clients_stay_in_the_share_as_it_grows_and_shares_are_what_they_say():
    places = [_place(NEW, f"client {number}".encode()) for number in range(20_000)]
    for share in SHARES:
        found = sum(place < share for place in places) / len(places)
        assert abs(found - share) < 5 * math.sqrt(share * (1 - share) / len(places)) + 1e-9
    others = [_place(Version("3", "", "models:/m-3"), f"client {number}".encode()) for number in range(20_000)]
    both = sum(one < 0.1 and other < 0.1 for one, other in zip(places, others, strict=True)) / len(places)
    assert both < 0.02, "another version has other clients first"


def test_the_tail_is_the_binomials():
    assert tail(0, 10, 0.3) == 1
    assert math.isclose(tail(10, 10, 0.5), 0.5**10)
    assert math.isclose(tail(3, 5, 0.2), sum(math.comb(5, hits) * 0.2**hits * 0.8 ** (5 - hits) for hits in (3, 4, 5)))
    assert tail(50, 100_000, 0.001) > 0.999


def test_a_version_within_its_bounds_is_hardly_ever_rolled_back(tmp_path, clock):
    """300 rollouts of versions that are right at the champion's quality and at half the bound of disagreement: at most a few are stopped."""
    chance, stopped = random.Random(1), 0
    for number in range(300):
        rollout = Rollout(
            tmp_path / str(number), Ledger(tmp_path), points=50, step_seconds=0, slower=2, disagreement=0.15, clock=lambda: clock.seconds
        )
        rollout.follow(NEW, OLD)
        state = rollout._next(rollout._read(), rollout._fresh, NEW, OLD, None)
        for _ in range(30):
            fresh = rollout._fresh
            for arm in (CANARY_ARM, CHAMPION_ARM):
                for _ in range(20):
                    rollout.observe(arm, chance.lognormvariate(-4.6, 0.3), is_error=chance.random() < 0.02)
            for _ in range(20):
                rollout.compared(chance.random() > 0.1)
            state = rollout._next(state, fresh, NEW, OLD, None)
            rollout._fresh = _counts()
        stopped += state["state"] == "rolled back"
    assert stopped <= 9, "3 expected at most; 9 or more has a chance of 0.4 %"


def test_the_ledger_is_bounded_and_outlives_a_torn_line(tmp_path):
    ledger = Ledger(tmp_path, most_bytes=2000)
    for number in range(100):
        ledger.write("event", number=number)
    assert sum(path.stat().st_size for path in tmp_path.glob("ledger*.jsonl")) < 4300
    assert lines(ledger.path)[-1]["number"] == 99
    with open(ledger.path, "a") as file:
        file.write('{"torn')
    ledger.write("after")
    assert lines(ledger.path)[-1]["event"] == "after"
    assert MOST_BYTES <= 8 * 1024 * 1024


# a real service, with real models


@contextlib.contextmanager
def service(settings, registry, **changes):
    changed = settings.model_copy(update={"serving_canary_points": 8, "serving_canary_step_seconds": 0, **changes})
    with TestClient(create_app(changed, registry), raise_server_exceptions=False) as client:
        eventually(lambda: client.get("/v1/model").status_code == 200)
        yield client


def ask(client: TestClient, who: str, texts: list[str] = TEXTS) -> str:
    answer = client.post("/v1/predict", json={"texts": texts}, headers={"X-Client-Id": who})
    assert answer.status_code == 200, answer.text
    return answer.json()["version"]


@pytest.mark.slow
def test_a_canary_answers_some_clients_then_all_and_always_the_same_ones(settings, registry, exports):
    registry.exports["2"] = registry.exports["1"]  # the same model as another version: it agrees
    with service(settings, registry, serving_canary_slower=1000) as client:  # times of a busy machine are not what this is about
        assert client.get("/v1/rollout").json()["state"] == "none"
        registry.others = {"canary": "2"}
        eventually(lambda: client.get("/v1/rollout").json()["state"] == "running")
        seen: dict[str, set] = {}
        deadline = time.monotonic() + 120
        while client.get("/v1/rollout").json()["state"] != "ready":
            assert time.monotonic() < deadline, client.get("/v1/rollout").json()
            for number in range(100):
                seen.setdefault(f"c{number}", set()).add(ask(client, f"c{number}"))
        assert {ask(client, f"c{number}") for number in range(100)} == {"2"}
        assert any(versions == {"1", "2"} for versions in seen.values()), "some were the champion's first"
        registry.others = {}
        eventually(lambda: ask(client, "c1") == "1")
        eventually(lambda: client.get("/v1/rollout").json()["state"] == "none")


@pytest.fixture(scope="module")
def disputed(exports) -> list[str]:
    """Texts that the two versions label differently."""
    words = [word for each in WORDS.values() for word in each]
    texts = tiny_rows(50)[0] + [f"{one} {other}" for one in words for other in ("game", "hello", "moon", "maybe")]
    one, other = (Predictor.load(exports[number]).predict(texts).argmax(axis=1) for number in ("1", "2"))
    found = [text for text, differs in zip(texts, one != other, strict=True) if differs]
    assert found, "the two must differ for this to show anything"
    return found[:4]


def test_a_canary_that_says_something_else_is_rolled_back(settings, registry, disputed):
    with service(settings, registry, serving_canary_disagreement=0.01) as client:
        registry.others = {"canary": "2"}
        eventually(lambda: client.get("/v1/rollout").json()["state"] == "running")
        clients = (f"c{number}" for number in range(100_000))

        def fed() -> bool:
            for _ in range(50):
                ask(client, next(clients), disputed)
            return client.get("/v1/rollout").json()["state"] == "rolled back"

        eventually(fed, 60)
        report = client.get("/v1/rollout").json()
        assert report["decision"].startswith("disagreement: ")
        assert {ask(client, f"d{number}") for number in range(50)} == {"1"}
    shadowed = (settings.folder / "shadow.jsonl").read_text()
    assert '"event": "disagreement"' in shadowed
    for text in disputed:
        assert text not in shadowed


def test_what_a_canary_fails_at_the_champion_answers(settings, registry):
    """A model that passes its admission and breaks later: nobody gets an error, and it is rolled back for it."""
    registry.exports["2"] = registry.exports["1"]
    with service(settings, registry) as client:
        registry.others = {"canary": "2"}
        eventually(lambda: client.get("/v1/rollout").json()["state"] == "running")
        keeper = client.app.state.service.keeper
        eventually(lambda: "canary" in keeper.beside)
        keeper.beside = {"canary": replace(keeper.beside["canary"], predictor=Broken(keeper.beside["canary"].predictor))}
        eventually(lambda: [ask(client, f"e{number}") for number in range(100)] and client.get("/v1/rollout").json()["state"] == "rolled back", 60)
        assert client.get("/v1/rollout").json()["decision"].startswith("errors: ")


class Broken:
    """A predictor whose network raises, whatever it is asked."""

    def __init__(self, whole: Predictor):
        self._whole = whole

    def __getattr__(self, name: str):
        return getattr(self._whole, name)

    def run(self, pieces):
        raise RuntimeError("broken")


def test_a_challenger_is_asked_beside_the_champion_and_disagreements_have_ids(settings, registry, disputed):
    registry.others = {"challenger": "2"}
    with service(settings, registry, serving_shadow_share=1.0) as client:
        eventually(lambda: "challenger" in client.app.state.service.keeper.beside)
        assert {ask(client, f"c{number}", [*disputed, disputed[0]]) for number in range(10)} == {"1"}, "clients never see it"
        eventually(lambda: outcomes(client).get("disagrees", 0) == 10 * (len(disputed) + 1))
        assert "agrees" not in outcomes(client)
        events = lines(settings.folder / "shadow.jsonl")
        assert len(events) == 10 * (len(disputed) + 1)
        assert events[0]["versions"] == ["1", "2"]
        answer = client.post("/v1/feedback", json={"id": events[0]["id"], "label": events[0]["labels"][1]})
        assert answer.status_code in (200, 201, 202), "the id is a prediction's"


def outcomes(client: TestClient) -> dict[str, float]:
    page = client.get("/metrics").text
    return {name: float(value) for name, value in re.findall(r'shadow_texts_total\{alias="challenger",outcome="(\w+)"\} ([\d.]+)', page)}


def test_a_share_of_nought_loads_no_challenger(settings, registry):
    registry.others = {"challenger": "2"}
    with service(settings, registry, serving_shadow_share=0.0):
        time.sleep(0.3)
    assert registry.downloads == ["1"]
