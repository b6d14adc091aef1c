"""Kin: what a champion of another data set has met of the test rows, and what an erasure leaves of it."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
from dvc_project import example, make_project, put_dataset
from pydantic import SecretStr

from groundswell import tombstones
from groundswell.erasure import datasets
from groundswell.kin import KIN, kin_of, kin_table, row_hashes
from groundswell.tombstones import Tombstones


def kin_lines(*lines: tuple[str, int, bool]) -> pa.Table:
    columns = ("row_id", "source", "post_id", "key", "is_test", "is_validation")
    rows = [dict(zip(columns, (row_id, "steam", row_id, key, is_test, False), strict=True)) for row_id, key, is_test in lines]
    return pa.Table.from_pylist(rows, KIN)


def test_kin_share_a_key_and_chains_of_keys_do_not_count():
    kin = kin_lines(("old", 1, False), ("a", 1, True), ("b", 1, True), ("b", 2, True), ("left out", 2, False), ("c", 2, True))
    assert kin_of(row_hashes(["old"]), kin) == {"a", "b"}
    assert kin_of(row_hashes(["left out", "another data set's"]), kin) == {"b", "c"}
    assert kin_of(row_hashes([]), kin) == kin_of(row_hashes(["nobody"]), kin) == set()


def test_rows_that_no_split_took_are_kin_and_what_has_nothing_to_do_with_test_is_not():
    rows = [SimpleNamespace(row_id=f"steam/games/{name}", source="steam", post_id=name) for name in "abcdef"]
    split = [None, "train", "test", "test", "train", "test"]
    keyings = {"author": ["otter", "heron", "otter", "lynx", "heron", None], "duplicates": [1, 2, 3, 4, 4, None]}
    kin = kin_table(rows, split, keyings)
    assert kin.schema == KIN
    assert [(row["post_id"], row["is_test"]) for row in kin.to_pylist()] == [("a", False), ("c", True), ("d", True), ("e", False)]
    assert kin_of(row_hashes(["steam/games/a"]), kin) == {"steam/games/c"}
    assert kin_of(row_hashes(["steam/games/e", "steam/games/b"]), kin) == {"steam/games/d"}
    assert kin_table(rows, ["train"] * 6, keyings).num_rows == 0 and kin_of(row_hashes(["steam/games/a"]), kin_table([], [], {})) == set()


def test_validation_rows_have_kin_of_their_own():
    rows = [SimpleNamespace(row_id=f"steam/games/{name}", source="steam", post_id=name) for name in "abcdef"]
    split = [None, "validation", "train", "train", None, "test"]
    kin = kin_table(rows, split, {"author": ["otter", "otter", "heron", "heron", "lynx", "lynx"]})
    assert [(row["post_id"], row["is_validation"], row["is_test"]) for row in kin.to_pylist()] == [
        ("a", False, False),
        ("b", True, False),
        ("e", False, False),
        ("f", False, True),
    ]
    learnt = row_hashes([f"steam/games/{name}" for name in "ae"])
    assert kin_of(learnt, kin, "validation") == {"steam/games/b"} and kin_of(learnt, kin) == {"steam/games/f"}


def test_what_was_erased_is_no_kin_any_more(tmp_path):
    settings = make_project(tmp_path / "project", is_git=False).model_copy(update={"pseudonym_key": SecretStr("a-key-that-only-the-tests-know")})
    rows = [example(number, f"text {number}", number % 3) for number in range(9)]
    folder = put_dataset(settings, {"train": rows[:3], "validation": rows[3:6], "test": rows[6:]})
    facts = {"source": "replay", "key": 0, "is_validation": False}
    lines = [{"row_id": f"replay/games/{name}", "post_id": name, "is_test": name == "6", **facts} for name in ("6", "left", "out")]
    pq.write_table(pa.Table.from_pylist(lines, KIN), folder / "kin.parquet")
    tombstones.add(settings, "replay", post_ids=["left"])
    assert datasets.clean(folder, {}, Tombstones(settings)) == {"train": 0, "validation": 0, "test": 0}
    assert pq.ParquetFile(folder / "kin.parquet").read()["post_id"].to_pylist() == ["6", "out"]
