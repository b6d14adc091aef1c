"""A new source as `new-source` writes it: it works, and keeps the contract, before anybody has touched it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from groundswell.errors import UsageError
from groundswell.new_source import new_package, new_source

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path):
    """What a source is added to: the code and the tests of sources."""
    for folder in ("src/groundswell", "tests/sources"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/simulated.py", "tests/conftest.py", "tests/waiting.py"):
        shutil.copy(PROJECT / file, tmp_path / file)
    return tmp_path


def pytest_in(folder, *arguments, path):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_new_source_keeps_the_contract_as_it_is_written(checkout):
    report = new_source("my_forum", project=checkout)
    assert report["written"] == ["src/groundswell/sources/my_forum.py", "src/groundswell/sources/__init__.py", "tests/sources/cases.py"]
    done = pytest_in(checkout, "tests/sources/test_contract.py", "-k", "my_forum or has_a_case", path="src")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "skipped" not in done.stdout


def test_what_is_written_is_in_the_house_style(checkout):
    new_source("my_forum", project=checkout)
    for tool in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *tool, "src/groundswell/sources", "tests/sources"]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def package(folder):
    """A package, installed as far as it takes to be found: its folder and its entry point on the path, as pip would leave them."""
    report = new_package("my_forum", folder)
    points = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]["groundswell.sources"]
    info = folder / "groundswell_my_forum-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: groundswell-my-forum\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[groundswell.sources]\n" + "".join(f"{name} = {value}\n" for name, value in points.items()))
    return report, f"{PROJECT / 'src'}:{folder}"


def test_a_package_of_its_own_keeps_the_contract_and_is_found(tmp_path):
    report, path = package(tmp_path / "package")
    assert [Path(path).name for path in report["written"]] == ["pyproject.toml", "README.md", "groundswell_my_forum.py", "test_contract.py"]
    done = pytest_in(tmp_path / "package", path=path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 25


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ('word(page.get("next")) or ""', '""', "test_every_page_is_asked_for"),
        ("created not in reading", "created is None", "test_the_parts_of_a_window_are_the_window"),
        ('author=word(user.get("id"))', "author=None", "test_author_ids_end_here"),
    ],
    ids=["stops after a page", "takes what lies outside", "does not say who wrote it"],
)
def test_a_source_that_loses_or_adds_or_tells_does_not_pass(tmp_path, right, wrong, rule):
    _, path = package(tmp_path / "package")
    module = tmp_path / "package" / "groundswell_my_forum.py"
    text = module.read_text()
    assert right in text
    module.write_text(text.replace(right, wrong))
    done = pytest_in(tmp_path / "package", "-x", "-k", rule, path=path)
    assert done.returncode == 1 and f"::{rule}" in done.stdout and "AssertionError" in done.stdout, done.stdout[-2000:]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My-Forum", "expected a module's name"),
        ("class", "expected a module's name"),
        ("../up", "expected a module's name"),
        ("", "expected a module's name"),
        ("steam", "is there already"),
    ],
)
def test_a_name_that_can_not_be_is_refused(tmp_path, name, message):
    with pytest.raises(UsageError, match=message):
        new_source(name, project=PROJECT)
    with pytest.raises(UsageError, match=message):
        new_package(name, tmp_path / "package")
    assert not list(tmp_path.iterdir())


def test_outside_a_checkout_it_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="expected a checkout of Groundswell .* --package FOLDER"):
        new_source("my_forum", project=tmp_path)


def test_nothing_that_is_there_is_written_over(checkout, tmp_path):
    new_source("my_forum", project=checkout)
    with pytest.raises(UsageError, match="my_forum.py is there already"):
        new_source("my_forum", project=checkout)
    with pytest.raises(UsageError, match="is not empty"):
        new_package("my_forum", checkout)
