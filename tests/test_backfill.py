"""A backfill's plan: what is needed, from what it is estimated, what it refuses; and what Airflow is asked for."""

from datetime import UTC, datetime

import httpx2
import pyarrow as pa
import pytest

from groundswell.airflow_api import Airflow
from groundswell.backfill import plan, ranges, show, start
from groundswell.budget import Budget
from groundswell.collect import collect
from groundswell.errors import StackError, UnknownName, UsageError, WindowError
from groundswell.lake import Lake
from groundswell.params import CollectParams, Params, Topic
from groundswell.schema import POST
from groundswell.settings import Settings
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.sources.reddit import RedditTopic
from groundswell.sources.rss import RssTopic
from groundswell.sources.steam import SteamTopic
from groundswell.sources.x import XTopic
from groundswell.window import Window, parse_windows
from tests.simulated import platforms, settings_at

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAYS = parse_windows("2026-10-01..2026-10-10")
ANY = pa.schema([field.with_nullable(True) for field in POST])
TOPIC = Topic(
    hackernews=HackerNewsTopic(query="game"),
    steam=SteamTopic(app_ids=[730]),
    x=XTopic(query="game", access="archive", seconds_apart=0),
    reddit=RedditTopic(subreddits=["games"]),
    rss=RssTopic(feeds=["http://news.test/feed"]),
)
PARAMS = Params(topic="games", topics={"games": TOPIC})


@pytest.fixture
def settings(tmp_path):
    return Settings(project=tmp_path, home=tmp_path)


def put(settings, source, counts, status="complete"):
    """Days in the lake, with so many posts each."""
    lake = Lake(settings.lake)
    for day, count in counts.items():
        rows = [dict.fromkeys(POST.names) | {"post_id": str(number)} for number in range(count)]
        lake.write(lake.partition("raw", source, "games", Window.parse(day)), pa.Table.from_pylist(rows, ANY), {"status": status})


def planned(settings, source, windows=DAYS, **options):
    return plan(source, "games", windows, settings=settings, params=PARAMS, now=NOW, **options)


def test_what_is_there_is_not_needed_unless_asked_for_again(settings):
    put(settings, "steam", {"2026-10-03": 10, "2026-10-04": 30})
    found = planned(settings, "steam")
    assert (found["windows"], found["there"], len(found["needed"])) == (10, 2, 8)
    assert found["ranges"] == ["2026-10-01..2026-10-02", "2026-10-05..2026-10-10"]
    assert found["basis"] == "2 windows in the lake, 2026-10-03 … 2026-10-04: 20 posts on average, 30 at most"
    assert (found["posts"], found["usd"]) == ({"expected": 160, "most": 240}, {"expected": 0.0, "most": 0.0})
    assert (found["requests"], found["minutes"]) == (8, 0.3)
    assert len(planned(settings, "steam", again=True)["needed"]) == 10
    put(settings, "steam", dict.fromkeys([window.key for window in DAYS], 1))
    assert planned(settings, "steam")["needed"] == []


def test_a_window_that_was_read_in_part_only_is_needed(settings):
    put(settings, "reddit", {"2026-10-03": 10})
    put(settings, "reddit", {"2026-10-04": 30}, status="open")
    found = planned(settings, "reddit")
    assert (found["there"], found["ranges"]) == (1, ["2026-10-01..2026-10-02", "2026-10-04..2026-10-10"])


def test_every_app_community_and_tag_is_a_query_with_pages_of_its_own(settings):
    put(settings, "steam", {f"2026-09-{day}": 300 for day in range(20, 30)})
    one = planned(settings, "steam")["requests"]
    topic = TOPIC.model_copy(update={"steam": SteamTopic(app_ids=[730, 570, 440, 10, 20, 30])})
    params = Params(topic="games", topics={"games": topic})
    assert one == 10 * 3
    assert plan("steam", "games", DAYS, settings=settings, params=params, now=NOW)["requests"] == 10 * 6, "few posts an app: a page each"


def test_money_is_estimated_at_most_and_a_budget_is_hard(settings):
    put(settings, "x", {f"2026-09-{day}": 100 * (1 + day % 2) for day in range(20, 30)})
    found = planned(settings, "x", budget=11)
    assert found["usd"] == {"expected": 7.5, "most": 10.0}
    assert found["minutes"] > 0
    with pytest.raises(UsageError, match=r"may cost \$10.00 \(expected \$7.50, by 10 windows in the lake.*over the budget of \$9.99"):
        planned(settings, "x", budget=9.99)


def test_a_paid_source_of_which_nothing_is_known_is_no_guess(settings):
    found = planned(settings, "x")
    assert (found["posts"], found["usd"]) == (None, None)
    said = []
    show(found, said.append)
    assert "collect one first" in said[-1]
    with pytest.raises(UsageError, match="nothing says how many"):
        planned(settings, "x", budget=100)


@pytest.mark.parametrize(
    ("source", "windows", "message"),
    [
        ("steam", "2026-11-18..2026-11-20", "can't be had yet from steam: the last one that can is 2026-11-19"),
        ("rss", "2026-10-01..2026-10-02", "latest posts only"),
        ("steem", "2026-10-01", "did you mean 'steam'"),
    ],
)
def test_what_cant_be_had_is_refused_with_what_can(settings, source, windows, message):
    with pytest.raises((WindowError, UnknownName), match=message):
        planned(settings, source, parse_windows(windows))


def test_beyond_the_look_back_the_first_day_that_can_be_had_is_named(settings):
    recent = Params(topic="games", topics={"games": Topic(x=XTopic(query="game"))})
    with pytest.raises(WindowError, match="2026-11-10 is gone: x looks back 7 days; the first one that can be had is 2026-11-14"):
        plan("x", "games", parse_windows("2026-11-10..2026-11-15"), settings=settings, params=recent, now=NOW)
    assert plan("x", "games", parse_windows("2026-11-14..2026-11-15"), settings=settings, params=recent, now=NOW)["windows"] == 2


def test_a_walk_back_reads_everything_since_and_its_end_is_told(settings):
    put(settings, "reddit", {f"2026-09-{day}": 50 for day in range(20, 30)})
    found = planned(settings, "reddit")
    assert found["requests"] > 20 * len(found["needed"]), "40 to 50 days of 50 posts, 100 a page, for each window"
    assert "its latest 1,000 posts, about 20 windows" in found["warning"]


def test_a_platform_that_counts_is_asked_where_the_lake_knows_too_little(tmp_path):
    with platforms(hackernews_per_day=120) as url:
        found = planned(settings_at(url, tmp_path), "hackernews")
    assert found["basis"].startswith("hackernews's own count of 5 of the windows")
    assert 10 * 40 < found["posts"]["expected"] < 10 * 240


def test_what_is_paid_by_the_post_is_counted_in_full_before_it_is_bought(tmp_path):
    windows = parse_windows("2026-09-01..2026-10-10")
    with platforms(x_per_day=20) as url:
        settings = settings_at(url, tmp_path)
        put(settings, "x", {"2026-09-05": 1})
        found = planned(settings, "x", windows)
        brought = collect("x", "games", TOPIC, windows[5:8], settings=settings, params=CollectParams(), now=NOW)
        counted = planned(settings, "x", windows[5:8], again=True)
    assert (len(found["ranges"]), len(found["needed"])) == (2, 39)
    assert found["basis"].startswith("x's own count of all 39 windows") and "(3 requests, $0.030)" in found["basis"], "35 days are two pages"
    assert found["posts"]["expected"] == found["posts"]["most"] > 39 * 5
    assert counted["posts"]["most"] == brought["rows"] + sum(brought["dropped"].values()) > 0
    assert counted["usd"]["most"] == pytest.approx(brought["usd"], abs=0.01)


@pytest.mark.parametrize(("status", "said"), [(403, "found 403"), (404, "found 404"), (200, "expected 'meta'")])
def test_a_token_that_may_not_count_leaves_the_estimate_as_it_was_and_says_so(tmp_path, status, said):
    settings = settings_at("http://platform.test", tmp_path)
    put(settings, "x", {f"2026-09-{day}": 100 for day in range(20, 30)})
    refusing = httpx2.MockTransport(lambda request: httpx2.Response(status, json={}))
    found = planned(settings, "x", transport=refusing)
    assert (found["posts"], found["usd"]["most"]) == ({"expected": 1000, "most": 1000}, 5.0)
    assert found["basis"].startswith("10 windows in the lake") and "x did not count" in found["basis"] and said in found["basis"]


def test_where_nothing_is_needed_nothing_is_counted(tmp_path):
    settings = settings_at("http://platform.test", tmp_path)
    put(settings, "x", {window.key: 1 for window in DAYS})
    asked = []
    transport = httpx2.MockTransport(lambda request: asked.append(request) or httpx2.Response(404))
    assert planned(settings, "x", transport=transport)["needed"] == asked == []


def test_a_platform_that_cant_be_asked_is_an_error_and_not_a_guess(settings):
    from groundswell.errors import SourceError

    with pytest.raises(SourceError, match="404"):
        planned(settings, "hackernews", transport=httpx2.MockTransport(lambda request: httpx2.Response(404)))


def test_spans_without_a_hole():
    assert ranges([]) == []
    hours = parse_windows("2026-10-19T22..2026-10-20T01")
    assert ranges([*hours, Window.parse("2026-10-20T03")]) == [(hours[0], hours[-1]), (Window.parse("2026-10-20T03"),) * 2]


class Recorder(Airflow):
    """Airflow's interface with its answers in a list: what would be asked, and nothing sent."""

    def __init__(self, states=("success",), is_paused=False):
        super().__init__("http://airflow.test", "admin", "secret")
        self.asked, self.states, self.is_paused = [], list(states), is_paused

    def _send(self, method, path, body=None):
        if method == "POST":
            self.asked.append(body)
            return {"id": len(self.asked), "dag_id": "collect", "created_at": "2026-11-20T12:00:00+00:00"}
        if path.endswith("/collect"):
            return {"is_paused": self.is_paused}
        state = self.states.pop(0)
        return {"dag_runs": [{"state": state, "queued_at": "2026-11-20T12:00:01+00:00", "partition_key": "2026-10-01", "run_after": ""}]}


def test_each_span_is_a_backfill_of_its_own_with_the_runs_parameters(settings):
    put(settings, "steam", {"2026-10-03": 10})
    airflow = Recorder()
    made = start(planned(settings, "steam"), airflow, settings=settings, is_paid=False, no_downstream=True)
    assert [(body["from_date"][:10], body["to_date"][:10], body["reprocess_behavior"]) for body in airflow.asked] == [
        ("2026-10-01", "2026-10-02", "completed"),
        ("2026-10-04", "2026-10-10", "completed"),
    ]
    wanted = {"topics": ["games"], "sources": ["steam"], "reason": "backfill 2026-10-01..2026-10-10", "no_downstream": True}
    assert airflow.asked[0]["dag_run_conf"] == wanted
    assert [each["id"] for each in made["backfills"]] == [1, 2]


def test_a_span_that_failed_is_the_last(settings):
    put(settings, "steam", {"2026-10-03": 10})
    airflow = Recorder(["failed"])
    with pytest.raises(StackError, match="backfill 1: 2026-10-01 failed; nothing after it was started"):
        start(planned(settings, "steam"), airflow, settings=settings, is_paid=False)
    assert len(airflow.asked) == 1


def test_what_costs_money_has_a_budget_that_its_runs_are_held_to(settings):
    put(settings, "x", {f"2026-09-{day}": 100 for day in range(20, 30)})
    with pytest.raises(UsageError, match="expected --budget"):
        start(planned(settings, "x"), Recorder(), settings=settings, is_paid=True)
    airflow = Recorder()
    made = start(planned(settings, "x", budget=20), airflow, settings=settings, is_paid=True, reason="an outage")
    assert airflow.asked[0]["dag_run_conf"]["budget"] == made["budget"] == "x-games-2026-10-01-2026-10-10"
    with Budget(settings, made["budget"]).held("a run", 20.0):
        pass


def test_a_paused_dag_is_told_before_anything_is_made(settings):
    airflow = Recorder(is_paused=True)
    with pytest.raises(StackError, match="paused"):
        start(planned(settings, "steam"), airflow, settings=settings, is_paid=False)
    assert airflow.asked == []
