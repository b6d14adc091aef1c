"""The stages with their lake on object storage: the same bytes as in a folder, from the corpus to the data set and its seal."""

import csv
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dvc_project import example, make_project, put_dataset, put_day

from groundswell.collect import collect
from groundswell.coverage import coverage
from groundswell.erase import erase
from groundswell.erasure.subjects import Subject
from groundswell.errors import LakeError, ParamsError
from groundswell.files import sha256_of
from groundswell.lake import Lake
from groundswell.mirror import mirror
from groundswell.params import CollectParams, PrepareParams, RetainParams, Topic, ValidateParams
from groundswell.prepare import prepare
from groundswell.retain import retain
from groundswell.schema import LABELS
from groundswell.seal import seal
from groundswell.settings import Settings, load_settings
from groundswell.sources.replay import ReplayTopic
from groundswell.status import windows
from groundswell.validate import validate
from groundswell.versions import directory_md5
from groundswell.window import Window, parse_windows
from tests.object_storage import new_place, object_storage

pytestmark = pytest.mark.slow

NOW = datetime(2026, 12, 1, tzinfo=UTC)
WINDOWS = parse_windows("2026-10-19..2026-10-24")


@pytest.fixture(scope="module")
def s3():
    with object_storage() as options:
        yield options


def on(place):
    return {"lake_url": place.url, "lake_options": json.dumps(place.options)}


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "time", "text", "who", "label"))
        for number in range(120):
            moment = WINDOWS[0].start + timedelta(hours=number + 1)
            writer.writerow((number, moment.isoformat(), f"level {number} was {number * 7919}", f"player {number}", LABELS[number % 3]))
    return Topic(replay=ReplayTopic(path=path, columns={"post_id": "id", "created_at": "time", "text": "text", "author": "who", "label": "label"}))


def through(topic, settings):
    """What the stages report of a lake, and the bytes of the data set."""
    collected = collect("replay", "games", topic, WINDOWS, settings=settings, params=CollectParams(), now=NOW)
    validated = validate("games", ["replay"], WINDOWS, settings=settings, params=ValidateParams())
    covered = coverage("games", ["replay"], WINDOWS, settings=settings)
    prepared = prepare("games", settings=settings, params=PrepareParams(min_rows_per_class=1))
    files = {path.name: sha256_of(path) for path in settings.dataset("games").rglob("*") if path.is_file()}
    return collected["windows"], validated["partitions"], covered["partitions"], windows(settings, "games"), prepared, files


@pytest.mark.slow
def test_from_the_corpus_to_the_data_set_the_bytes_are_those_of_a_folder(corpus, tmp_path, s3):
    common = {"project": tmp_path, "pseudonym_key": "a-key-that-only-the-tests-know"}
    local = Settings(home=tmp_path / "local", **common)
    remote = Settings(home=tmp_path / "remote", **common, **on(new_place(s3)))
    assert through(corpus, remote) == through(corpus, local)
    assert not (tmp_path / "remote" / "lake").exists()
    collect("replay", "games", corpus, WINDOWS, settings=remote, params=CollectParams(), now=NOW)
    assert not Lake(remote.lake).revisions(), "the same again is no revision"


@pytest.mark.slow
def test_the_command_line_takes_the_lake_from_the_environment_and_tells_no_secret(corpus, tmp_path, s3):
    place = new_place(s3)
    section = {"path": str(corpus.replay.path), "columns": corpus.replay.columns}
    (tmp_path / "params.yaml").write_text(json.dumps({"topic": "games", "topics": {"games": {"replay": section}}}))
    environment = {**os.environ, "GROUNDSWELL_PROJECT": str(tmp_path), "GROUNDSWELL_PSEUDONYM_KEY": "a-key-that-only-the-tests-know"}
    environment |= {"GROUNDSWELL_LAKE_URL": place.url, "GROUNDSWELL_LAKE_OPTIONS": json.dumps(place.options)}
    command = [sys.executable, "-m", "groundswell.cli", "collect", "--source", "replay", "--window", "2026-10-19..2026-10-20"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lake = Lake(place)
    assert {key: part["sha256"] for key, part in json.loads(done.stdout)["windows"].items()} == {
        partition.window.key: lake.sha256(partition) for partition in lake.partitions("raw")
    }
    nowhere = {**place.options, "endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    failed = subprocess.run(command, env=environment | {"GROUNDSWELL_LAKE_OPTIONS": json.dumps(nowhere)}, capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and "GROUNDSWELL_LAKE_URL" in failed.stderr and "Traceback" not in failed.stderr
    assert place.options["secret"] not in done.stdout + done.stderr + failed.stderr


def test_options_that_are_no_object_are_said_so_and_not_shown(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_LAKE_OPTIONS", '["hidden"]')
    with pytest.raises(ParamsError, match="GROUNDSWELL_LAKE_OPTIONS.*expected a JSON object") as refused:
        load_settings()
    assert "hidden" not in str(refused.value)


def test_a_mirror_follows_the_lake_and_fetches_what_changed(tmp_path, s3):
    lake = Lake(new_place(s3))
    remote = Settings(project=tmp_path, **on(lake.storage.place))
    put_day(remote, "2026-10-19", ["a", "b"])
    put_day(remote, "2026-10-20", ["c"])
    assert mirror(lake, "valid", tmp_path / "lake") == 2
    assert mirror(lake, "valid", tmp_path / "lake") == 0
    put_day(remote, "2026-10-20", ["c", "d"])
    lake.remove(lake.partition("valid", "replay", "games", Window.parse("2026-10-19")))
    assert mirror(lake, "valid", tmp_path / "lake") == 1
    (there,) = lake.partitions("valid")
    assert [path.relative_to(tmp_path / "lake").as_posix() for path in (tmp_path / "lake").rglob("*.parquet")] == [there.name]
    assert sha256_of(tmp_path / "lake" / there.name) == lake.sha256(there)
    with pytest.raises(LakeError, match="a lake in a folder needs no mirror"):
        mirror(Lake(tmp_path / "lake"), "valid", tmp_path / "lake")


def test_what_is_erased_or_too_old_goes_from_the_mirror_too_though_nothing_is_sealed_again(tmp_path, s3):
    place = new_place(s3)
    remote = Settings(project=tmp_path, home=Path("var"), pseudonym_key="a-key-that-only-the-tests-know", mlflow_uri="", dvc_remote="", **on(place))
    lake = Lake(place)
    put_day(remote, "2026-10-19", ["what she wrote about the patch"])
    put_day(remote, "2026-10-20", ["what he wrote about the patch"])
    assert mirror(lake, "valid", remote.root / "lake") == 2
    hers, his = lake.partitions("valid")
    subject = Subject("post", "replay", lake.read(hers)["post_id"][0].as_py())
    assert erase([subject], settings=remote, now=NOW, seal=lambda topic: {})["state"] == "done"
    mirrored = pq.read_table(remote.root / "lake" / hers.name)
    assert mirrored.num_rows == 0 and sha256_of(remote.root / "lake" / hers.name) == lake.sha256(hers)
    retain("games", settings=remote, params=RetainParams(valid_days=1), now=NOW)
    assert not lake.exists(his) and not (remote.root / "lake" / his.name).exists()


def test_seal_versions_the_same_bytes_as_of_a_lake_in_a_folder(tmp_path, s3):
    local = make_project(tmp_path / "local")
    remote = make_project(tmp_path / "remote").model_copy(update=Settings(**on(new_place(s3))).model_dump(include={"lake_url", "lake_options"}))
    rows = [example(number, f"text {number}", number % 3) for number in range(6)]
    reports = []
    for settings in (local, remote):
        for day in ("2026-10-19", "2026-10-20"):
            put_day(settings, day, [f"a {day}", "b"])
        put_dataset(settings, {"train": rows[:3], "validation": rows[3:5], "test": rows[5:]})
        reports.append(seal("games", settings=settings))
    for name in ("lake", "dataset_md5", "locked", "lake_moved_on"):
        assert reports[0][name] == reports[1][name], name
    assert directory_md5(remote.root / "lake" / "valid") == directory_md5(local.lake / "valid")
