"""The house: one word for one thing everywhere, light doors, and nothing that shadows a package."""

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from groundswell.cli import app
from groundswell.params import Params

PROJECT = Path(__file__).parent.parent
STAGES = (
    "collect",
    "annotate",
    "validate",
    "impact",
    "coverage",
    "prepare",
    "seal",
    "train",
    "evaluate",
    "judge",
    "report",
    "promote",
    "verify",
    "score",
    "monitor",
    "erase",
    "takedown",
    "retain",
    "compare",
    "tune",
)
WITHOUT_PARAMS = ("coverage", "impact", "seal", "verify", "erase", "report")
HEAVY = ("torch", "transformers", "mlflow", "evidently", "great_expectations", "dvc", "sklearn", "pandas", "datasets", "airflow", "onnxruntime")


def subcommands():
    return typer.main.get_command(app).commands


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_one_word(stage):
    assert stage in subcommands(), "subcommand"
    assert (PROJECT / "tests" / f"test_{stage}.py").is_file(), "test file"
    page = PROJECT / "docs" / "stages" / f"{stage}.md"
    assert page.read_text().lower().startswith(f"# {stage}"), "heading"
    if stage not in WITHOUT_PARAMS:
        sections = {field.alias or name for name, field in Params.model_fields.items()}
        assert stage in sections, "section of params.yaml"


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_function_in_its_module(stage):
    assert callable(getattr(importlib.import_module(f"groundswell.{stage}"), stage))


def test_what_is_installed_is_all_that_is_here():
    """The list is written by hand: a folder that it does not name is missing wherever Groundswell is not run from its checkout."""
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    files = [
        path for root in ("src/groundswell", "serving") for path in (PROJECT / root).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    folders = {path.parent.relative_to(PROJECT).as_posix().removeprefix("src/"): path.parent for path in files}
    assert set(told["packages"]) == {folder.replace("/", ".") for folder in folders}
    places = {
        name: told["package-dir"].get(name) or f"{told['package-dir'][name.rpartition('.')[0]]}/{name.rpartition('.')[2]}"
        for name in told["packages"]
    }
    assert places == {folder.replace("/", "."): path.relative_to(PROJECT).as_posix() for folder, path in folders.items()}
    data = {path for path in files if path.suffix != ".py"} - {PROJECT / "serving" / "Dockerfile"}
    shipped = {path for name, patterns in told["package-data"].items() for pattern in patterns for path in (PROJECT / places[name]).glob(pattern)}
    assert data <= shipped


def test_dvc_stages_bear_the_stages_names():
    for name, stage in yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"].items():
        assert name in STAGES
        assert stage["cmd"].startswith(f"groundswell {name} ")


@pytest.mark.parametrize("arguments", [["--help"], ["collect", "--help"], ["validate", "--window", "nonsense"]])
def test_the_door_is_light(arguments):
    code = f"""
import json, sys
sys.argv = ["groundswell", *{arguments!r}]
from groundswell.cli import main
try:
    main()
except SystemExit:
    pass
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_no_folder_of_ours_shadows_a_package():
    assert not list((PROJECT / "mlflow").rglob("*.py"))
    ours = {path.stem for folder in ("dags", "plugins") for path in (PROJECT / folder).glob("*.py")}
    assert not ours & {*HEAVY, *sys.stdlib_module_names, "groundswell", "serving", "fastapi", "pydantic"}


def test_an_error_is_one_sentence_and_its_exit_status():
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.cli", "validate", "--window", "nonsense"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("groundswell: window 'nonsense': expected a UTC day")
    assert "Traceback" not in done.stderr


def test_files_are_in_the_readmes_map():
    readme = (PROJECT / "README.md").read_text()
    for folder in ("dags", "plugins", "src", "serving", "mlflow", "tests", "benchmarks", "docs", "requirements"):
        assert f"`{folder}/`" in readme, folder
    for file in ("dvc.yaml", "params.yaml", "docker-compose.yml", "Makefile"):
        assert file in readme, file
