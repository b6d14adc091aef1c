"""Lineage says where a version came from; checkout brings its very data set back."""

import shutil

import pyarrow.parquet as pq
import pytest
from dvc_project import make_project, put_dataset, put_day
from models import project_with_registry, register
from pydantic import SecretStr

from groundswell import registry, runs, tombstones, tracking
from groundswell.errors import UnknownName, VersionError
from groundswell.files import write_json
from groundswell.lake import Lake
from groundswell.ledger import Entry, Ledger
from groundswell.lineage import checkout, lineage
from groundswell.seal import seal
from groundswell.validations import validations
from groundswell.versions import directory_md5


@pytest.fixture
def settings(tmp_path):
    return project_with_registry(tmp_path / "project")


def _validated(settings, quarantined=3):
    """The report that validate would have left about the lake as it is."""
    lake = Lake(settings.lake)
    for key, entry in lake.manifest(lake.partitions("valid", topic="games")).items():
        window = entry["window"]
        layers = {"raw": entry["rows"] + quarantined, "quarantine": quarantined, "valid": entry["rows"]}
        facts = {layer: {"rows": rows, "sha256": entry["sha256"] if layer == "valid" else "0" * 64} for layer, rows in layers.items()}
        write_json({"stage": "validate", "window": window, "partitions": {key: facts}}, settings.report("validate", "games", window))


def test_validation_counts_only_where_it_speaks_of_these_very_bytes(tmp_path):
    settings = make_project(tmp_path, is_git=False)
    put_day(settings, "2026-10-19", ["a", "b"])
    _validated(settings)
    lake = Lake(settings.lake)
    partitions = lake.manifest(lake.partitions("valid", topic="games"))
    found = validations(settings, "games", partitions)
    assert (found["rows_raw"], found["rows_valid"], found["rows_quarantined"]) == (5, 2, 3)
    assert found["without_report"] == []
    changed = {key: {**entry, "sha256": "f" * 64} for key, entry in partitions.items()}
    assert validations(settings, "games", changed) == {"partitions": {}, "without_report": list(partitions)}


@pytest.mark.slow
def test_lineage_names_run_commit_data_windows_validation_verdict_and_promotions(settings):
    _validated(settings)
    version = register(settings, "good", champion=True)
    run_id = registry.version_numbered(settings, "games", version).run_id
    tracking.log_json(
        settings, run_id, {"verdict": "PROMOTE", "reasons": ["Good."], "champion_version": None, "rows": 240, "digest": "d"}, "judge/verdict.json"
    )
    Ledger(settings, "games").append(Entry("2026-11-02T08:00:00Z", "ann", "promote", None, version, "d"))
    found = lineage("games", version, settings=settings)
    assert found == lineage("games", "champion", settings=settings)
    assert (found["run_id"], found["git_commit"], found["dataset_md5"]) == (run_id, "c0ffee", directory_md5(settings.dataset("games")))
    assert found["windows"] == ["2026-10-19"] and found["sources"] == {"replay": {"2026-10-19": 2}}
    assert found["splits"]["test"]["rows"] == 240
    assert found["validation"]["rows_raw"] == 5 and found["validation"]["partitions"]["replay/games/2026-10-19"]["report"] == "2026-10-19"
    assert found["verdict"]["verdict"] == "PROMOTE" and found["promotions"][0]["by"] == "ann"
    assert found["superseded"] == []
    put_day(settings, "2026-10-19", ["a", "edited"])
    assert lineage("games", version, settings=settings)["superseded"] == ["replay/games/2026-10-19"]
    with pytest.raises(UnknownName, match="no version '9'"):
        lineage("games", "9", settings=settings)
    with pytest.raises(UnknownName, match="did you mean 'champion'"):
        lineage("games", "champoin", settings=settings)


@pytest.mark.slow
def test_checkout_brings_the_first_data_set_back_after_a_second_without_the_cache(settings):
    version = register(settings, "good")
    first = seal("games", settings=settings)["dataset_md5"]
    before = {path.name: path.read_bytes() for path in settings.dataset("games").iterdir()}
    put_dataset(settings, _other_rows())
    second = seal("games", settings=settings)["dataset_md5"]
    shutil.rmtree(settings.root / "dvc-cache")
    report = checkout("games", version, settings=settings)
    assert first != second and report["dataset_md5"] == first and report["replaced"] == second
    assert {path.name: path.read_bytes() for path in settings.dataset("games").iterdir()} == before
    assert checkout("games", version, settings=settings)["replaced"] is None
    assert sorted(path.name for path in settings.dataset("games").parent.iterdir()) == [".lock", "games"]


@pytest.mark.slow
def test_checkout_brings_nobody_back_who_was_erased_since(settings):
    """The version comes from where the erasure could not reach: its objects are still there."""
    settings = settings.model_copy(update={"pseudonym_key": SecretStr("a-key-that-only-the-tests-know")})
    version = register(settings, "good")
    first = seal("games", settings=settings)["dataset_md5"]
    whole = pq.read_table(settings.dataset("games") / "train.parquet")
    put_dataset(settings, _other_rows())
    tombstones.add(settings, "replay", post_ids=[whole["post_id"][0].as_py()])
    report = checkout("games", version, settings=settings)
    assert (report["dataset_md5"], report["erased_rows"]) == (first, 1)
    assert pq.read_table(settings.dataset("games") / "train.parquet").equals(whole.slice(1))
    assert checkout("games", version, settings=settings)["erased_rows"] == 1


@pytest.mark.slow
def test_checkout_keeps_what_was_never_sealed_and_says_what_is_nowhere(settings):
    version = register(settings, "good")
    seal("games", settings=settings)
    put_dataset(settings, _other_rows())
    unsealed = checkout("games", version, settings=settings)["replaced"]
    other = register(settings, "good", dataset_md5=unsealed)
    assert checkout("games", other, settings=settings)["dataset_md5"] == unsealed == directory_md5(settings.dataset("games"))
    lost = register(settings, "good", dataset_md5="2" * 32 + ".dir")
    with pytest.raises(VersionError, match="neither in the DVC remote"):
        checkout("games", lost, settings=settings)
    assert directory_md5(settings.dataset("games")) == unsealed


@pytest.mark.slow
def test_a_run_without_the_artifact_answers_none(settings):
    run_id = registry.version_numbered(settings, "games", register(settings, "good")).run_id
    assert runs.read_json(settings, run_id, "judge/verdict.json") is None


def _other_rows():
    from dvc_project import example

    rows = [example(1000 + number, f"other {number}", number % 3) for number in range(9)]
    return {"train": rows[:3], "validation": rows[3:6], "test": rows[6:]}
