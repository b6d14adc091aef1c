"""A warm start begins with the champion's weights only where nothing that judges was learnt, and says what was learnt before."""

import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundswell import encoder, learnt, registry, tracking
from groundswell import train as trainer
from groundswell.contenders import Contender, fair
from groundswell.distilbert import state_dict
from groundswell.erase import erase
from groundswell.erasure import models
from groundswell.erasure.subjects import Subject
from groundswell.errors import RegistryError
from groundswell.evaluate import evaluate
from groundswell.examples import read_examples
from groundswell.impact import impact
from groundswell.kin import row_hashes
from groundswell.lake import Lake
from groundswell.learnt import ancestors, dataset_md5s
from groundswell.lineage import lineage
from groundswell.params import EvaluateParams, PrepareParams, TrainParams
from groundswell.prepare import prepare
from groundswell.retain import _champion
from groundswell.schema import LABELS, POST
from groundswell.settings import Settings
from groundswell.versions import directory_md5
from groundswell.warm_start import _other_making, _other_network, _weights, load, origin
from groundswell.window import Window, parse_windows
from tests.dvc_project import post
from tests.models import artifacts_of
from tests.tiny import WORDS, tiny_base

pytestmark = pytest.mark.slow

DAYS = [f"2026-10-{number:02d}" for number in range(1, 21)]
"""The first ten are in the lake when the champion learns, days 1 to 5 of them; later on all twenty, and days 1 to 10 may train."""
A_DAY = 24
HERON, OTTER = "ab" * 16, "cd" * 16
"""Pseudonyms of two who wrote on a day that the champion learnt, and later again: on a day of validation, and of test."""
REPEATED = "superb happy fun, and so say all of us down at the old harbour"
MORE = {
    DAYS[1]: [(1, "wonderful lantern of the seven hills", HERON)],
    DAYS[2]: [(2, "love this quiet copper river so much", OTTER)],
    DAYS[3]: [(3, REPEATED, None)],
    DAYS[11]: [(4, "great signal over the gentle orchard", HERON)],
    DAYS[18]: [(5, "best canvas that a winter has given", OTTER)],
    DAYS[19]: [(0, REPEATED, None)],
}


def posts(day: str) -> list[dict]:
    """A day of posts of nobody in particular, each unlike all others, and those that `MORE` has for it."""
    chance, rows = random.Random(day), []
    for number in range(A_DAY):
        label = LABELS[number % 3]
        noise = " ".join(f"{chance.choice('bcdfg')}{chance.randrange(10**6)}" for _ in range(4))
        rows.append(post(1000 * int(day[-2:]) + number, day, f"{' '.join(chance.sample(WORDS[label], 3))} {noise}") | {"label": label})
    return rows + [post(number, day, text) | {"label": "positive", "author": author} for number, text, author in MORE.get(day, [])]


@dataclass
class Project:
    """A home with a lake, a data set and a registry, and the base, which is known by its path, beside it."""

    settings: Settings
    base: str
    champion: dict | None = None

    def put(self, days: list[str], changed=lambda row: row) -> None:
        lake = Lake(self.settings.lake)
        for day in days:
            table = pa.Table.from_pylist([changed(row) for row in posts(day)], POST)
            metadata = {"window": day, "status": "complete", "connector_version": "1"}
            lake.write(lake.partition("valid", "replay", "games", Window.parse(day)), table, metadata)

    def prepare(self, **changes) -> Path:
        shares = {"validation_share": 0.2, "test_share": 0.3, "min_rows_per_class": 1}
        prepare("games", settings=self.settings, params=PrepareParams(**{**shares, **changes}))
        return self.settings.dataset("games")

    def params(self, **changes) -> TrainParams:
        quick = {"base": self.base, "epochs": 3, "learning_rate": 2e-2, "threads": 1, "early_stopping_patience": 0}
        return TrainParams(**{**quick, "min_int8_agreement": 0.3, "min_fp32_agreement": 0.9, "warm_start": "champion", **changes})

    def train(self, **changes) -> dict:
        return trainer.train("games", settings=self.settings, params=self.params(**changes))

    def promote(self, report: dict) -> None:
        registry.set_alias(self.settings, "games", registry.CHAMPION, report["model_version"])
        self.champion = report

    def origin(self, tmp_path: Path, **changes):
        return origin("games", self.settings.dataset("games"), tmp_path / "origin", settings=self.settings, params=self.params(**changes))

    @property
    def export(self) -> Path:
        return self.settings.model("games") / "export"

    def read(self, name: str) -> dict:
        return json.loads((self.export / name).read_text(encoding="utf-8"))

    def version(self, report: dict) -> registry.ModelVersion:
        return registry.version_numbered(self.settings, "games", report["model_version"])


def home(folder: Path) -> Settings:
    return Settings(project=folder, home=Path("var"), mlflow_uri="", dvc_remote="", pseudonym_key="a-key-that-only-the-tests-know")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The project whose first model has learnt of ten days; its data set lies there."""
    folder = tmp_path_factory.mktemp("first")
    project = Project(home(folder / "project"), tiny_base(folder / "base"))
    project.put(DAYS[:10])
    project.prepare()
    project.promote(project.train())
    return project


@pytest.fixture
def project(first, tmp_path):
    """A copy of it."""
    shutil.copytree(first.settings.project, tmp_path / "project")
    return Project(home(tmp_path / "project"), first.base, first.champion)


@pytest.fixture(scope="module")
def grown(first, tmp_path_factory):
    """(project, report): ten days later, trained again from the champion."""
    folder = tmp_path_factory.mktemp("grown")
    project = Project(home(shutil.copytree(first.settings.project, folder / "project")), first.base, first.champion)
    shutil.copytree(project.export, folder / "champion")
    project.put(DAYS[10:])
    project.prepare()
    return project, project.train(), folder / "champion"


def test_the_first_model_has_nobody_to_begin_with(first, caplog):
    report = first.champion
    assert report["warm_start"] == {"refused": "there is no champion yet", "champion": None}
    assert report["rows"] == {"train": 123, "validation": 48, "added": {}}
    assert len(_looks(first, report)) == 3 and first.version(report).tags.keys() & {"ancestors"} == set()


def test_it_begins_with_the_champions_weights_and_learns_for_one_epoch(grown, tmp_path):
    project, report, champion = grown
    before = project.champion
    facts = report["warm_start"]
    assert (facts["from_version"], facts["run_id"], facts["dataset_md5"], facts["in_a_row"]) == ("1", before["run_id"], before["dataset_md5"], 1)
    assert len(_looks(project, report)) == 1
    params = tracking.client(project.settings).get_run(report["run_id"]).data
    assert (params.params["epochs"], params.params["warm_start"], params.tags["warm_start"]) == ("1.0", "champion", "version 1")
    found = project.origin(tmp_path)
    _, model = load(found)
    weights = state_dict(champion / "model.onnx")
    assert {name: weight.numpy().tobytes() for name, weight in model.state_dict().items()} == {name: one.tobytes() for name, one in weights.items()}


def test_it_has_learnt_what_its_champion_had_learnt(grown):
    project, report, champion = grown
    own = read_examples(project.settings.dataset("games"), "train").table["row_id"].to_pylist()
    for name in ("trained_rows.npy", "trained_on.npy"):
        both, before = (np.load(folder / name) for folder in (project.export, champion))
        assert np.isin(before, both).all() and len(both) > len(own), "three rows of the champion's were left out of the new split"
        assert np.array_equal(both, np.unique(both)) and both.dtype == np.uint64
    assert set(np.load(project.export / "trained_rows.npy")) == set(np.load(champion / "trained_rows.npy")) | set(row_hashes(own))
    parent = {"version": "1", "run_id": project.champion["run_id"], "dataset_md5": project.champion["dataset_md5"]}
    assert project.read("config.json")["ancestors"] == [parent] == ancestors(project.version(report))
    assert dataset_md5s(project.version(report)) == [report["dataset_md5"], parent["dataset_md5"]]
    said = lineage("games", report["model_version"], settings=project.settings)
    assert (said["warm_start"], said["ancestors"]) == ("version 1", [parent])
    card = (project.export / "card.md").read_text(encoding="utf-8")
    assert "begun with the weights of version 1" in card and parent["run_id"] not in card


def test_rows_that_the_champion_met_in_others_of_their_group_do_not_judge(grown):
    """HERON and OTTER have changed sides since; the champion learnt from what they wrote first, and a text that was posted again."""
    project, report, champion = grown
    dataset = project.settings.dataset("games")
    rows = {split: read_examples(dataset, split).table["post_id"].to_pylist() for split in ("train", "validation", "test")}
    assert "4" in rows["validation"] and {"5", "0"} <= set(rows["test"])
    assert not {"1", "2", "3"} & {row for split in rows.values() for row in split}
    assert report["warm_start"]["validation_rows_left_out"] == 1
    assert report["rows"] == {"train": len(rows["train"]), "validation": len(rows["validation"]) - 1, "added": {}}
    test, exports = read_examples(dataset, "test"), (Contender(None, project.export), Contender(None, champion))
    left, excluded = fair(test, dataset, *exports)
    assert excluded["rows"] == 2 == excluded["seen_by_challenger"] + excluded["met_by_challenger"]
    assert not {"5", "0"} & set(left.table["post_id"].to_pylist())
    measured = evaluate("games", settings=project.settings, params=EvaluateParams(bootstrap_samples=100))
    assert (measured["rows_met_by_ancestors"], measured["model"]["rows"]) == (2, len(test) - 2)


def test_a_group_is_renamed_as_it_grows_and_its_rows_stay_on_their_side_of_time(first, grown):
    """What the champion learnt is in no judging split later; the name of a group says nothing of that."""
    before, after = ({split: read_examples(one.settings.dataset("games"), split).table for split in SPLITS} for one in (first, grown[0]))
    group = {name: dict(zip(table["row_id"].to_pylist(), table["group"].to_pylist(), strict=True)) for name, table in before.items()}
    later = {
        row: (split, name) for split, table in after.items() for row, name in zip(*(table[c].to_pylist() for c in ("row_id", "group")), strict=True)
    }
    assert group["train"]["replay/games/3"] == "replay/games/3" and later["replay/games/0"] == ("test", "replay/games/0")
    assert {later[row][0] for row in group["train"] if row in later} == {"train"}
    kin = pq.read_table(grown[0].settings.dataset("games") / "kin.parquet").to_pylist()
    of_key = {row["key"]: {one["post_id"] for one in kin if one["key"] == row["key"]} for row in kin}
    assert sorted(map(sorted, of_key.values())) == [["0", "3"], ["1", "4"], ["2", "5"]]


SPLITS = ("train", "validation", "test")


def test_of_two_processes_one_asks_and_both_begin_alike(project, tmp_path):
    """Under accelerate launch each process takes its share of every step: of other steps the first would wait for ever."""
    project.put(DAYS[10:])
    project.prepare()
    tests = Path(__file__).parent
    config = tests.parent / "deploy" / "accelerate.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", f"--config_file={config}", "--main_process_port=0", "--num_processes=2"]
    paths = os.pathsep.join([str(tests), str(tests.parent / "src"), str(tests.parent)])
    params = project.params(augmentation="edits").model_dump_json()
    done = subprocess.run(
        [*launch, str(tests / "trained_together.py"), str(project.settings.project), params, str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path.name for path in tmp_path.glob("asked-*")} == {"asked-0"}
    first, second = (json.loads((tmp_path / f"{number}.json").read_text()) for number in (0, 1))
    assert first == second and first["facts"]["from_version"] == "1" and first["epochs"] == 1 and first["added"]
    report, helped = (json.loads((tmp_path / f"report-{number}.json").read_text()) for number in (0, 1))
    assert helped == {"stage": "train", "topic": "games", "process": 1}
    assert (report["rows"]["validation"], report["rows"]["added"]) == (first["validation"], {"synthetic": len(first["added"])})
    assert directory_md5(project.settings.model("games")) and project.read("config.json")["run_id"] == report["run_id"]


def test_the_base_is_loaded_once_and_what_judges_is_hashed_once(project, tmp_path, monkeypatch):
    loaded, hashed, real = [], [], (encoder.load, learnt.row_hashes)
    monkeypatch.setattr(encoder, "load", lambda params: loaded.append(params.base) or real[0](params))
    monkeypatch.setattr(learnt, "row_hashes", lambda row_ids: hashed.extend(row_ids) or real[1](row_ids))
    begun = project.origin(tmp_path)
    assert begun.facts["from_version"] == "1"
    _, model = load(begun)
    assert loaded == [project.base]
    rows = {split: read_examples(project.settings.dataset("games"), split).table["row_id"].to_pylist() for split in ("validation", "test")}
    assert sorted(hashed) == sorted(rows["validation"] + rows["test"])
    _, elsewhere = load(begun.told)
    weights = elsewhere.state_dict()
    assert all(np.array_equal(weight, weights[name]) for name, weight in model.state_dict().items()), "who is told begins with the same"


def test_again_it_is_the_same_bytes(grown, tmp_path):
    project, report, _ = grown
    kept = shutil.copytree(project.export, tmp_path / "export")
    second = project.train()
    differing = {path.name for path in kept.iterdir() if path.read_bytes() != (project.export / path.name).read_bytes()}
    assert differing == {"config.json", "manifest.json"}
    assert {name for name in report if report[name] != second[name]} == {"run_id", "model_version"}


def test_killed_and_run_again_it_is_the_same_bytes(project, grown):
    project.put(DAYS[10:])
    project.prepare()
    code = f"""
import logging, sys
from pathlib import Path
logging.basicConfig(level="INFO", stream=sys.stderr)
from groundswell.params import TrainParams
from groundswell.settings import Settings
from groundswell.train import train
settings = Settings(project=Path({str(project.settings.project)!r}), home=Path("var"), mlflow_uri="", dvc_remote="")
train("games", settings=settings, params=TrainParams.model_validate_json({project.params().model_dump_json()!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    for line in process.stderr:
        if "train: step 4/" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait(60) == -signal.SIGKILL
    assert project.read("config.json")["run_id"] == project.champion["run_id"], "what was there is there"
    report = project.train()
    expected = grown[0].export
    same = {"model.onnx", "model.int8.onnx", "profile.parquet", "trained_on.npy", "trained_rows.npy", "card.md", "golden.json"}
    assert {name for name in same if (project.export / name).read_bytes() == (expected / name).read_bytes()} == same
    assert report["warm_start"]["from_version"] == "1"


def _cut_otherwise(project: Project) -> None:
    """What was train is validation now."""
    project.prepare(validation_share=0.5)


def _moved(project: Project) -> None:
    """A few rows of train are in test now."""
    train, test = (project.settings.dataset("games") / f"{split}.parquet" for split in ("train", "test"))
    rows = pq.read_table(train)
    pq.write_table(pa.concat_tables([rows.slice(0, 7), pq.read_table(test)]), test)
    pq.write_table(rows.slice(7), train)


@pytest.mark.parametrize(("split", "plant"), [("validation", _cut_otherwise), ("test", _moved)])
def test_rows_it_learnt_that_judge_now_are_a_leak_and_refused(project, caplog, split, plant):
    """Planted: the champion has learnt rows that are in validation, or in test, now."""
    plant(project)
    dataset, learnt = project.settings.dataset("games"), np.load(project.export / "trained_rows.npy")
    leaked = np.isin(row_hashes(read_examples(dataset, split).table["row_id"].to_pylist()), learnt).sum()
    assert leaked >= 7
    with caplog.at_level(logging.WARNING):
        report = project.train()
    reason = report["warm_start"]["refused"]
    assert reason.startswith(f"{leaked} of the ") and f" {split} rows are among those it learnt from" in reason
    assert [record for record in caplog.records if record.levelname == "WARNING" and reason in record.getMessage()]
    assert reason in (project.export / "card.md").read_text(encoding="utf-8") and len(_looks(project, report)) == 3
    own = row_hashes(read_examples(dataset, "train").table["row_id"].to_pylist())
    assert np.array_equal(np.load(project.export / "trained_rows.npy"), np.unique(own)), "it has learnt from its own rows only"
    assert project.read("config.json")["ancestors"] == [] == ancestors(project.version(report))
    assert project.version(report).tags["warm_start"] == f"refused: {reason}"
    assert report["warm_start"]["champion"] == "1"


def test_a_champion_that_met_most_of_what_judges_is_refused(project, tmp_path):
    dataset = project.prepare()
    rows = pq.read_table(dataset / "validation.parquet")
    learnt = read_examples(dataset, "train").table["row_id"][0].as_py()
    same = {"source": "replay", "post_id": "x", "key": 0, "is_test": False}
    lines = [{"row_id": row_id, "is_validation": True, **same} for row_id in rows["row_id"].to_pylist()[:30]]
    kin = pq.read_schema(dataset / "kin.parquet")
    pq.write_table(pa.Table.from_pylist([*lines, {"row_id": learnt, "is_validation": False, **same}], kin), dataset / "kin.parquet")
    assert "it has met 30 of the 48 validation rows" in project.origin(tmp_path).facts["refused"]
    positive = rows["row_id"].filter(pa.array(np.array(rows["label"]) == 2)).to_pylist()
    lines = [{"row_id": row_id, "is_validation": True, **same} for row_id in positive]
    pq.write_table(pa.Table.from_pylist([*lines, {"row_id": learnt, "is_validation": False, **same}], kin), dataset / "kin.parquet")
    assert "it has met all validation rows that are positive" in project.origin(tmp_path).facts["refused"]
    pq.write_table(pa.table({"row_id": ["a"]}), dataset / "kin.parquet")
    assert "run groundswell prepare again" in project.origin(tmp_path).facts["refused"]


def test_what_was_erased_is_not_carried_on(project, tmp_path):
    """The champion has learnt a post of somebody who was erased since: found by erasure's tag, and without it by the lake."""
    erase([Subject("post", "replay", "1000")], settings=project.settings, now=datetime(2026, 11, 1, tzinfo=UTC), seal=lambda topic: {})
    assert "learnt from rows that were erased since" in project.origin(tmp_path).facts["refused"]
    report = project.train()
    assert "erased since" in report["warm_start"]["refused"] and project.read("config.json")["ancestors"] == []
    assert row_hashes(["replay/games/1000"])[0] not in np.load(project.export / "trained_rows.npy")
    registry.delete_version_tag(project.settings, "games", "1", models.TAG)
    assert "revised, erased or removed since, replay/games/2026-10-01 for one" in project.origin(tmp_path).facts["refused"]


def test_an_erasure_finds_the_models_that_began_with_one_that_learnt_the_rows(grown):
    project, report, _ = grown
    found = models.trained_on("games", [], {project.champion["dataset_md5"]}, settings=project.settings, versions=None)
    assert {one["version"]: one["rows"] for one in found}[report["model_version"]] == "yes"

    class Listings:
        """The data sets by their md5: only the champion's held an erased row where it is learnt."""

        def listing(self, md5: str) -> dict:
            return {"train.parquet": "erased" if md5 == project.champion["dataset_md5"] else "other"}

    found = models.trained_on("games", ["erased"], [], settings=project.settings, versions=Listings())
    assert {one["version"]: one["rows"] for one in found}.items() >= {"1": "yes", report["model_version"]: "yes"}.items()


def test_revised_data_is_not_carried_on_and_impact_knows_who_was_built_on_it(project, tmp_path):
    project.put(DAYS[10:])
    project.prepare()
    report = project.train()
    # as if the new data set had left a day out that the champion's had: only the ancestor tells of it
    manifest = json.loads((project.settings.dataset("games") / "manifest.json").read_text())
    manifest["partitions"].pop(f"replay/games/{DAYS[0]}")
    tracking.log_json(project.settings, report["run_id"], manifest, "dataset/manifest.json")
    day = parse_windows(DAYS[0])
    before = impact("games", day, settings=project.settings)
    assert {one["model_version"] for one in before["versions"]} == {"1", report["model_version"]} and before["superseded"] == []
    assert _champion("games", Lake(project.settings.lake).partitions("valid", topic="games"), project.settings)["partitions_trained_on"] == 10
    project.put(DAYS[:1], lambda row: row | {"text": f"{row['text']} edited"})
    after = impact("games", day, settings=project.settings, mark=True)
    assert after["marked"] == [report["model_version"], "1"] and after["superseded"] == [f"replay/games/{DAYS[0]}"]
    assert lineage("games", report["model_version"], settings=project.settings)["superseded"] == [f"replay/games/{DAYS[0]}"]
    assert "1 of the partitions that it learnt from were revised" in project.origin(tmp_path).facts["refused"]
    project.promote(report)
    assert "1 of the partitions that it learnt from were revised" in project.origin(tmp_path).facts["refused"], "an ancestor had read it"


def test_a_chain_counts_itself_and_ends(project, tmp_path):
    reports = [project.champion]
    for _ in range(2):
        reports.append(project.train())
        project.promote(reports[-1])
    assert [report["warm_start"].get("in_a_row") for report in reports] == [None, 1, 2]
    assert [one["version"] for one in project.read("config.json")["ancestors"]] == ["2", "1"]
    assert "2 warm starts behind it" in project.origin(tmp_path, warm_starts=2).facts["refused"]
    assert project.origin(tmp_path, warm_starts=3).facts["in_a_row"] == 3
    assert len(project.origin(tmp_path).tags["ancestors"]) < 500


def test_another_recipe_or_base_is_not_begun_with(project, tmp_path):
    config, params = project.read("config.json"), project.params()
    assert list(_other_making(config, params)) == []
    changes = {"max_length": 64, "base": "packaged", "emoji": "named"}
    for name, value in changes.items():
        [reason] = _other_making(config, params.model_copy(update={name: value}))
        assert reason.startswith(f"its {name} is ") and repr(value) in reason
    for name, value in {"labels": ["positive", "neutral", "negative"], "text_version": 0}.items():
        [reason] = _other_making({**config, name: value}, params)
        assert reason.startswith(f"its {name} is {value!r}")

    def unlike(**changes):
        return list(_other_network(project.export, *encoder.load(params.model_copy(update=changes)), _weights(project.export)))

    assert unlike() == []
    assert unlike(base="packaged") == ["its network has not the shape of the base's"]
    assert unlike(emoji="named") == ["its tokenizer is not the base's", "its network has not the shape of the base's"]
    assert project.origin(tmp_path, warm_start="none").facts is None


def test_a_damaged_champion_is_not_begun_with_and_a_registry_out_of_reach_is_an_error(project, tmp_path, monkeypatch):
    network = artifacts_of(project.settings, "1") / "model.onnx"
    network.write_bytes(network.read_bytes()[:-1])
    assert "its export can't be used" in project.origin(tmp_path).facts["refused"]
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    down = project.settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:9"})
    with pytest.raises(RegistryError, match="is it up"):
        trainer.train("games", settings=down, params=project.params())


def _looks(project: Project, report: dict) -> list:
    """The evaluations of a run: one an epoch."""
    return tracking.client(project.settings).get_metric_history(report["run_id"], "validation_macro_f1")
