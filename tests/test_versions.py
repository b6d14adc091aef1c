"""DVC's versions: the md5 is DVC's own, what was saved comes back byte for byte, what is not there is said."""

import os
import shutil

import pytest
from dvc_project import dvc, make_project, put_day

from groundswell.errors import VersionError
from groundswell.versions import directory_md5, versions_of


@pytest.fixture
def settings(tmp_path):
    return make_project(tmp_path / "project")


def _folder(path, **files):
    for name, text in files.items():
        target = path / name.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return path


def test_the_md5_of_a_folder_is_the_one_that_dvc_writes(settings):
    folder = _folder(settings.lake / "valid", b="2", a__z="1", a__ä="ü", B="0", **{"a!__x": "3"})
    _folder(folder, **{".part-0.parquet.4711": "half written"})
    dvc(settings, "add", "var/lake/valid")
    assert f"md5: {directory_md5(folder)}\n" in (settings.lake / "valid.dvc").read_text()


@pytest.mark.slow
def test_an_empty_folder_has_dvcs_md5_too(settings):
    (settings.lake / "labels").mkdir(parents=True)
    dvc(settings, "add", "var/lake/labels")
    assert directory_md5(settings.lake / "labels") in (settings.lake / "labels.dvc").read_text()


def test_the_md5_of_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(VersionError, match="not a folder"):
        directory_md5(tmp_path / "none")


@pytest.mark.slow
def test_a_pointer_is_the_one_that_dvc_add_writes(settings):
    put_day(settings, "2026-10-19", ["a", "b"])
    with versions_of(settings) as versions:
        pointer = versions.point(settings.lake / "valid", versions.save(settings.lake / "valid"))
    ours = pointer.read_bytes()
    assert "up to date" in dvc(settings, "status", "var/lake/valid.dvc")
    dvc(settings, "add", "var/lake/valid")
    assert pointer.read_bytes() == ours


def test_what_was_pushed_comes_back_without_the_cache(settings):
    folder = _folder(settings.root / "things", one="1", deep__two="2")
    with versions_of(settings) as versions:
        saved = versions.save(folder)
        assert (saved.size, saved.files) == (2, 2)
        assert versions.push([saved.md5]) == 3  # two files and their listing
        assert versions.push([saved.md5]) == 0
    shutil.rmtree(settings.root / "dvc-cache")
    (folder / "one").write_text("changed")
    (folder / "extra").write_text("gone afterwards")
    with versions_of(settings) as versions:
        versions.restore(saved.md5, folder)
    assert directory_md5(folder) == saved.md5
    assert sorted(path.name for path in folder.parent.iterdir() if "thing" in path.name) == ["things"]
    assert os.access(folder / "one", os.W_OK)


@pytest.mark.parametrize("lost", ["the listing", "one file"])
def test_what_the_remote_has_lost_is_named_and_nothing_is_touched(settings, lost):
    folder = _folder(settings.root / "things", one="1", two="2")
    with versions_of(settings) as versions:
        saved = versions.save(folder)
        versions.push([saved.md5])
    shutil.rmtree(settings.root / "dvc-cache")
    md5 = saved.md5 if lost == "the listing" else "c4ca4238a0b923820dcc509a6f75849b"
    (settings.root / "dvc-remote" / "files" / "md5" / md5[:2] / md5[2:]).unlink()
    (folder / "one").write_text("changed")
    with pytest.raises(VersionError, match="neither in the DVC remote"), versions_of(settings) as versions:
        versions.restore(saved.md5, folder)
    assert (folder / "one").read_text() == "changed"


def test_a_remote_that_is_out_of_reach_is_said(settings, tmp_path):
    (tmp_path / "file").write_text("no folder")
    unreachable = settings.model_copy(update={"dvc_remote": str(tmp_path / "file" / "remote")})
    folder = _folder(settings.root / "things", one="1")
    with pytest.raises(VersionError), versions_of(unreachable) as versions:
        versions.push([versions.save(folder).md5])


def test_a_folder_that_is_no_dvc_project_is_said(settings, tmp_path):
    with pytest.raises(VersionError, match="not a DVC project"), versions_of(settings.model_copy(update={"project": tmp_path})):
        pass
