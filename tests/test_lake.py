"""The lake: whole files or none, the same rows the same bytes, and a footer that says what is in them; in a folder and on S3 alike."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time

import pyarrow as pa
import pytest

from groundswell.errors import LakeChanged, LakeError
from groundswell.files import replacing
from groundswell.lake import Lake
from groundswell.schema import POST
from groundswell.settings import Place
from groundswell.window import Window
from tests.object_storage import new_place, object_storage

pytestmark = pytest.mark.slow

DAY = Window.parse("2026-10-19")
AT_ONCE = {"config_kwargs": {"retries": {"max_attempts": 0}}}


def posts(*ids, **columns):
    rows = [{name: None for name in POST.names} for _ in ids]
    for row, post_id in zip(rows, ids, strict=True):
        row.update(source="steam", topic="games", post_id=post_id, created_at=DAY.start, text=f"text of {post_id}", **columns)
    return pa.Table.from_pylist(rows, schema=POST)


@pytest.fixture(scope="module")
def s3():
    with object_storage() as options:
        yield options


@pytest.fixture(params=["folder", "S3"])
def place(request, tmp_path):
    return tmp_path / "lake" if request.param == "folder" else new_place(request.getfixturevalue("s3"))


@pytest.fixture
def lake(place):
    return Lake(place)


def bytes_of(lake, partition):
    with lake.storage.opened(partition.name) as file:
        return file.read()


def names(lake):
    """All that anybody could see in the lake."""
    return sorted(lake.storage.names(""))


@pytest.fixture
def partition(lake):
    return lake.partition("raw", "steam", "games", DAY)


def test_what_is_written_is_read_with_its_footer(lake, partition):
    described = lake.write(partition, posts("1", "2"), {"window": DAY.key})
    assert partition.name == "raw/source=steam/topic=games/date=2026-10-19/part-0.parquet"
    assert lake.read(partition).equals(posts("1", "2"))
    assert (described["rows"], described["window"]) == (2, DAY.key)
    assert lake.partitions("raw", topic="games") == [partition]
    assert list(lake.manifest([partition])) == ["steam/games/2026-10-19"]


def test_the_same_rows_give_the_same_bytes_wherever_they_are_written(lake, partition, tmp_path):
    other = Lake(tmp_path / "other")
    for one in (lake, other):
        one.write(partition, posts("1", "2"), {"window": DAY.key})
    assert bytes_of(lake, partition) == bytes_of(other, partition)


def test_the_bytes_do_not_depend_on_how_the_rows_came(tmp_path, monkeypatch):
    monkeypatch.setattr("groundswell.lake.ROW_GROUP", 64)
    rows, lakes = posts(*(f"{number:04d}" for number in range(300))), [Lake(tmp_path / name) for name in "abc"]
    for lake, at_once in zip(lakes, (300, 64, 7), strict=True):
        with lake.writing(lake.partition("raw", "steam", "games", DAY), POST, {}) as out:
            for first in range(0, 300, at_once):
                out.add(rows.slice(first, at_once))
    partition = lakes[0].partition("raw", "steam", "games", DAY)
    assert len({bytes_of(lake, partition) for lake in lakes}) == 1
    assert [batch.num_rows for batch in lakes[0].batches(partition, ["text"])] == [64, 64, 64, 64, 44]
    assert pa.Table.from_batches(lakes[0].batches(partition)).equals(rows)


def test_likes_that_moved_make_no_new_revision_but_a_text_does(lake, partition):
    lake.write(partition, posts("1", likes=1), {})
    before = bytes_of(lake, partition)
    lake.write(partition, posts("1", likes=99), {})
    assert bytes_of(lake, partition) == before
    lake.write(partition, posts("1", lang="en"), {})
    assert bytes_of(lake, partition) != before


def test_other_content_is_the_next_revision_with_its_reason(lake, partition):
    first = lake.write(partition, posts("1"), {})
    assert first["revision"] == 1 and lake.revisions() == []
    second = lake.write(partition, posts("1", "2"), {}, reason="collected again after a day")
    assert (second["revision"], second["supersedes"], second["reason"]) == (2, first["content_sha256"], "collected again after a day")
    third = lake.write(partition, posts("1"), {}, reason="deleted upstream")
    assert (third["revision"], third["content_sha256"], third["supersedes"]) == (3, first["content_sha256"], second["content_sha256"])
    assert [(line["layer"], line["key"], line["revision"], line["rows"], line["reason"]) for line in lake.revisions()] == [
        ("raw", partition.key, 2, {"before": 1, "after": 2}, "collected again after a day"),
        ("raw", partition.key, 3, {"before": 2, "after": 1}, "deleted upstream"),
    ]


def test_the_same_content_is_no_revision(lake, partition):
    first = lake.write(partition, posts("1"), {})
    assert lake.write(partition, posts("1", likes=3), {}, reason="again") == first
    assert lake.revisions() == []


def test_a_torn_line_of_the_ledger_is_passed_over(tmp_path):
    lake = Lake(tmp_path)
    partition = lake.partition("raw", "steam", "games", DAY)
    lake.write(partition, posts("1"), {})
    (tmp_path / "revisions.jsonl").write_text('{"layer": "ra')
    lake.write(partition, posts("2"), {}, reason="changed")
    assert [line["revision"] for line in lake.revisions()] == [2]


def _write_often(place, name, times):
    lake = Lake(place)
    for number in range(times):
        while True:
            with contextlib.suppress(LakeChanged):
                lake.write(lake.partition("raw", "steam", "games", DAY), posts(f"{name}{number}"), {}, reason=name)
                break


@pytest.mark.slow
def test_two_writers_at_once_share_no_revision(lake, place, partition):
    spawned = multiprocessing.get_context("spawn")
    writers = [spawned.Process(target=_write_often, args=(place, name, 4)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert lake.metadata(partition)["revision"] == 8
    assert {line["revision"] for line in lake.revisions()} == set(range(2, 9))


@pytest.mark.parametrize("url", ["memory://lake", "file://{}/lake", "dir://a/lake"])
def test_any_url_of_fsspec_is_a_lake(url, tmp_path):
    """``dir`` over this machine's disk stands for what has folders and is not S3, as SFTP."""
    options = {"target_protocol": "file", "path": str(tmp_path)} if url.startswith("dir") else {}
    lake = Lake(Place(url.format(tmp_path), options))
    partition = lake.partition("raw", "steam", "games", DAY)
    lake.write(partition, posts("1"), {})
    lake.write(partition, posts("1", "2"), {}, reason="late")
    assert (lake.metadata(partition)["revision"], [line["reason"] for line in lake.revisions()]) == (2, ["late"])
    assert lake.partitions("raw") == [partition] and lake.read(partition).num_rows == 2
    lake.remove(partition)
    assert not lake.exists(partition)


@pytest.mark.parametrize("kind", ["S3", "memory"])
def test_a_writer_that_was_overtaken_says_so_and_one_that_brings_the_same_is_content(kind, request):
    place = new_place(request.getfixturevalue("s3")) if kind == "S3" else Place("memory://overtaken")
    lake, other = Lake(place), Lake(place)
    partition = lake.partition("raw", "steam", "games", DAY)
    lake.write(partition, posts("1"), {})
    overtaken = other.storage.publish
    for brought, is_refused in ((posts("3"), True), (posts("2"), False)):

        def late(path, name, over):
            lake.write(partition, posts("2"), {})
            overtaken(path, name, over)

        other.storage.publish = late
        with pytest.raises(LakeChanged, match="replaced by somebody else") if is_refused else contextlib.nullcontext():
            other.write(partition, brought, {})
        assert lake.read(partition)["post_id"].to_pylist() == ["2"]
        lake.write(partition, posts("1"), {})


def test_s3_itself_refuses_what_overtakes_between_look_and_write(s3):
    lake = Lake(new_place(s3))
    partition = lake.partition("raw", "steam", "games", DAY)
    lake.write(partition, posts("1"), {})
    there = lake.storage.stamp(partition.name)
    lake.storage.stamp = lambda name: "of-before"  # as if it had looked just before somebody else's write
    with lake.storage.scratch(partition.name) as path:
        path.write_bytes(b"late")
        with pytest.raises(LakeChanged, match="replaced by somebody else"):
            lake.storage.publish(path, partition.name, "of-before")
        lake.storage.stamp = lambda name: None
        with pytest.raises(LakeChanged, match="replaced by somebody else"):
            lake.storage.publish(path, partition.name, None)
    del lake.storage.stamp
    assert lake.storage.stamp(partition.name) == there


def test_rows_are_taken_out_under_the_lock_and_the_footer_stays(lake, partition):
    first = lake.write(partition, posts("1", "2"), {"window": DAY.key, "connector_version": "steam-1"})
    described = lake.rewrite(partition, lambda table: table.slice(1), reason="erased")
    assert lake.read(partition)["post_id"].to_pylist() == ["2"]
    assert (described["rows"], described["revision"], described["connector_version"], described["reason"]) == (1, 2, "steam-1", "erased")
    assert described["supersedes"] == first["content_sha256"]
    untouched = bytes_of(lake, partition)
    lake.rewrite(partition, lambda table: table, reason="erased")
    assert bytes_of(lake, partition) == untouched


def test_what_is_removed_was_never_collected(lake, partition):
    lake.write(partition, posts("1"), {})
    lake.remove(partition)
    lake.remove(partition)
    assert not lake.exists(partition) and lake.partitions("raw") == []


def test_no_posts_is_not_the_same_as_not_run(lake, partition):
    with pytest.raises(LakeError, match="not in the lake"):
        lake.read(partition)
    lake.write(partition, POST.empty_table(), {})
    assert lake.read(partition).schema.equals(POST)


def test_a_damaged_file_is_named(lake, partition):
    lake.write(partition, posts("1"), {})
    damaged = bytes_of(lake, partition)[:-20]
    with lake.storage.scratch(partition.name) as path:
        path.write_bytes(damaged)
        lake.storage.publish(path, partition.name, lake.storage.stamp(partition.name))
    for look in (lake.read, lake.metadata):
        with pytest.raises(LakeError, match="part-0.parquet can't be read"):
            look(partition)


def test_hours_lie_below_their_day(lake):
    hour = lake.partition("raw", "steam", "games", Window.parse("2026-10-19T05"))
    lake.write(hour, posts("1"), {})
    assert lake.partitions("raw") == [hour]


def _write_for_ever(place, ready):
    lake = Lake(place)
    with lake.writing(lake.partition("raw", "steam", "games", DAY), POST, {}) as out:
        out.add(posts("2"))
        ready.set()
        time.sleep(60)


def test_a_killed_writer_leaves_nothing_to_be_seen(lake, place, partition):
    lake.write(partition, posts("1"), {})
    before = names(lake)
    spawned = multiprocessing.get_context("spawn")
    ready = spawned.Event()
    writer = spawned.Process(target=_write_for_ever, args=(place, ready))
    writer.start()
    assert ready.wait(30)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert names(lake) == before and lake.partitions("raw") == [partition]
    assert lake.read(partition)["post_id"].to_pylist() == ["1"]
    lake.write(partition, posts("2"), {})
    assert lake.metadata(partition)["revision"] == 2


@pytest.mark.slow
def test_who_reads_during_writes_sees_one_version_whole(lake, place, partition):
    versions = [posts(*(f"{version}-{number}" for number in range(50 * version))) for version in (1, 2)]
    lake.write(partition, versions[0], {})
    is_over = threading.Event()

    def write():
        writer = Lake(place)
        for number in range(1, 12):
            writer.write(partition, versions[number % 2], {})
        is_over.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not is_over.is_set():
        table = lake.read(partition)
        assert any(table.equals(version) for version in versions)
        assert lake.metadata(partition)["rows"] in (50, 100)
        seen.add(table.num_rows)
    thread.join()
    assert seen


def test_an_error_while_rows_come_leaves_the_old_file(lake, partition):
    lake.write(partition, posts("1"), {})
    before = names(lake)
    with pytest.raises(ZeroDivisionError), lake.writing(partition, POST, {}) as out:
        out.add(posts("2"))
        raise ZeroDivisionError
    assert names(lake) == before and lake.read(partition)["post_id"].to_pylist() == ["1"]


def test_object_storage_out_of_reach_is_one_sentence(tmp_path):
    lake = Lake(Place("s3://nowhere/lake", {"endpoint_url": "http://127.0.0.1:9", "key": "k", "secret": "s", **AT_ONCE}))
    with pytest.raises(LakeError, match="GROUNDSWELL_LAKE_URL"):
        lake.partitions("raw")
    with pytest.raises(LakeError, match="GROUNDSWELL_LAKE_URL"):
        Lake(Place("nonsense://x")).partitions("raw")


def _write_slowly(path, ready):
    with replacing(path) as beside:
        beside.write_bytes(b"half")
        ready.set()
        time.sleep(60)


def test_killed_while_writing_leaves_the_old_file_and_the_next_write_completes(tmp_path):
    path = tmp_path / "part-0.parquet"
    path.write_bytes(b"old")
    ready = multiprocessing.Event()
    writer = multiprocessing.Process(target=_write_slowly, args=(path, ready))
    writer.start()
    assert ready.wait(10)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert path.read_bytes() == b"old"
    with replacing(path) as beside:
        beside.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_an_error_while_writing_leaves_nothing_behind(tmp_path):
    with pytest.raises(RuntimeError), replacing(tmp_path / "file") as beside:
        beside.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
