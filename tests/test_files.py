"""A folder is replaced as a whole or not at all, on file systems that can exchange two folders and on those that can't."""

import multiprocessing
import time

import pytest

from groundswell import files
from groundswell.files import alone_in, replacing, replacing_folder


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture(params=[True, False], ids=["exchange", "two renames"])
def way(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)


def test_new_then_replaced(tmp_path, way):
    for name in ("one", "two"):
        with replacing_folder(tmp_path / "set") as beside:
            (beside / name).write_text(name)
    assert names(tmp_path) == ["set", "set/two"], "nothing of the old one, nothing left beside"


def _counted_up(folder):
    with alone_in(folder):
        before = int((folder / "count").read_text()) if (folder / "count").exists() else 0
        time.sleep(0.05)
        (folder / "count").write_text(str(before + 1))


def test_alone_in_a_folder_nobody_overwrites_what_another_wrote(tmp_path):
    runs = [multiprocessing.Process(target=_counted_up, args=(tmp_path / "dataset",)) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert (tmp_path / "dataset" / "count").read_text() == "4"


def test_writers_of_one_file_do_not_meet_beside_it_though_they_have_one_process_id(tmp_path):
    with replacing(tmp_path / "file") as one, replacing(tmp_path / "file") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "file").read_text() == "one", "the last that left"
    assert names(tmp_path) == ["file"]


def test_an_error_leaves_the_old_one(tmp_path, way):
    with replacing_folder(tmp_path / "set") as beside:
        (beside / "old").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing_folder(tmp_path / "set") as beside:
        (beside / "new").write_text("new")
        raise ZeroDivisionError
    assert names(tmp_path) == ["set", "set/old"]


def test_killed_between_two_renames_the_next_run_has_it_back(tmp_path):
    (tmp_path / ".set.old").mkdir()
    (tmp_path / ".set.old" / "old").write_text("old")
    (tmp_path / ".set.new").mkdir()
    with pytest.raises(ZeroDivisionError), replacing_folder(tmp_path / "set"):
        raise ZeroDivisionError
    assert names(tmp_path) == ["set", "set/old"]


def test_there_is_never_no_folder(tmp_path, monkeypatch):
    with replacing_folder(tmp_path / "set") as beside:
        (beside / "one").write_text("1")
    exchange = files._exchange

    def watched(one, other):
        is_done = exchange(one, other)
        assert (tmp_path / "set").is_dir()
        return is_done

    monkeypatch.setattr(files, "_exchange", watched)
    with replacing_folder(tmp_path / "set") as beside:
        (beside / "two").write_text("2")
    assert names(tmp_path / "set") == ["two"]
