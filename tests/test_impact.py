"""impact: what was built on a day, and the tags of what stands on a day that is no more."""

import json

import pytest
from dvc_project import put_day
from models import project_with_registry, register

from groundswell import registry, runs
from groundswell.impact import TAG, impact
from groundswell.lake import Lake
from groundswell.superseded import Contents
from groundswell.window import Window, parse_windows

DAY, KEY = Window.parse("2026-10-19"), "replay/games/2026-10-19"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project whose champion and challenger were trained on one day."""
    settings = project_with_registry(tmp_path_factory.mktemp("impact") / "project")
    first = register(settings, "good", champion=True)
    return settings, first, register(settings, "better")


def tags(settings, version):
    """The tag on the version, and on its run."""
    found = registry.version_numbered(settings, "games", version)
    return found.tags.get(TAG), runs.read_run(settings, found.run_id).tags.get(TAG)


@pytest.mark.slow
def test_a_day_that_stands_is_named_with_all_that_was_built_on_it(built):
    settings, first, second = built
    report = impact("games", [DAY], settings=settings, mark=True)
    assert [(one["model_version"], one["partitions"], one["superseded"]) for one in report["versions"]] == [(second, [KEY], []), (first, [KEY], [])]
    assert (report["aliases"], report["champion_is_superseded"], report["marked"]) == ({"champion": first, "challenger": second}, False, [])
    assert [(one["versions"], one["is_superseded"]) for one in report["datasets"]] == [([second, first], False)]
    assert tags(settings, first) == (None, None)
    assert json.loads(settings.report("impact", "games").read_text()) == report


@pytest.mark.slow
def test_a_day_on_which_nothing_was_built_has_no_impact(built):
    settings, *_ = built
    report = impact("games", parse_windows("2026-10-20..2026-10-22"), settings=settings)
    assert (report["versions"], report["datasets"], report["aliases"], report["folder"]["partitions"]) == ([], [], {}, [])
    assert impact("films", [DAY], settings=settings)["versions"] == []


@pytest.mark.slow
def test_a_revised_day_marks_runs_and_versions_the_champion_too_until_it_is_as_it_was(built):
    settings, first, second = built
    lake = Lake(settings.lake)
    before = lake.metadata(lake.partition("valid", "replay", "games", DAY))["content_sha256"]
    put_day(settings, "2026-10-19", ["a", "edited"])
    looked = impact("games", [DAY], settings=settings)
    assert (looked["superseded"], looked["champion_is_superseded"], looked["marked"]) == ([KEY], True, None)
    assert tags(settings, first) == (None, None), "looking marks nothing"
    assert impact("games", [DAY], settings=settings, mark=True)["marked"] == [second, first]
    value, of_run = tags(settings, first)
    assert value == of_run == tags(settings, second)[0]
    assert value.startswith(f"{KEY} {before[:8]}→")
    put_day(settings, "2026-10-19", ["a", "b"])
    assert impact("games", [DAY], settings=settings, mark=True)["marked"] == []
    assert tags(settings, first) == tags(settings, second) == (None, None)


@pytest.mark.slow
def test_the_data_set_that_lies_there_is_named_too(built):
    settings, *_ = built
    put_day(settings, "2026-10-19", ["other"])
    folder = impact("games", [DAY], settings=settings)["folder"]
    assert (folder["path"], folder["partitions"], folder["superseded"]) == ("dataset/games", [KEY], [KEY])
    put_day(settings, "2026-10-19", ["a", "b"])


@pytest.mark.slow
def test_a_day_that_is_gone_is_superseded(built):
    settings, first, _ = built
    lake = Lake(settings.lake)
    lake.remove(lake.partition("valid", "replay", "games", DAY))
    assert impact("games", [DAY], settings=settings, mark=True)["superseded"] == [KEY]
    assert tags(settings, first)[0].endswith("→gone")
    put_day(settings, "2026-10-19", ["a", "b"])


def test_hours_belong_to_their_day_and_labels_count(tmp_path):
    from groundswell.impact import _of_windows

    partitions = dict.fromkeys(["steam/games/2026-10-19T05", "labels/steam/games/2026-10-19", "steam/games/2026-10-20"])
    assert _of_windows(partitions, {"2026-10-19"}) == ["labels/steam/games/2026-10-19", "steam/games/2026-10-19T05"]
    assert _of_windows(partitions, {"2026-10-19T06"}) == []
    assert Contents(Lake(tmp_path)).superseded({"labels/steam/games/2026-10-19": {"content_sha256": "a"}}) == {
        "labels/steam/games/2026-10-19": {"then": "a", "now": None}
    }
