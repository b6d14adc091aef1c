"""coverage: holes in the lake are named before anything is trained on them."""

import json

import pyarrow as pa
import pytest

from groundswell.config import Settings
from groundswell.coverage import coverage
from groundswell.errors import LakeError
from groundswell.lake import Lake
from groundswell.schema import POST
from groundswell.window import parse_windows

WINDOWS = parse_windows("2026-10-19..2026-10-21")


def lake_with(tmp_path, *missing, status="complete"):
    settings = Settings(project=tmp_path, home=tmp_path)
    lake = Lake(settings.lake)
    for source in ("replay", "steam"):
        for window in WINDOWS:
            for layer in ("raw", "valid"):
                if (layer, source, window.key) not in missing:
                    lake.write(
                        lake.partition(layer, source, "games", window),
                        pa.Table.from_pylist([], schema=POST),
                        {"window": window.key, "status": status},
                    )
    return settings


def test_a_whole_range_is_reported(tmp_path):
    settings = lake_with(tmp_path)
    report = coverage("games", ["replay", "steam"], WINDOWS, settings=settings)
    assert (report["windows"], report["missing"], report["rows"]) == (3, [], {"replay": 0, "steam": 0})
    assert report["partitions"]["steam"]["2026-10-20"] == {"status": "complete", "rows": 0}
    assert json.loads(settings.report("coverage", "games").read_text()) == report


def test_holes_are_named_with_what_they_lack(tmp_path):
    settings = lake_with(tmp_path, ("valid", "steam", "2026-10-20"), ("valid", "replay", "2026-10-19"), ("raw", "replay", "2026-10-19"))
    with pytest.raises(LakeError, match=r"2 of 6 .*replay/games/2026-10-19 \(not collected\), steam/games/2026-10-20 \(not validated\)") as caught:
        coverage("games", ["replay", "steam"], WINDOWS, settings=settings)
    assert caught.value.exit_code == 1
    assert len(json.loads(settings.report("coverage", "games").read_text())["missing"]) == 2


def test_a_partition_that_is_not_complete_is_a_hole(tmp_path):
    with pytest.raises(LakeError, match=r"6 of 6 .*\(partial\).* and 1 more"):
        coverage("games", ["replay", "steam"], WINDOWS, settings=lake_with(tmp_path, status="partial"))


def test_a_damaged_file_is_named(tmp_path):
    settings = lake_with(tmp_path)
    path = settings.lake / Lake(settings.lake).partition("valid", "steam", "games", WINDOWS[0]).name
    path.write_bytes(b"half of a fi")
    with pytest.raises(LakeError, match=str(path)):
        coverage("games", ["replay", "steam"], WINDOWS, settings=settings)


def test_without_a_range_it_is_all_from_the_first_window_to_the_last(tmp_path):
    settings = lake_with(
        tmp_path, ("raw", "steam", "2026-10-19"), ("valid", "steam", "2026-10-19"), ("raw", "replay", "2026-10-20"), ("raw", "steam", "2026-10-20")
    )
    with pytest.raises(LakeError, match="1 of 6 partitions.*steam/games/2026-10-19"):
        coverage("games", ["replay", "steam"], None, settings=settings)
    with pytest.raises(LakeError, match="no day of films is in the lake"):
        coverage("films", ["replay"], None, settings=settings)
