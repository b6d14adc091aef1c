"""coverage: holes in the lake are named before anything is trained on them, and everything is seen at a glance."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from groundswell.coverage import between, coverage, look, show
from groundswell.errors import LakeError
from groundswell.files import write_json
from groundswell.lake import Lake
from groundswell.overview import overview
from groundswell.params import Params, Topic
from groundswell.schema import POST, QUARANTINE
from groundswell.settings import Settings
from groundswell.sources.replay import ReplayTopic
from groundswell.sources.steam import SteamTopic
from groundswell.superseded import sealed_contents, write_sealed, written_as
from groundswell.window import parse_windows

WINDOWS = parse_windows("2026-10-19..2026-10-21")
DAYS_VALID = {window.key: window for window in WINDOWS[:2]}


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


PARAMS = Params(topic="games", topics={"games": Topic(replay=ReplayTopic(path="c.csv"), steam=SteamTopic(app_ids=[1]))})


def rows(*ids):
    return pa.Table.from_pylist([dict.fromkeys(POST.names) | {"post_id": name, "source": "steam", "text": f"secret {name}"} for name in ids], ANY)


ANY = pa.schema([field.with_nullable(True) for field in POST])


def put(settings, layer, day, table, reason="", **metadata):
    lake = Lake(settings.lake)
    window = parse_windows(day)[0]
    return lake.write(lake.partition(layer, "steam", "games", window), table, {"window": day, "status": "complete", **metadata}, reason=reason)


@pytest.fixture
def lived(tmp_path):
    """A lake with a past: sealed, revised since, quarantined, open, collected only, missing."""
    settings = Settings(project=tmp_path, home=tmp_path)
    for day in ("2026-10-19", "2026-10-20"):
        for layer in ("raw", "valid"):
            put(settings, layer, day, rows("a", "b", "c"))
    aside = pa.Table.from_pylist([dict.fromkeys(QUARANTINE.names)], pa.schema([field.with_nullable(True) for field in QUARANTINE]))
    put(settings, "quarantine", "2026-10-19", aside)
    write_sealed(settings, "games", sealed_contents(Lake(settings.lake), "games"))
    for layer in ("raw", "valid"):
        put(settings, layer, "2026-10-20", rows("a"), reason="recollect D-1")
    put(settings, "raw", "2026-10-21", rows("a", "b"))
    put(settings, "raw", "2026-10-23", rows("a"), status="open")
    sealed_as = json.loads(settings.report("seal", "games", "contents").read_text())["steam/games/2026-10-20"]
    write_json({"steam/games/2026-10-20": {sealed_as: ["dataset", "version 7"]}}, settings.report("impact", "games", "built"))
    return settings


def test_every_window_says_how_far_it_has_come(lived):
    found = overview(lived, PARAMS)
    cells = found["topics"]["games"]["steam"]
    assert {window: cell["state"] for window, cell in cells.items()} == {
        "2026-10-19": "sealed",
        "2026-10-20": "validated",
        "2026-10-21": "collected",
        "2026-10-22": "missing",
        "2026-10-23": "open",
    }
    sealed, revised = cells["2026-10-19"], cells["2026-10-20"]
    assert (sealed["rows_valid"], sealed["rows_quarantined"], sealed["quarantined_share"], sealed["is_sealed"]) == (3, 1, 0.25, True)
    assert (revised["revision"], revised["reason"], revised["is_sealed"]) == (2, "recollect D-1", None)
    assert (sealed["superseded"], revised["superseded"]) == ([], ["dataset", "version 7"])
    assert {cell["state"] for cell in found["topics"]["games"]["replay"].values()} == {"missing"}
    totals = found["totals"]["games"]
    assert (totals["missing"], totals["sealed"], totals["revised"], totals["superseded"], totals["rows_valid"]) == (6, 1, 1, 1, 4)


def test_content_that_came_back_is_not_superseded(lived):
    put(lived, "valid", "2026-10-20", rows("a", "b", "c"), reason="restored")
    cell = overview(lived, PARAMS)["topics"]["games"]["steam"]["2026-10-20"]
    assert (cell["state"], cell["revision"], cell["superseded"]) == ("sealed", 3, [])


def state_of(settings, day="2026-10-19"):
    return overview(settings, PARAMS)["topics"]["games"]["steam"][day]["state"]


def test_what_was_collected_again_since_it_was_validated_is_validated_no_more(tmp_path):
    settings = Settings(project=tmp_path, home=tmp_path)
    demand = {"topic": "games", "sources": ["steam"], "windows": parse_windows("2026-10-19"), "settings": settings}
    raw = put(settings, "raw", "2026-10-19", rows("a", "b"))
    put(settings, "valid", "2026-10-19", rows("a"), made_of=written_as(raw))
    assert state_of(settings) == "validated" and coverage(**demand)["missing"] == []
    raw = put(settings, "raw", "2026-10-19", rows("a", "b", "c"), reason="recollect D-1")
    assert state_of(settings) == "collected"
    with pytest.raises(LakeError, match="steam/games/2026-10-19 .not validated since it was collected again"):
        coverage(**demand)
    put(settings, "valid", "2026-10-19", rows("a"), made_of=written_as(raw))  # the same valid posts, of other raw ones
    assert state_of(settings) == "validated" and coverage(**demand)["missing"] == []
    put(settings, "raw", "2026-10-19", rows("a", "b", "c"))
    assert state_of(settings) == "validated", "the same posts once more are no others"


def test_an_erasure_is_no_reason_to_validate_again(tmp_path):
    settings = Settings(project=tmp_path, home=tmp_path)
    raw = put(settings, "raw", "2026-10-19", rows("a", "b"))
    put(settings, "valid", "2026-10-19", rows("a", "b"), made_of=written_as(raw))
    lake = Lake(settings.lake)
    for layer in ("raw", "valid"):
        lake.rewrite(lake.partition(layer, "steam", "games", WINDOWS[0]), lambda table: table.slice(0, 1), reason="erased")
    assert state_of(settings) == "validated"
    put(
        settings, "raw", "2026-10-19", rows("a"), status="complete", seen={"x": []}
    )  # read again with who was erased left out: the same, but its footer
    assert state_of(settings) == "validated"
    put(settings, "raw", "2026-10-19", rows("a", "c"))
    assert state_of(settings) == "collected"


def test_the_page_and_the_table_have_numbers_and_no_posts(lived, capsys):
    found = look(lived, PARAMS, topics=[], windows=None, now=datetime(2026, 11, 20, 9, tzinfo=UTC))
    page = lived.report("coverage", "overview").with_suffix(".html").read_text()
    assert json.loads(lived.report("coverage", "overview").read_text()) == found
    assert "2026-10-20: validated, 1 valid posts, 0.0% quarantined, revision 2 (recollect D-1), sealed with other content" in page
    assert "superseded in dataset, version 7" in page and "2026-11-20 09:00Z" in page
    assert "<script" not in page and "http" not in page.replace("http-equiv", "") and "secret" not in page
    show(found)
    printed = capsys.readouterr().out
    assert "sealed 3 q25%" in printed and "validated 1 r2 !" in printed and "1 superseded" in printed
    assert "earlier windows" not in printed
    show(found, most=2)
    assert f"{found['windows'] - 2} earlier windows are not shown" in capsys.readouterr().out


def test_scores_are_counted_by_version_and_said_to_be_stale(lived, capsys):
    valid = {day: Lake(lived.lake).metadata(Lake(lived.lake).partition("valid", "steam", "games", window)) for day, window in DAYS_VALID.items()}
    for day, version in (("2026-10-19", "4"), ("2026-10-20", "3")):
        put(lived, "scored", day, rows("a"), made_of=written_as(valid[day]), model={"version": version, "run_id": "r"})
    put(lived, "scored", "2026-10-19", rows("b"), made_of=written_as(valid["2026-10-19"]), model={"version": "4", "run_id": "r"}, reason="again")
    found = look(lived, PARAMS, topics=[], windows=None, now=datetime(2026, 11, 20, 9, tzinfo=UTC))
    cells, totals = found["topics"]["games"]["steam"], found["totals"]["games"]
    assert [(cell["is_scored"], cell["scored_by"], cell["rows_scored"]) for cell in cells.values()][:3] == [
        (True, "4", 1),
        (True, "3", 1),
        (False, None, None),
    ]
    assert cells["2026-10-19"]["revision"] == 1, "a revision of the scores is none of the posts"
    assert (totals["scored"], totals["stale_scores"], totals["rows_scored"], totals["scored_by"]) == (2, 0, 2, {"3": 1, "4": 1})
    put(lived, "valid", "2026-10-20", rows("a", "b"), reason="recollect D-3")
    found = look(lived, PARAMS, topics=[], windows=None, now=datetime(2026, 11, 20, 9, tzinfo=UTC))
    assert found["topics"]["games"]["steam"]["2026-10-20"]["is_scored"] is None
    assert (found["totals"]["games"]["scored"], found["totals"]["games"]["stale_scores"]) == (1, 1)
    page = lived.report("coverage", "overview").with_suffix(".html").read_text()
    assert "1 scored by version 4" in page and "1 scored by version 3, but its valid posts are others since" in page
    show(found)
    printed = " ".join(capsys.readouterr().out.split())
    assert "s4" in printed and "s3?" in printed and "1 scored, 1 stale scores" in printed


def test_reasons_can_do_nothing_to_the_page(lived):
    for layer in ("raw", "valid"):
        put(lived, layer, "2026-10-20", rows("a", "z"), reason="<script>alert(1)</script>")
    look(lived, PARAMS, topics=["games"], windows=parse_windows("2026-10-20"), now=datetime(2026, 11, 20, tzinfo=UTC))
    assert "<script" not in lived.report("coverage", "overview").with_suffix(".html").read_text()


def test_one_end_of_a_range_is_enough(lived):
    assert between(lived, PARAMS, None, None) is None
    assert [str(window) for window in between(lived, PARAMS, "2026-10-22", None)] == ["2026-10-22", "2026-10-23"]
    assert [str(window) for window in between(lived, PARAMS, None, "2026-10-20")] == ["2026-10-19", "2026-10-20"]


def test_an_empty_lake_has_nothing_to_look_at(tmp_path):
    with pytest.raises(LakeError, match="no day of games is in the lake"):
        overview(Settings(project=tmp_path, home=tmp_path), PARAMS)


def test_many_sources_are_below_each_other_and_no_word_is_cut(lived, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = look(lived, PARAMS, topics=[], windows=None, now=datetime(2026, 11, 20, 9, tzinfo=UTC))
    cells = found["topics"]["games"]["steam"]
    show({**found, "topics": {"games": {f"network_{number}": cells for number in range(9)}}})
    printed = capsys.readouterr().out
    assert all(f"network_{number}" in printed for number in range(9))
    assert printed.count("sealed 3 q25%") == 9 and max(map(len, printed.split("2026-10-20")[0].splitlines())) <= 80
