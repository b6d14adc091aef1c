"""collect: what it refuses, what it reports, and that a window killed in the middle leaves nothing half-written."""

import csv
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from groundswell.collect import collect
from groundswell.errors import NotSettled, ParamsError, SourceError, UnknownName, WindowError
from groundswell.lake import Lake
from groundswell.params import CollectParams, Topic
from groundswell.settings import Settings
from groundswell.sources.base import Source
from groundswell.sources.hackernews import HackerNewsTopic
from groundswell.sources.replay import ReplayTopic
from groundswell.sources.steam import SteamTopic
from groundswell.window import Window, parse_windows
from tests.simulated import platforms, settings_at

DAY = Window.parse("2026-10-19")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOTH = Topic(hackernews=HackerNewsTopic(query="game"), steam=SteamTopic(app_ids=[730]))


@pytest.fixture(scope="module")
def url():
    with platforms() as address:
        yield address


def run(source, tmp_path, windows=(DAY,), url="http://platform.test", topic=BOTH, now=NOW, **options):
    return collect(source, "games", topic, list(windows), settings=settings_at(url, tmp_path), params=CollectParams(), now=now, **options)


@pytest.mark.parametrize(
    ("source", "windows", "error", "message"),
    [
        ("stem", (DAY,), UnknownName, "source 'stem' is unknown; did you mean 'steam'"),
        ("replay", (DAY,), UnknownName, "topic 'games' has no section 'replay'"),
        ("steam", (Window.parse("2026-11-20"),), WindowError, "2026-11-20 ends at .* after now"),
        ("steam", (DAY, Window.parse("2999-01-01")), WindowError, "after now"),
        ("steam", (Window.parse("2026-11-20T12"),), WindowError, "after now"),
    ],
)
def test_a_wrong_use_is_refused_before_anything_is_asked(tmp_path, source, windows, error, message):
    def nobody(request):
        raise AssertionError("a platform was asked")

    with pytest.raises(error, match=message) as caught:
        run(source, tmp_path, windows, transport=httpx2.MockTransport(nobody))
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_window_beyond_the_look_back_is_refused(tmp_path, monkeypatch):
    short = Source(name="steam", version=1, section=SteamTopic, posts=lambda reading: iter(()), look_back=timedelta(days=7))
    monkeypatch.setattr("groundswell.collect.source_named", {"steam": short}.__getitem__)
    with pytest.raises(WindowError, match="steam looks back 7 days, to 2026-11-13T12:00Z"):
        run("steam", tmp_path, [Window.parse("2026-11-13")])
    assert run("steam", tmp_path, [Window.parse("2026-11-14")])["rows"] == 0


def test_what_a_source_can_may_hang_on_the_topic(tmp_path, monkeypatch):
    def varies(section):
        return {"look_back": None} if len(section.app_ids) > 1 else {}

    some = Source(name="steam", version=1, section=SteamTopic, posts=lambda reading: iter(()), look_back=timedelta(days=7), varies=varies)
    monkeypatch.setattr("groundswell.collect.source_named", {"steam": some}.__getitem__)
    old = [Window.parse("2020-01-01")]
    with pytest.raises(WindowError, match="looks back 7 days"):
        run("steam", tmp_path, old)
    assert run("steam", tmp_path, old, topic=Topic(steam=SteamTopic(app_ids=[1, 2])))["rows"] == 0


def test_a_source_says_which_settings_it_lacks(tmp_path, monkeypatch):
    needy = Source(name="steam", version=1, section=SteamTopic, posts=lambda reading: iter(()), needs=("steam_url", "serving_key", "dvc_remote"))
    monkeypatch.setattr("groundswell.collect.source_named", {"steam": needy}.__getitem__)
    with pytest.raises(ParamsError, match="steam can't be asked without GROUNDSWELL_SERVING_KEY, GROUNDSWELL_DVC_REMOTE"):
        run("steam", tmp_path)


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 1800), (29, 60)])
def test_a_window_that_has_not_settled_is_refused_with_the_time_from_which_it_can_be_had(tmp_path, minutes, seconds):
    with pytest.raises(NotSettled, match="can be had from 2026-10-20T00:30Z") as caught:
        run("steam", tmp_path, now=DAY.end + timedelta(minutes=minutes))
    assert (caught.value.exit_code, caught.value.seconds) == (75, seconds)
    assert not list(tmp_path.iterdir())


def test_a_settled_window_and_a_file_are_had_at_once(url, tmp_path):
    assert run("steam", tmp_path, url=url, now=DAY.end + timedelta(minutes=30))["rows"]
    (tmp_path / "corpus.csv").write_text("post_id,created_at,text\n1,2026-10-19T05:00:00Z,a joy\n")
    assert run("replay", tmp_path, topic=Topic(replay=ReplayTopic(path="corpus.csv")), now=DAY.end)["rows"] == 1


def test_the_command_line_says_when_to_come_back(monkeypatch, capsys):
    from groundswell import cli

    monkeypatch.setattr(cli, "app", lambda standalone_mode: (_ for _ in ()).throw(NotSettled("not yet", 12.3)))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 75
    assert capsys.readouterr().out.splitlines()[-1] == '{"retry_after_seconds": 13}'


def test_without_a_key_of_ones_own_nothing_is_collected(tmp_path):
    settings = Settings(project=tmp_path, home=tmp_path, pseudonym_key="")
    with pytest.raises(ParamsError, match="GROUNDSWELL_PSEUDONYM_KEY"):
        collect("steam", "games", BOTH, [DAY], settings=settings, params=CollectParams(), now=NOW)


@pytest.mark.parametrize("source", ["hackernews", "steam"])
def test_the_report_says_what_lies_in_the_lake(url, tmp_path, source):
    report = run(source, tmp_path, url=url)
    partition = Lake(tmp_path / "lake").partition("raw", source, "games", DAY)
    lake = Lake(tmp_path / "lake")
    known = lake.metadata(partition)
    assert report["sha256"] == lake.sha256(partition) == report["windows"][DAY.key]["sha256"]
    assert report["rows"] == known["rows"] > 50
    assert (known["status"], known["window"], known["connector_version"]) == ("complete", DAY.key, f"{source}-1")
    assert (report["stage"], report["source"], report["topic"], report["window"], report["retries"]) == ("collect", source, "games", DAY.key, 0)
    left = json.loads((tmp_path / f"reports/collect/games/{source}/{DAY.key}.json").read_text())
    assert left == report["windows"][DAY.key]


def test_a_range_reports_each_window(url, tmp_path):
    report = run("steam", tmp_path, parse_windows("2026-10-19..2026-10-21"), url=url)
    assert list(report["windows"]) == ["2026-10-19", "2026-10-20", "2026-10-21"]
    assert report["rows"] == sum(part["rows"] for part in report["windows"].values())
    assert "window" not in report


def test_windows_before_the_failing_one_are_whole(tmp_path):
    hit = {"objectID": "1", "author": "a", "created_at_i": int(DAY.start.timestamp()), "title": "t"}
    answers = iter([httpx2.Response(200, json={"hits": [hit], "nbHits": 1, "nbPages": 1}), httpx2.Response(403)])
    with pytest.raises(SourceError, match="403"):
        run("hackernews", tmp_path, parse_windows("2026-10-19..2026-10-21"), transport=httpx2.MockTransport(lambda request: next(answers)))
    written = Lake(tmp_path / "lake").partitions("raw")
    assert [partition.window.key for partition in written] == ["2026-10-19"]


def test_likes_that_moved_make_no_revision(tmp_path):
    def platform(points):
        hit = {"objectID": "1", "author": "a", "created_at_i": int(DAY.start.timestamp()), "title": "t", "points": points}
        return httpx2.MockTransport(lambda request: httpx2.Response(200, json={"hits": [hit], "nbHits": 1, "nbPages": 1}))

    first = run("hackernews", tmp_path, transport=platform(1))
    assert run("hackernews", tmp_path, transport=platform(99))["sha256"] == first["sha256"]


def test_a_text_that_moved_is_a_revision_with_the_callers_reason(tmp_path):
    def platform(title):
        hit = {"objectID": "1", "author": "a", "created_at_i": int(DAY.start.timestamp()), "title": title}
        return httpx2.MockTransport(lambda request: httpx2.Response(200, json={"hits": [hit], "nbHits": 1, "nbPages": 1}))

    first = run("hackernews", tmp_path, transport=platform("a joy"))
    again = run("hackernews", tmp_path, transport=platform("a joy"), reason="recollect D-1")
    assert (again["windows"], again["windows"][DAY.key]["revision"]) == (first["windows"], 1)
    run("hackernews", tmp_path, transport=platform("no joy any more"), reason="recollect D-3")
    run("hackernews", tmp_path, transport=platform("no joy at all"))
    lake = Lake(tmp_path / "lake")
    assert [(line["revision"], line["reason"]) for line in lake.revisions()] == [(2, "recollect D-3"), (3, "collected again")]


def test_no_text_and_no_author_is_logged(url, tmp_path, caplog):
    caplog.set_level("DEBUG", logger="groundswell")
    run("steam", tmp_path, url=url)
    rows = Lake(tmp_path / "lake").read(Lake(tmp_path / "lake").partition("raw", "steam", "games", DAY)).to_pylist()
    assert caplog.text
    assert not any(row["text"] and len(row["text"]) > 20 and row["text"] in caplog.text for row in rows)
    assert "7656" not in caplog.text


def replay_project(tmp_path, days=40, rows=40):
    path = tmp_path / "corpus.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "time", "text"))
        start = datetime(2026, 9, 1, tzinfo=UTC)
        writer.writerows(
            (f"{day}-{row}", (start + timedelta(days=day, minutes=row)).isoformat(), f"level {row}") for day in range(days) for row in range(rows)
        )
    columns = {"post_id": "id", "created_at": "time", "text": "text"}
    (tmp_path / "params.yaml").write_text(json.dumps({"topic": "t", "topics": {"t": {"replay": {"path": str(path), "columns": columns}}}}))
    return Topic(replay=ReplayTopic(path=path, columns=columns)), parse_windows("2026-09-01..2026-10-10")


@pytest.mark.slow
def test_killed_at_any_point_and_run_again_it_ends_in_the_same_bytes(tmp_path):
    topic, windows = replay_project(tmp_path)
    whole = settings_at("http://platform.test", tmp_path / "whole")
    expected = collect("replay", "t", topic, windows, settings=whole, params=CollectParams(), now=NOW)["windows"]
    environment = {
        **os.environ,
        "GROUNDSWELL_PROJECT": str(tmp_path),
        "GROUNDSWELL_HOME": str(tmp_path / "killed"),
        "GROUNDSWELL_PSEUDONYM_KEY": "a-key-that-only-the-tests-know",
    }
    command = [sys.executable, "-m", "groundswell.cli", "collect", "--source", "replay", "--window", "2026-09-01..2026-10-10"]
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lake = Lake(tmp_path / "killed/lake")
    while len(lake.partitions("raw")) < 5 and killed.poll() is None:
        pass
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert all(expected[partition.window.key]["sha256"] == lake.sha256(partition) for partition in lake.partitions("raw"))
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout)["windows"] == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--source", "raplay", "--window", "2026-09-01"], 2, "did you mean 'replay'"),
        (["--source", "replay", "--topic", "tt", "--window", "2026-09-01"], 2, "topic 'tt'"),
        (["--source", "replay", "--window", "2026-09-02..2026-09-01"], 2, "ends before it starts"),
        (["--source", "replay", "--window", "2999-09-02"], 2, "after now"),
        (["--source", "steam", "--window", "2026-09-01"], 2, "no section 'steam'"),
    ],
)
def test_the_door_says_it_in_one_sentence(tmp_path, arguments, status, message):
    replay_project(tmp_path, days=1)
    environment = {**os.environ, "GROUNDSWELL_PROJECT": str(tmp_path), "GROUNDSWELL_PSEUDONYM_KEY": "a-key-that-only-the-tests-know"}
    done = subprocess.run([sys.executable, "-m", "groundswell.cli", "collect", *arguments], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def at_platform_time(said):
    """A Steam without reviews whose clock says ``said``."""
    body = {"response": {"query_summary": {}, "total_matching": 0, "cursor": "*"}}
    return httpx2.MockTransport(lambda request: httpx2.Response(200, json=body, headers={"date": said}))


def test_a_clock_that_is_ahead_writes_no_unfinished_window(tmp_path):
    with pytest.raises(WindowError, match="the platform's clock says 2026-10-19T23:59Z: this machine's clock is ahead"):
        run("steam", tmp_path, transport=at_platform_time("Mon, 19 Oct 2026 23:59:59 GMT"))
    assert not list(tmp_path.rglob("*.parquet"))
    assert run("steam", tmp_path, transport=at_platform_time("Tue, 20 Oct 2026 00:00:00 GMT"))["rows"] == 0


def test_a_platform_without_a_clock_is_believed(tmp_path):
    assert run("steam", tmp_path, transport=at_platform_time("half past nine"))["rows"] == 0
