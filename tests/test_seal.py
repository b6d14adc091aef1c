"""Seal: dvc.lock, remote and branch of data say what prepare wrote; nothing else in the checkout moves."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from dvc_project import dvc, example, git, make_project, put_dataset, put_day, read_json

from groundswell.errors import DatasetError, VersionError
from groundswell.files import alone_in
from groundswell.seal import BRANCH, seal
from groundswell.versions import directory_md5, versions_of

pytestmark = pytest.mark.slow


def _splits(count=6, shift=0):
    rows = [example(shift + number, f"text {shift + number}", number % 3) for number in range(count)]
    return {"train": rows[: count // 2], "validation": rows[count // 2 : -1], "test": rows[-1:]}


@pytest.fixture
def settings(tmp_path):
    settings = make_project(tmp_path / "project")
    put_day(settings, "2026-10-19", ["a", "b"])
    put_dataset(settings, _splits())
    return settings


def _lock(settings):
    return yaml.safe_load((settings.project / "dvc.lock").read_text())["stages"]


def test_seal_versions_lake_and_data_set_and_touches_nothing_else(settings):
    before = git(settings.project, "rev-parse", "HEAD"), git(settings.project, "ls-files", "-s")
    report = seal("games", settings=settings)
    assert report["dataset_md5"] == directory_md5(settings.dataset("games"))
    assert report["lake"]["valid"] == directory_md5(settings.lake / "valid")
    assert report["locked"] == ["prepare"]
    assert _lock(settings)["prepare"]["outs"][0]["md5"] == report["dataset_md5"]
    assert before == (git(settings.project, "rev-parse", "HEAD"), git(settings.project, "ls-files", "-s"))
    assert git(settings.project, "branch", "--show-current") == "main"
    assert git(settings.project, "status", "--porcelain").splitlines() == ["?? dvc.lock", "?? var/"]
    assert "prepare" not in dvc(settings, "status", "prepare", "var/lake/valid.dvc")
    assert read_json(settings.report("seal", "games")) == report


def test_seal_again_with_nothing_new_makes_no_commit_and_pushes_nothing(settings):
    first = seal("games", settings=settings)
    lock = (settings.project / "dvc.lock").read_bytes()
    second = seal("games", settings=settings)
    assert first["pushed"] > 0 and second["pushed"] == 0
    assert {**first, "pushed": 0} == second
    assert (settings.project / "dvc.lock").read_bytes() == lock
    assert git(settings.project, "rev-list", "--count", BRANCH) == "1"


@pytest.mark.slow
def test_the_branch_of_data_gives_any_sealed_data_set_to_a_clone(settings, tmp_path):
    first = seal("games", settings=settings)
    shutil.rmtree(settings.dataset("games"))
    put_day(settings, "2026-10-20", ["c"])
    put_dataset(settings, _splits(9))
    second = seal("games", settings=settings)
    assert git(settings.project, "rev-list", BRANCH).splitlines() == [second["commit"], first["commit"]]
    assert "9 rows of 2 windows" in git(settings.project, "log", "-1", "--format=%B", BRANCH)
    for report in (first, second):
        target = tmp_path / report["commit"]
        dvc(settings, "get", ".", "var/dataset/games", "--rev", report["commit"], "-o", str(target))
        assert directory_md5(target) == report["dataset_md5"]


@pytest.mark.slow
def test_a_day_that_came_after_prepare_leaves_dvc_knowing_that_there_is_more(settings):
    seal("games", settings=settings)
    read = directory_md5(settings.lake / "valid")
    put_day(settings, "2026-10-20", ["c"])
    report = seal("games", settings=settings)
    assert report["lake_moved_on"] == {"new": ["replay/games/2026-10-20"], "changed": []}
    [valid] = [dep for dep in _lock(settings)["prepare"]["deps"] if dep["path"] == "var/lake/valid"]
    assert valid["md5"] == read != report["lake"]["valid"]
    assert "modified" in dvc(settings, "status", "prepare")


def test_a_day_that_changed_after_prepare_is_not_locked_as_its_source(settings):
    put_day(settings, "2026-10-19", ["a", "edited"])
    report = seal("games", settings=settings)
    assert report["lake_moved_on"]["changed"] == ["replay/games/2026-10-19"]
    assert report["locked"] == [] and not (settings.project / "dvc.lock").exists()
    assert report["pushed"] > 0


@pytest.mark.slow
def test_another_topic_is_sealed_beside_the_one_that_dvc_yaml_names(settings):
    seal("games", settings=settings)
    put_day(settings, "2026-10-19", ["x"], topic="finance")
    put_dataset(settings, _splits(shift=100), topic="finance")
    report = seal("finance", settings=settings)
    assert report["locked"] == []
    assert "var/dataset/finance.dvc" in git(settings.project, "ls-tree", "-r", "--name-only", BRANCH).splitlines()
    target = settings.project.parent / "got"
    dvc(settings, "get", ".", "var/dataset/finance", "--rev", BRANCH, "-o", str(target))
    assert directory_md5(target) == report["dataset_md5"]


def test_without_git_seal_says_so_and_still_versions(tmp_path):
    settings = make_project(tmp_path / "project", is_git=False)
    put_day(settings, "2026-10-19", ["a"])
    put_dataset(settings, _splits())
    report = seal("games", settings=settings)
    assert report["commit"] is None and "no git checkout" in report["git"]
    assert report["locked"] == ["prepare"] and report["pushed"] > 0


def test_a_home_outside_the_project_and_another_remote_work(settings, tmp_path):
    away = settings.model_copy(update={"home": tmp_path / "elsewhere", "dvc_remote": str(tmp_path / "remote")})
    put_day(away, "2026-10-19", ["a"])
    put_dataset(away, _splits())
    report = seal("games", settings=away)
    assert report["locked"] == [] and report["remote"] == str(tmp_path / "remote")
    assert list((tmp_path / "remote").rglob("*.dir"))
    assert not (settings.root / "dvc-cache").exists()


@pytest.mark.slow
def test_seal_works_from_any_folder_and_with_an_unknown_committer(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    report = seal("games", settings=settings)
    assert git(settings.project, "log", "-1", "--format=%an <%ae>", report["commit"]) == "groundswell <groundswell@localhost>"


def test_a_branch_of_data_that_is_checked_out_is_not_written(settings):
    git(settings.project, "checkout", "-q", "-b", BRANCH)
    with pytest.raises(VersionError, match="checked out"):
        seal("games", settings=settings)


@pytest.mark.slow
def test_a_project_in_a_subfolder_of_its_checkout_is_recorded_there(tmp_path):
    settings = make_project(tmp_path / "repository" / "project", is_git=False)
    git(tmp_path / "repository", "init", "-q")
    put_day(settings, "2026-10-19", ["a"])
    put_dataset(settings, _splits())
    (settings.project / ".dvc" / "config").open("a").write("")
    report = seal("games", settings=settings)
    assert "project/dvc.lock" in git(settings.project, "ls-tree", "-r", "--name-only", "--full-tree", report["commit"]).splitlines()


def test_no_data_set_is_said(settings):
    with pytest.raises(DatasetError, match="run groundswell prepare"):
        seal("finance", settings=settings)


@pytest.mark.slow
def test_the_command_prints_one_line_of_json(settings):
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.cli", "seal"],
        cwd=settings.project.parent,
        env={**os.environ, "GROUNDSWELL_PROJECT": str(settings.project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 and '"stage": "seal"' in done.stdout


@pytest.mark.slow
def test_two_seals_wait_for_each_other(settings):
    with versions_of(settings) as versions:
        md5 = versions.save(settings.dataset("games")).md5
        other = subprocess.Popen(
            [sys.executable, "-m", "groundswell.cli", "seal"],
            env={**os.environ, "GROUNDSWELL_PROJECT": str(settings.project)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=2)
    assert md5 in other.communicate(timeout=60)[0].decode()
    assert other.returncode == 0


def test_seal_waits_for_whoever_replaces_the_data_set_and_records_the_one_that_came(settings):
    with ThreadPoolExecutor(1) as pool:
        with alone_in(settings.dataset("games").parent):
            sealing = pool.submit(seal, "games", settings=settings)
            with pytest.raises(TimeoutError):
                sealing.result(timeout=2)
            put_dataset(settings, _splits(count=9, shift=100))
        report = sealing.result(timeout=60)
    assert report["rows"] == 9 and report["dataset_md5"] == directory_md5(settings.dataset("games"))
