"""retain: what is older than its layer may keep goes, with a receipt; the rest, and layers without a limit, stay."""

import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundswell.lake import Lake
from groundswell.params import RetainParams
from groundswell.retain import retain
from groundswell.schema import ANNOTATION, LABELS, POST, SCORED
from groundswell.versions import Versions, versions_of
from groundswell.window import Window
from tests.dvc_project import make_project, post, put_day

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def put(settings, layer, day):
    lake = Lake(settings.lake)
    partition = lake.partition(layer, "replay", "games", Window.parse(day))
    lake.write(partition, pa.Table.from_pylist([post(1, day, f"text of {day}")], POST), {"window": day})
    return partition


def test_old_partitions_go_by_layer(tmp_path):
    settings = make_project(tmp_path / "project", is_git=False)
    lake = Lake(settings.lake)
    raw = [put(settings, "raw", day) for day in ("2026-10-01", "2026-10-21", "2026-10-22")]
    valid = put(settings, "valid", "2026-10-01")
    report = retain("games", settings=settings, params=RetainParams(raw_days=10), now=NOW)
    assert [lake.exists(partition) for partition in raw] == [False, True, True], "a window that ended ten days ago to the hour stays"
    assert lake.exists(valid)
    assert report["removed"]["raw"] == {"partitions": 1, "rows": 1}
    assert report["champion"] is None
    kept = json.loads((settings.root / "rights" / "receipts" / f"{report['receipt']}.json").read_text())
    assert kept["partitions"] == ["raw/replay/games/2026-10-01"]
    again = retain("games", settings=settings, params=RetainParams(raw_days=10), now=NOW)
    assert again["receipt"] is None and again["removed"]["raw"] == {"partitions": 0, "rows": 0}


def test_scores_have_a_limit_of_their_own_and_what_is_sealed_stays(tmp_path):
    settings = make_project(tmp_path / "project")
    put_day(settings, "2026-10-01", ["an old text"])
    with versions_of(settings) as versions:
        versions.push([versions.save(settings.root / "lake" / "valid").md5])
    lake, day = Lake(settings.lake), Window.parse("2026-10-01")
    [valid] = lake.partitions("valid")
    scored = lake.partition("scored", valid.source, valid.topic, day)
    said = dict.fromkeys(LABELS, 1 / 3) | {"label": "neutral", "model_version": "1", "run_id": "0"}
    row = {name: lake.read(valid).to_pylist()[0].get(name) for name in SCORED.names} | said
    lake.write(scored, pa.Table.from_pylist([row], SCORED), {"window": day.key})
    report = retain("games", settings=settings, params=RetainParams(scored_days=20), now=NOW)
    assert (report["removed"]["scored"], report["objects_removed"]) == ({"partitions": 1, "rows": 1}, 0)
    assert (lake.exists(scored), lake.exists(valid)) == (False, True)


def test_without_limits_nothing_goes(tmp_path):
    settings = make_project(tmp_path / "project", is_git=False)
    old = put(settings, "raw", "2020-01-01")
    assert retain("games", settings=settings, params=RetainParams(), now=NOW)["receipt"] is None
    assert Lake(settings.lake).exists(old)


def test_another_topic_is_left_alone(tmp_path):
    settings = make_project(tmp_path / "project", is_git=False)
    old = put(settings, "raw", "2020-01-01")
    retain("films", settings=settings, params=RetainParams(raw_days=1), now=NOW)
    assert Lake(settings.lake).exists(old)


def test_what_was_sealed_of_it_goes_from_cache_and_remote(tmp_path):
    settings = make_project(tmp_path / "project")
    for day in ("2026-10-01", "2026-10-25"):
        put_day(settings, day, [f"text of {day}"])
    with versions_of(settings) as versions:
        sealed = versions.save(settings.root / "lake" / "valid")
        versions.push([sealed.md5])
        before = {md5 for md5, _ in versions.objects()}
    report = retain("games", settings=settings, params=RetainParams(valid_days=20), now=NOW)
    assert report["objects_removed"] == 2, "in the cache and in the remote"
    with versions_of(settings) as versions:
        assert len(before - {md5 for md5, _ in versions.objects()}) == 1


def test_earlier_revisions_go_with_the_last_and_the_other_layer_stays(tmp_path):
    settings = make_project(tmp_path / "project")
    lake, day = Lake(settings.lake), Window.parse("2026-10-01")
    note = {"source": "replay", "topic": "games", "post_id": "1", "label": "positive", "label_provenance": "human", "annotator": "a"}
    lake.write(lake.partition("labels", "replay", "games", day), pa.Table.from_pylist([note], ANNOTATION), {"window": day.key})
    texts = ["the first form", "as it was edited"]
    with versions_of(settings) as versions:
        for text in texts:
            put_day(settings, day.key, [text])
            versions.push([versions.save(settings.root / "lake" / layer).md5 for layer in ("valid", "labels")])
        sealed = [content for _, content in versions.objects()]
    assert len(sealed) == 3
    assert retain("games", settings=settings, params=RetainParams(valid_days=20), now=NOW)["objects_removed"] == 4
    with versions_of(settings) as versions:
        assert [pq.read_table(io.BytesIO(content))["annotator"].to_pylist() for _, content in versions.objects()] == [["a"]]


def test_killed_between_two_stores_the_next_run_finds_the_rest(tmp_path, monkeypatch):
    settings = make_project(tmp_path / "project")
    put_day(settings, "2026-10-01", ["an old text"])
    with versions_of(settings) as versions:
        versions.push([versions.save(settings.root / "lake" / "valid").md5])

    def killed(*args):
        raise KeyboardInterrupt

    for store, name in ((Versions, "remove"), (Lake, "remove")):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(store, name, killed)
            retain("games", settings=settings, params=RetainParams(valid_days=20), now=NOW)
    report = retain("games", settings=settings, params=RetainParams(valid_days=20), now=NOW)
    assert (report["state"], report["removed"]["valid"]["partitions"]) == ("done", 1)
    with versions_of(settings) as versions:
        assert not list(versions.objects())
    assert not list(settings.root.rglob("part-0.parquet"))
