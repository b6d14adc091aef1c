"""The keeper, step by step: what it does when the registry moves, breaks, or goes away."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import threading

import pytest

from serving.copies import Copies
from serving.keeper import Keeper
from serving.ledger import Ledger, lines
from serving.loading import Pace, load_model
from serving.metrics import Metrics

pytestmark = pytest.mark.slow

TEXTS = ["great love fun", "awful broken crash"]


@pytest.fixture
def new_keeper(settings, registry, clock):
    """Makes a keeper as a fresh process would, on the same folder."""

    def new() -> Keeper:
        return Keeper(
            registry,
            Copies(settings.folder),
            lambda folder, version, present: load_model(folder, version, name=settings.model_name, topic=settings.topic, pace=Pace(present, 20, 5)),
            Metrics(),
            Ledger(settings.folder),
            poll_seconds=3600,
            retry_seconds=30,
            others=("challenger",),
            clock=clock,
        )

    return new


@pytest.fixture
def keeper(new_keeper) -> Keeper:
    keeper = new_keeper()
    keeper.check()
    assert keeper.current.version.version == "1"
    return keeper


def break_export(registry, number: str, tmp_path, file: str = "model.int8.onnx") -> None:
    """Version ``number`` becomes one whose ``file`` is cut in half."""
    broken = shutil.copytree(registry.exports[number], tmp_path / f"broken-{number}" / "export")
    content = (broken / file).read_bytes()
    (broken / file).write_bytes(content[: len(content) // 2])
    registry.exports[number] = broken


def refusals(keeper: Keeper) -> float:
    return sum(sample.value for metric in keeper._metrics.refused_models.collect() for sample in metric.samples if sample.name.endswith("_total"))


def test_it_follows_the_alias_there_and_back(keeper, registry):
    before = keeper.current
    registry.alias = "2"
    keeper.check()
    assert keeper.current.version.version == "2"
    assert before.predictor.predict(TEXTS).shape == (2, 3), "who still holds the old one finishes on it"
    registry.alias = "1"
    keeper.check()
    assert keeper.current.version.version == "1"
    assert registry.downloads == ["1", "2"], "the way back needs no download"
    assert keeper.trouble is None


def test_an_unmoved_alias_costs_a_question_and_nothing_else(keeper, registry):
    model = keeper.current
    keeper.check()
    assert keeper.current is model
    assert registry.downloads == ["1"]


def test_a_registry_that_is_gone_changes_nothing_and_is_logged_once(keeper, registry, caplog):
    caplog.set_level(logging.INFO)
    registry.is_down = True
    for _ in range(3):
        keeper.check()
    assert keeper.current.version.version == "1"
    assert keeper.trouble == "the registry is down"
    assert [record.message for record in caplog.records] == ["the registry is down"]
    registry.is_down = False
    keeper.check()
    assert keeper.trouble is None


def test_who_sees_the_new_version_sees_no_old_trouble_beside_it(keeper, registry, monkeypatch):
    registry.is_down = True
    keeper.check()
    assert keeper.trouble == "the registry is down"
    registry.is_down, registry.alias, seen = False, "2", []
    monkeypatch.setattr(keeper._ledger, "write", lambda event, **facts: seen.append((event, keeper.current.version.version, keeper.trouble)))
    keeper.check()
    assert seen == [("serving", "2", None)]


def test_an_alias_that_is_gone_leaves_the_last_champion(keeper, registry):
    registry.alias = None
    keeper.check()
    assert keeper.current.version.version == "1"
    assert "no version with the alias champion" in keeper.trouble


def test_a_broken_version_never_displaces_the_good_one(keeper, registry, tmp_path, clock, caplog):
    break_export(registry, "2", tmp_path)
    registry.alias = "2"
    for _ in range(3):
        keeper.check()
    assert keeper.current.version.version == "1"
    assert "version 2 is refused" in keeper.trouble
    assert "model.int8.onnx has sha256" in keeper.trouble
    assert str(tmp_path) not in keeper.trouble, "clients see it"
    assert registry.downloads == ["1", "2"], "remembered, not fetched at every poll"
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    assert refusals(keeper) == 1


def test_a_broken_version_is_tried_again_after_a_while_longer_each_time(keeper, registry, tmp_path, clock):
    whole = registry.exports["2"]
    break_export(registry, "2", tmp_path)
    registry.alias = "2"
    tries = []
    for second in range(0, 200, 10):
        clock.seconds = second
        before = len(registry.downloads)
        keeper.check()
        tries += [second] * (len(registry.downloads) - before)
    assert tries == [0, 30, 90]
    registry.exports["2"] = whole
    identity = registry.named("2")
    assert identity not in keeper._refused, "another source is another version"
    keeper.check()
    assert keeper.current.version.version == "2"


def test_a_version_that_was_damaged_on_the_way_is_fetched_again(keeper, registry, tmp_path, clock):
    whole = registry.exports["2"]
    registry.alias = "2"
    honest = registry.download

    def damaging(version, folder):
        fetched = honest(version, folder)
        (fetched / "tokenizer.json").write_text("{}")
        return fetched

    registry.download = damaging
    keeper.check()
    assert "tokenizer.json has sha256" in keeper.trouble
    registry.download = honest
    clock.seconds = 31
    keeper.check()
    assert keeper.current.version.version == "2"
    assert registry.exports["2"] == whole


def test_an_alias_that_moves_on_ends_the_waiting(keeper, registry, tmp_path):
    break_export(registry, "2", tmp_path)
    registry.alias = "2"
    keeper.check()
    registry.alias = "1"
    keeper.check()
    assert keeper.trouble is None
    registry.alias = "2"
    keeper.check()
    assert registry.downloads == ["1", "2", "2"]
    assert keeper.current.version.version == "1"


def test_a_restart_without_the_registry_answers_from_the_local_copy(keeper, registry, new_keeper):
    registry.is_down = True
    again = new_keeper()
    again.resume()
    again.check()
    assert again.current.version == keeper.current.version
    assert (again.current.predictor.predict(TEXTS) == keeper.current.predictor.predict(TEXTS)).all()
    assert again.trouble == "the registry is down"


def test_a_restart_with_a_moved_alias_begins_with_the_old_and_goes_on_to_the_new(keeper, registry, new_keeper):
    registry.alias = "2"
    again = new_keeper()
    again.resume()
    assert again.current.version.version == "1"
    again.check()
    assert again.current.version.version == "2"


def test_a_damaged_local_copy_is_not_served_but_fetched_again(keeper, registry, new_keeper, settings):
    (settings.folder / "1" / "export" / "config.json").write_text("{}")
    again = new_keeper()
    again.resume()
    assert again.current is None
    assert "local copy of version 1" in again.trouble
    again.check()
    assert again.current.version.version == "1"
    assert again.trouble is None


def test_the_same_number_of_another_registry_is_another_version(keeper, registry, settings):
    registry.exports["1"] = registry.exports["2"]
    keeper.check()
    assert keeper.current.version.source == "models:/m-2"
    assert json.loads((settings.folder / "current.json").read_text())["source"] == "models:/m-2"
    assert registry.downloads == ["1", "1"]


def test_copies_do_not_pile_up(keeper, registry, settings, exports):
    for number in ("2", "3", "4"):
        registry.exports[number] = exports["2"] if number != "3" else exports["1"]
        registry.alias = number
        keeper.check()
    assert sorted(path.name for path in settings.folder.iterdir() if path.is_dir()) == ["3", "4"]
    assert sorted(path.name for path in settings.folder.glob("*.lock") if path.stem.isdigit()) == ["3.lock", "4.lock"]


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_does_is_not(settings, new_keeper):
    (settings.folder / ".7.999999999").mkdir(parents=True)
    (settings.folder / ".8.1").mkdir()
    new_keeper().resume()
    assert sorted(path.name for path in settings.folder.iterdir()) == [".8.1"]


def test_a_folder_that_can_not_be_written_is_a_reason_and_no_crash(registry, new_keeper, settings):
    settings.folder.parent.mkdir(parents=True)
    settings.folder.write_text("a file in the way")
    keeper = new_keeper()
    keeper.check()
    assert "can't be stored" in keeper.trouble
    assert keeper.current is None


def test_a_surprise_does_not_end_the_thread(new_keeper, registry):
    keeper, asked = new_keeper(), []

    def surprising():
        asked.append(1)
        raise ZeroDivisionError

    registry.aliases = surprising
    keeper._guarded(keeper.check)
    keeper._guarded(keeper.check)
    assert len(asked) == 2
    assert keeper.trouble == "ZeroDivisionError while looking after the models"


def test_the_ledger_says_what_came_into_service_and_what_was_refused_why(keeper, registry, settings, tmp_path):
    break_export(registry, "2", tmp_path)
    registry.alias = "2"
    keeper.check()
    events = lines(settings.folder / "ledger.jsonl")
    assert [(event["event"], event["version"]) for event in events] == [("serving", "1"), ("refused", "2")]
    assert events[1]["kind"] == "files"
    assert "model.int8.onnx has sha256" in events[1]["reason"]
    assert str(tmp_path) not in events[1]["reason"]
    labels = [sample.labels for metric in keeper._metrics.refused_models.collect() for sample in metric.samples if sample.name.endswith("_total")]
    assert labels == [{"version": "2", "reason": "files"}]


def test_a_challenger_lies_beside_the_champion_and_takes_its_place_without_a_second_load(keeper, registry):
    registry.others = {"challenger": "2"}
    keeper.check()
    challenger = keeper.beside["challenger"]
    assert (keeper.current.version.version, challenger.version.version) == ("1", "2")
    registry.alias = "2"
    keeper.check()
    assert keeper.current is challenger
    assert keeper.beside == {}, "it would be compared with itself"
    assert registry.downloads == ["1", "2"]


def test_the_champion_before_is_still_in_memory(keeper, registry):
    first = keeper.current
    registry.alias = "2"
    keeper.check()
    registry.alias = "1"
    keeper.check()
    assert keeper.current is first


def test_a_broken_challenger_is_said_and_disturbs_nobody(keeper, registry, tmp_path):
    break_export(registry, "2", tmp_path)
    registry.others = {"challenger": "2"}
    keeper.check()
    assert keeper.current.version.version == "1"
    assert keeper.beside == {}
    assert keeper.trouble.startswith("challenger: version 2 is refused")
    registry.others = {}
    keeper.check()
    assert keeper.trouble is None


def test_two_workers_fetch_a_version_once(settings, registry, tmp_path):
    """Two processes' worth of keepers on one folder, both without a copy: the second one waits for the first one's download."""
    started, may_finish, honest = threading.Event(), threading.Event(), registry.download

    def slow(version, folder):
        started.set()
        assert may_finish.wait(20)
        return honest(version, folder)

    registry.download = slow
    version = registry.named("1")
    found: list = []
    workers = [threading.Thread(target=lambda: found.append(Copies(settings.folder).fetch(version, registry.download))) for _ in range(2)]
    workers[0].start()
    assert started.wait(20)
    workers[1].start()
    may_finish.set()
    for worker in workers:
        worker.join(20)
    assert registry.downloads == ["1"]
    assert found == [Copies(settings.folder).export(version)] * 2


def test_what_a_killed_process_left_half_done_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [f".2.{gone.pid}", f".current.json.{gone.pid}-0a1b2c3d"]
    kept = [f".2.{os.getppid()}", f".current.json.{os.getppid()}-0a1b2c3d"]
    for name in (*left, *kept):
        (tmp_path / name).touch()
    Copies(tmp_path).sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
