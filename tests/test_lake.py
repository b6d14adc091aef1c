"""The lake: whole files or none, the same rows the same bytes, and a footer that says what is in them."""

import multiprocessing
import os
import signal
import time

import pyarrow as pa
import pytest

from groundswell.errors import LakeError
from groundswell.files import replacing
from groundswell.lake import Lake
from groundswell.schema import POST
from groundswell.window import Window

DAY = Window.parse("2026-10-19")


def posts(*ids, **columns):
    rows = [{name: None for name in POST.names} for _ in ids]
    for row, post_id in zip(rows, ids, strict=True):
        row.update(source="steam", topic="games", post_id=post_id, created_at=DAY.start, text=f"text of {post_id}", **columns)
    return pa.Table.from_pylist(rows, schema=POST)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


@pytest.fixture
def partition(lake):
    return lake.partition("raw", "steam", "games", DAY)


def test_what_is_written_is_read_with_its_footer(lake, partition):
    described = lake.write(partition, posts("1", "2"), {"window": DAY.key})
    assert partition.path.relative_to(lake.root).as_posix() == "raw/source=steam/topic=games/date=2026-10-19/part-0.parquet"
    assert lake.read(partition).equals(posts("1", "2"))
    assert (described["rows"], described["window"]) == (2, DAY.key)
    assert lake.partitions("raw", topic="games") == [partition]
    assert list(lake.manifest([partition])) == ["steam/games/2026-10-19"]


def test_the_same_rows_give_the_same_bytes(tmp_path):
    first, second = (Lake(tmp_path / name) for name in "ab")
    paths = [one.partition("raw", "steam", "games", DAY) for one in (first, second)]
    for one, path in zip((first, second), paths, strict=True):
        one.write(path, posts("1", "2"), {"window": DAY.key})
    assert paths[0].path.read_bytes() == paths[1].path.read_bytes()


def test_likes_that_moved_make_no_new_revision_but_a_text_does(lake, partition):
    lake.write(partition, posts("1", likes=1), {})
    before = partition.path.read_bytes()
    lake.write(partition, posts("1", likes=99), {})
    assert partition.path.read_bytes() == before
    lake.write(partition, posts("1", lang="en"), {})
    assert partition.path.read_bytes() != before


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


def test_a_torn_line_of_the_ledger_is_passed_over(lake, partition):
    lake.write(partition, posts("1"), {})
    (lake.root / "revisions.jsonl").write_text('{"layer": "ra')
    lake.write(partition, posts("2"), {}, reason="changed")
    assert [line["revision"] for line in lake.revisions()] == [2]


def _write_often(root, name, times):
    lake = Lake(root)
    for number in range(times):
        lake.write(lake.partition("raw", "steam", "games", DAY), posts(f"{name}{number}"), {}, reason=name)


def test_two_writers_at_once_share_no_revision(lake, partition):
    writers = [multiprocessing.Process(target=_write_often, args=(lake.root, name, 10)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [line["revision"] for line in lake.revisions()] == list(range(2, 21))
    assert lake.metadata(partition)["revision"] == 20


def test_rows_are_taken_out_under_the_lock_and_the_footer_stays(lake, partition):
    first = lake.write(partition, posts("1", "2"), {"window": DAY.key, "connector_version": "steam-1"})
    described = lake.rewrite(partition, lambda table: table.slice(1), reason="erased")
    assert lake.read(partition)["post_id"].to_pylist() == ["2"]
    assert (described["rows"], described["revision"], described["connector_version"], described["reason"]) == (1, 2, "steam-1", "erased")
    assert described["supersedes"] == first["content_sha256"]
    untouched = partition.path.read_bytes()
    lake.rewrite(partition, lambda table: table, reason="erased")
    assert partition.path.read_bytes() == untouched


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
    partition.path.write_bytes(partition.path.read_bytes()[:-20])
    with pytest.raises(LakeError, match="part-0.parquet can't be read"):
        lake.read(partition)


def test_hours_lie_below_their_day(lake):
    hour = lake.partition("raw", "steam", "games", Window.parse("2026-10-19T05"))
    lake.write(hour, posts("1"), {})
    assert lake.partitions("raw") == [hour]


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
