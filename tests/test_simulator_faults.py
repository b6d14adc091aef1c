"""simulator: every fault of the catalogue on the wire, chaos that can be repeated, and `groundswell simulate`."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from groundswell.collect import collect
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.simulator.drift import RECORDS, drifted
from groundswell.simulator.events import EVENTS
from groundswell.simulator.faults import CHAOS_SHARE, DRIFTS, IN_PAGE, KINDS, PASSING, REFUSALS, Plan, known
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.window import Window, parse_windows
from tests.simulated import plan_faults, platforms, settings_at

pytestmark = pytest.mark.slow

DAY = Window.parse("2026-10-19")
START, END = int(DAY.start.timestamp()), int(DAY.end.timestamp())


@pytest.fixture(scope="module")
def url():
    with platforms(slow_seconds=0.2) as address:
        yield address


def hits(url, **more):
    asked = {"query": "game", "numericFilters": f"created_at_i>={START},created_at_i<{END}", "hitsPerPage": 50}
    return httpx2.get(f"{url}/hackernews/api/v1/search_by_date", params=asked, **more)


def faulty(url, kind):
    return hits(url, headers={"x-simulator-fault": kind})


def test_every_kind_is_of_one_family():
    assert sorted(KINDS) == sorted({*PASSING, *REFUSALS, *DRIFTS, *IN_PAGE})


def test_a_connection_may_end_in_the_middle_of_an_answer(url):
    with pytest.raises(httpx2.RemoteProtocolError):
        faulty(url, "reset")
    assert hits(url).json()["hits"]


def test_an_answer_may_be_cut_and_look_whole(url):
    answer = faulty(url, "truncated")
    assert answer.status_code == 200 and len(answer.content) == int(answer.headers["content-length"])
    with pytest.raises(ValueError):
        answer.json()


def test_an_answer_may_say_that_it_is_something_else(url):
    answer = faulty(url, "wrong-type")
    assert answer.headers["content-type"].startswith("text/plain") and answer.json() == hits(url).json()


@pytest.mark.parametrize(
    ("kind", "status", "word"), [("401-expired", 401, "ExpiredToken"), ("403-quota", 403, "quotaExceeded"), ("502", 502, "html")]
)
def test_a_platform_may_refuse(url, kind, status, word):
    answer = faulty(url, kind)
    assert answer.status_code == status and word in answer.text


def test_records_may_be_gone_from_their_key(url):
    assert "hits" not in faulty(url, "missing-key").json() and faulty(url, "missing-key").json()["nbHits"] > 0


def test_a_field_may_come_in(url):
    assert all("added_in_the_next_version" in hit for hit in faulty(url, "new-field").json()["hits"])


def test_a_type_may_change(url):
    assert all(set(hit["created_at_i"]) == {"value"} for hit in faulty(url, "type-change").json()["hits"])


def test_a_record_may_be_out_of_its_time(url):
    plain, drifting = hits(url).json()["hits"], faulty(url, "out-of-window").json()["hits"]
    assert drifting[1:] == plain and drifting[0]["created_at_i"] == plain[0]["created_at_i"] - 30 * 86_400


EXAMPLES = {
    "hackernews": (1_792_000_000, 1_792_000_000 - 2_592_000),
    "steam": (1_792_000_000, 1_792_000_000 - 2_592_000),
    "bluesky": ("2026-10-19T10:00:00.250Z", "2026-09-19T10:00:00.250000Z"),
    "mastodon": ("2026-10-19T10:00:00.250Z", "2026-09-19T10:00:00.250000Z"),
    "lemmy": ("2026-10-19T10:00:00.250000Z", "2026-09-19T10:00:00.250000Z"),
    "x": ("2026-10-19T10:00:00.000Z", "2026-09-19T10:00:00.000000Z"),
    "reddit": (1_792_000_000.0, 1_792_000_000.0 - 2_592_000),
    "gdelt": ("20261019T100000Z", "20260919T100000Z"),
}


@pytest.mark.parametrize("platform", RECORDS)
def test_every_platforms_records_can_drift(platform):
    def nested(path, value):
        for key in reversed(path):
            value = {key: value}
        return value

    path, time = RECORDS[platform]
    before, moved = EXAMPLES[platform]
    body = json.dumps(nested(path, [nested(time, before), nested(time, before)])).encode()
    assert json.loads(drifted("out-of-window", platform, body)) == nested(path, [nested(time, value) for value in (moved, before, before)])
    assert json.loads(drifted("type-change", platform, body)) == nested(path, [nested(time, {"value": before})] * 2)
    assert drifted("missing-key", platform, body) != body and b'"20261019' not in drifted("missing-key", platform, body)
    assert drifted("new-field", platform, b'{"token": "t"}') == b'{"token": "t"}'


def test_who_answers_no_records_knows_no_drift(url):
    assert not set(known("rss")) & set(DRIFTS) and not set(known("annotations")) & set(DRIFTS)
    assert httpx2.put(f"{url}/faults/rss", json={"1": "new-field"}).status_code == 400
    assert httpx2.put(f"{url}/faults/nowhere", json={"1": "500"}).status_code == 404


def test_chaos_is_the_same_every_time_passes_and_leaves_plans_alone():
    def run(seed):
        plan = Plan(seed)
        return [plan.next("steam", None) for _ in range(2000)]

    assert run(7) == run(7) != run(8)
    assert {kind for kind in run(7) if kind} == set(PASSING)
    assert not any(one and other for one, other in zip(run(7), run(7)[1:], strict=False))
    assert sum(map(bool, run(7))) / 2000 == pytest.approx(CHAOS_SHARE / 2, rel=0.2)
    plan = Plan(7)
    plan.put("steam", {1: "403-quota"})
    assert [plan.next("steam", None), plan.next("x", "500")] == ["403-quota", "500"]
    assert run(None) == [None] * 2000


def test_through_chaos_the_same_posts_come(url):
    with platforms(chaos=3, slow_seconds=0) as chaotic:
        seen = []
        for _ in range(30):
            try:
                answer = hits(chaotic)
                seen.append(answer.json() if answer.status_code == 200 else answer.status_code)
            except (ValueError, httpx2.TransportError) as error:
                seen.append(type(error).__name__)
        assert httpx2.get(f"{chaotic}/faults").json()["chaos"] == 3
    whole = hits(url).json()
    assert 15 < sum(answer == whole for answer in seen) < 30


@pytest.mark.slow
def test_what_is_collected_through_chaos_is_what_is_there(tmp_path):
    windows, found = parse_windows("2026-10-19..2026-10-30"), {}
    for name, seed in (("calm", None), ("chaos", 4)):
        with platforms(chaos=seed, slow_seconds=0, hackernews_per_day=40) as address:
            settings = settings_at(address, tmp_path / name)
            now = datetime(2026, 11, 20, tzinfo=UTC)
            topic = Topic(hackernews=HackerNewsTopic(query="game"))
            report = collect("hackernews", "games", topic, windows, settings=settings, params=CollectParams(), now=now)
        lake = Lake(settings.lake)
        found[name] = {partition.key: lake.describe(partition)["content_sha256"] for partition in lake.partitions("raw")}, report["retries"]
    assert found["calm"][0] == found["chaos"][0] and len(found["calm"][0]) == 12
    assert (found["calm"][1], found["chaos"][1] > 0) == (0, True)


@pytest.fixture
def simulated():
    """`groundswell simulate` with options, as a process; it is ended."""
    started = []

    def start(*options):
        command = [sys.executable, "-m", "groundswell.cli", "simulate", "--port", "0", *options]
        started.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_simulate_serves_and_says_what_to_set(simulated):
    process = simulated("--seed", "5", "--chaos", "9", "--now", "2026-10-19T12:00:00Z")
    lines = dict(process.stdout.readline().removeprefix("export ").strip().split("=", 1) for _ in range(3))
    url = lines["GROUNDSWELL_HACKERNEWS_URL"].removesuffix("/hackernews")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url) and lines["GROUNDSWELL_STEAM_URL"] == f"{url}/steam"
    with httpx2.Client(transport=httpx2.HTTPTransport(retries=5)) as client:
        assert client.get(f"{url}/healthz").json() == {"status": "ok", "seed": 5}
        assert client.get(f"{url}/now").json() == {"now": "2026-10-19T12:00:00Z"} and client.get(f"{url}/faults").json()["chaos"] == 9
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (0, -signal.SIGTERM)
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(("option", "value", "told"), [("--now", "yesterday", "the simulator's now"), ("--port", "70000", "the simulator's port")])
def test_a_wrong_option_is_wrong_use(option, value, told):
    done = subprocess.run([sys.executable, "-m", "groundswell.cli", "simulate", option, value], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr


def test_a_plan_by_number(url):
    plan_faults(url, "hackernews", {2: "slow", 3: "500"})
    assert [hits(url).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_the_page_lists_every_fault_event_and_setting():
    page = (Path(__file__).parent.parent / "docs" / "simulator.md").read_text()
    assert not [kind for kind in KINDS if f"`{kind}`" not in page]
    assert not [event for event in EVENTS if f"| {event.topic} | {event.day} | {event.cause} | {event.mood} | × {event.surge:g} |" not in page]
    spoken = {"seed", "now", "port", "chaos", "events", "late_share", "edited_share", "deleted_share", "queries"}
    assert not [name for name in spoken if name.upper() not in page and name not in page]
