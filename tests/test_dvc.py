"""dvc.yaml: the stages' own words and sources, and `dvc repro`, metrics and plots that work and agree with a run by hand."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from dvc_project import REPOSITORY, dvc, make_project, put_day, read_json

from groundswell.params import Params
from groundswell.schema import LABELS
from groundswell.seal import BRANCH, seal
from groundswell.versions import IGNORED, directory_md5

STAGES = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]


def test_stages_call_the_subcommand_of_their_name_and_read_the_section_of_their_name():
    assert list(STAGES) == ["prepare", "train", "evaluate"]
    for name, stage in STAGES.items():
        assert stage["cmd"] == f"groundswell {name} --topic ${{topic}}"
        assert stage["params"] == ([name, "hygiene"] if name == "prepare" else [name]) and name in Params.model_fields


def test_every_source_that_a_stage_names_is_there():
    named = [Path(path) for stage in STAGES.values() for path in stage["deps"] if path.startswith("src/")]
    assert named and all((REPOSITORY / path).is_file() for path in named)


def test_every_module_that_only_prepare_imports_is_a_reason_to_prepare_again():
    text = (REPOSITORY / "src/groundswell/prepare.py").read_text()
    imported = set(re.findall(r"^from groundswell\.(\w+) import", text, re.MULTILINE))
    named = {Path(path).stem for path in STAGES["prepare"]["deps"] if path.startswith("src/")}
    assert imported - named <= {"erasure", "errors", "files", "lake", "params", "rows", "settings", "tombstones"}  # how it reads and writes, not what


def _imported(module: str) -> set[str]:
    """The modules of ours that ``module`` imports, at its top or inside its functions."""
    own, found = REPOSITORY / "src/groundswell", set()
    file = own / f"{module}.py" if (own / f"{module}.py").is_file() else own / module / "__init__.py"
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "groundswell":
            folder = "/".join(node.module.split(".")[1:])
            inside = {f"{folder}/{name.name}".lstrip("/") for name in node.names}
            files = {name for name in inside if (own / f"{name}.py").is_file() or (own / name).is_dir()}
            found |= files or {folder}
    return found


NOT_LEARNT = {
    "card",
    "errors",
    "examples",
    "files",
    "git",
    "lake",
    "machine",
    "packaging",
    "params",
    "plots",
    "registry",
    "runs",
    "schema",
    "settings",
}
NOT_LEARNT |= {"superseded", "erasure/models", "tracking", "validations", "versions"}
"""How training reads, writes and tells, not what is learnt."""


def test_every_module_that_decides_what_is_learnt_is_a_reason_to_train_again():
    wanted, left = set(), ["train"]
    while left:
        if (module := left.pop()) not in wanted | NOT_LEARNT:
            wanted.add(module)
            left += _imported(module)
    named = {path.removeprefix("src/groundswell/").removesuffix(".py") for path in STAGES["train"]["deps"] if path.startswith("src/")}
    assert {name.removesuffix("/__init__") for name in named} == wanted


def test_dvc_passes_over_what_is_being_written():
    lines = (REPOSITORY / ".dvcignore").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == list(IGNORED)


def test_state_is_git_ignored_but_for_the_pointers_of_the_lake(tmp_path):
    settings = make_project(tmp_path)
    for path, ignored in (("var/lake/valid.dvc", False), ("dvc.lock", False), ("var/lake/valid/x", True), ("var/dvc-cache/x", True)):
        done = subprocess.run(["git", "check-ignore", "-q", path], cwd=settings.project, check=False)
        assert (done.returncode == 0) == ignored, path


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose lake has nine days, whose base is a tiny checkpoint, and that went through prepare by hand and seal."""
    from tiny import tiny_model, tiny_rows

    settings = make_project(tmp_path_factory.mktemp("dvc") / "project")
    base = settings.project / "base"
    model, tokenizer = tiny_model(0, steps=20)
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    texts, labels = tiny_rows(360, seed=9)
    for day in range(9):
        rows = [(f"{texts[place]} {place}", LABELS[labels[place]]) for place in range(40 * day, 40 * day + 40)]
        put_day(settings, str(date(2026, 10, 19) + timedelta(days=day)), rows)
    (settings.lake / "labels").mkdir()
    params = yaml.safe_load((settings.project / "params.yaml").read_text())
    params["prepare"] |= {"min_rows_per_class": 5, "near_duplicate_similarity": 1.0}
    params["train"] |= {"base": str(base), "epochs": 1, "threads": 1, "min_int8_agreement": 0.5, "min_fp32_agreement": 0.5}
    params["evaluate"] |= {"bootstrap_samples": 100}
    (settings.project / "params.yaml").write_text(yaml.safe_dump(params))
    _groundswell(settings, "prepare")
    return settings


def _groundswell(settings, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.cli", *arguments],
        env={**os.environ, "GROUNDSWELL_PROJECT": str(settings.project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def _locked(settings):
    stages = yaml.safe_load((settings.project / "dvc.lock").read_text())["stages"]
    return {name: {out["path"]: out["md5"] for out in stage["outs"]} for name, stage in stages.items()}


@pytest.mark.slow
def test_dvc_repro_gives_what_the_stages_give_one_by_one(project):
    by_hand = seal("games", settings=project)["dataset_md5"]
    assert _locked(project) == {"prepare": {"var/dataset/games": by_hand}}
    assert "didn't change" in dvc(project, "repro", "prepare")
    shutil.rmtree(project.dataset("games"))
    assert "Running stage 'prepare'" in dvc(project, "repro", "--force", "--no-run-cache", "prepare")
    assert _locked(project)["prepare"]["var/dataset/games"] == by_hand == directory_md5(project.dataset("games"))


@pytest.mark.slow
def test_dvc_repro_goes_through_and_metrics_and_plots_work(project):
    dvc(project, "repro")
    trained = read_json(project.model("games") / "train.json")
    assert trained["dataset_md5"] == _locked(project)["prepare"]["var/dataset/games"]
    assert "up to date" in dvc(project, "status")
    report = seal("games", settings=project)
    assert report["locked"] == ["prepare", "train", "evaluate"]
    assert "up to date" in dvc(project, "status")
    shown = json.loads(dvc(project, "metrics", "show", "--json"))
    [metrics] = [found["data"] for found in shown[""]["data"].values()]
    assert metrics["model"]["macro_f1"] == read_json(project.root / "metrics/games/evaluate.json")["model"]["macro_f1"]
    dvc(project, "plots", "show", "-o", "plots-page")
    page = (project.project / "plots-page/index.html").read_text()
    titles = [options["title"] for plot in STAGES["evaluate"]["plots"] if isinstance(plot, dict) for options in plot.values()]
    assert len(titles) == 3 and all(title in page for title in titles) and "word_clouds.png" in page
    params = project.project / "params.yaml"
    params.write_text(params.read_text().replace("bootstrap_samples: 100", "bootstrap_samples: 150"))
    assert "Running stage 'evaluate'" in (ran := dvc(project, "repro")) and "Running stage 'train'" not in ran
    [difference] = json.loads(dvc(project, "metrics", "diff", BRANCH, "--json")).values()
    assert any(name.startswith("model.intervals") for name in difference)
    dvc(project, "get", ".", "var/metrics/games/evaluate.json", "--rev", BRANCH, "-o", "sealed.json")
    assert read_json(project.project / "sealed.json")["model"] == metrics["model"]
