"""encryption: with a key nothing of the lake can be read by whoever lacks it, and stages notice nothing."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundswell.errors import LakeError, ParamsError
from groundswell.lake import Lake
from groundswell.settings import Settings
from groundswell.window import Window
from tests.test_lake import posts

DAY = Window.parse("2026-10-19")
KEYS = ("0f" * 32, "a1" * 32)


def lake_with(tmp_path, *keys, name="lake"):
    path = tmp_path / "lake.keys"
    path.write_text("\n".join(keys))
    return Lake(Settings(project=tmp_path, home=tmp_path / name, lake_key="lake.keys" if keys else "").lake)


def put(lake, table):
    partition = lake.partition("raw", "steam", "games", DAY)
    return partition, lake.write(partition, table, {"window": DAY.key, "author": "a secret footer"})


def test_what_is_written_is_read_and_nothing_of_it_lies_open(tmp_path):
    lake = lake_with(tmp_path, KEYS[0])
    table = posts("1", "2")
    partition, described = put(lake, table)
    assert lake.read(partition).equals(table)
    assert pa.Table.from_batches(lake.batches(partition, ["text"])).column("text").to_pylist() == ["text of 1", "text of 2"]
    assert lake.metadata(partition)["window"] == described["window"] == DAY.key
    raw = (lake.storage.root / partition.name).read_bytes()
    assert raw[-4:] == b"PARE"
    for word in (b"text of", b"steam", b"post_id", b"secret footer"):
        assert word not in raw
    with pytest.raises((OSError, pa.ArrowException)):
        pq.ParquetFile(lake.storage.root / partition.name)


def test_the_content_hash_is_over_the_rows_and_the_bytes_differ_by_their_nonces(tmp_path):
    written = [put(lake_with(tmp_path, *keys, name=f"lake{number}"), posts("1"))[1] for number, keys in enumerate([(), KEYS[:1], KEYS[:1]])]
    assert len({one["content_sha256"] for one in written}) == 1
    assert len({one["sha256"] for one in written}) == 3
    lake = lake_with(tmp_path, KEYS[0], name="lake1")
    assert put(lake, posts("1"))[1]["sha256"] == written[1]["sha256"], "the same rows again: the file stays"


def test_rows_are_taken_out_of_an_encrypted_file(tmp_path):
    lake = lake_with(tmp_path, KEYS[0])
    partition, _ = put(lake, posts("1", "2"))
    lake.rewrite(partition, lambda table: table.filter(pa.compute.equal(table["post_id"], "2")), reason="erased")
    assert lake.read(partition)["post_id"].to_pylist() == ["2"]
    assert (lake.storage.root / partition.name).read_bytes()[-4:] == b"PARE"


def test_a_new_key_writes_and_the_old_one_still_reads(tmp_path):
    partition, _ = put(lake_with(tmp_path, KEYS[0]), posts("1"))
    both = lake_with(tmp_path, KEYS[1], KEYS[0])
    assert both.read(partition)["post_id"].to_pylist() == ["1"]
    put(both, posts("1", "2"))
    assert lake_with(tmp_path, KEYS[1]).read(partition).num_rows == 2


def test_files_from_before_there_was_a_key_are_read(tmp_path):
    partition, _ = put(lake_with(tmp_path), posts("1"))
    assert lake_with(tmp_path, KEYS[0]).read(partition).num_rows == 1


@pytest.mark.parametrize(("keys", "message"), [((), "set GROUNDSWELL_LAKE_KEY"), ((KEYS[1],), "not known|can't be read")])
def test_without_the_key_it_says_what_is_missing(tmp_path, keys, message):
    partition, _ = put(lake_with(tmp_path, KEYS[0]), posts("1"))
    with pytest.raises(LakeError, match=message):
        lake_with(tmp_path, *keys).read(partition)


def test_a_changed_byte_is_noticed(tmp_path):
    lake = lake_with(tmp_path, KEYS[0])
    partition, _ = put(lake, posts("1"))
    path = lake.storage.root / partition.name
    raw = bytearray(path.read_bytes())
    raw[60] ^= 1
    path.write_bytes(raw)
    with pytest.raises(LakeError, match="can't be read"):
        lake.read(partition)


@pytest.mark.parametrize("content", ["", "short", "zz" * 32, "0f" * 16])
def test_a_key_that_is_none_is_refused_and_not_shown(tmp_path, content):
    with pytest.raises(ParamsError, match="GROUNDSWELL_LAKE_KEY: expected .* 64 hex digits") as caught:
        (tmp_path / "lake.keys").write_text(content)
        Lake(Settings(project=tmp_path, home=tmp_path / "lake", lake_key="lake.keys").lake)
    assert not content or content not in str(caught.value)
