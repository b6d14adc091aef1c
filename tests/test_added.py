"""Rows that training adds: to train alone, clear of every row that is judged on, told apart and remembered as learnt."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
from models import project_with_registry, put_posts, register

from groundswell import registry, runs
from groundswell.added import added_rows
from groundswell.erasure.models import trained_on
from groundswell.errors import DatasetError, ModelError
from groundswell.examples import read_examples, read_manifest
from groundswell.impact import impact
from groundswell.kin import row_hash
from groundswell.lake import Lake
from groundswell.lineage import lineage
from groundswell.params import TrainParams
from groundswell.settings import Settings
from groundswell.text import fingerprint
from groundswell.train import train
from groundswell.window import Window

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project with a tiny base, a data set, and a lake of posts without a label; two of them repeat judged rows."""
    folder = tmp_path_factory.mktemp("added")
    tiny.tiny_base(folder / "base", steps=30)
    settings = Settings(project=folder, home=folder / "var", mlflow_uri="")
    tiny.tiny_dataset(settings.dataset("games"), train=160, validation=60, test=60)
    judged = [read_examples(settings.dataset("games"), split).texts[0] for split in ("validation", "test")]
    put_posts(settings, [*judged, *tiny.tiny_rows(200, seed=77)[0]])
    return folder


def settings_of(home):
    return Settings(project=home, home=home / "var", mlflow_uri="")


def params(home, kind, **changes):
    agree = {"min_int8_agreement": 0.3, "min_fp32_agreement": 0.9}
    return TrainParams(base=str(home / "base"), learning_rate=0.02, epochs=2, threads=1, bf16="off", augmentation=kind, **agree, **changes)


def added(home, kind, **changes):
    settings = settings_of(home)
    folder = settings.dataset("games")
    return added_rows("games", folder, settings=settings, params=params(home, kind, **changes), manifest=read_manifest(folder))


def judged_texts(settings):
    return [text for split in ("validation", "test") for text in read_examples(settings.dataset("games"), split).texts]


def test_nothing_is_added_unless_it_is_asked_for(home):
    assert len(added(home, "none").rows) == 0


@pytest.mark.parametrize(("kind", "provenance"), [("edits", "synthetic"), ("synonyms", "synthetic"), ("weak_vader", "weak")])
def test_what_is_added_says_what_it_is_and_has_no_judged_rows_words(home, kind, provenance):
    found = added(home, kind)
    assert len(found.rows) > 10
    assert found.counts() == {provenance: len(found.rows)}
    judged = {fingerprint(text) for text in judged_texts(settings_of(home))}
    assert not judged & {fingerprint(text) for text in found.rows.texts}
    again = added(home, kind)
    assert (again.rows.texts, again.rows.labels.tolist(), again.row_ids) == (found.rows.texts, found.rows.labels.tolist(), found.row_ids)


def test_weak_rows_name_the_posts_that_they_are(home):
    found = added(home, "weak_vader")
    known = {fingerprint(text): f"steam/games/p{at:03}" for at, text in enumerate([*["", ""], *tiny.tiny_rows(200, seed=77)[0]])}
    assert {known[fingerprint(text)] for text in found.rows.texts} <= set(found.row_ids)
    assert not {"steam/games/p000", "steam/games/p001"} & set(found.row_ids), "they say what a judged row says"
    assert added(home, "edits").row_ids == []


def test_a_champion_labels_unless_there_is_none_or_it_has_learnt_from_a_judged_row(home, tmp_path):
    settings = project_with_registry(tmp_path / "project")
    put_posts(settings, tiny.tiny_rows(300, seed=91)[0])
    folder = settings.dataset("games")

    def by_champion():
        return added_rows("games", folder, settings=settings, params=TrainParams(augmentation="weak_champion"), manifest=read_manifest(folder))

    with pytest.raises(ModelError, match="no champion"):
        by_champion()
    register(settings, "good", champion=True)
    found = by_champion()
    truth = dict(zip(*tiny.tiny_rows(300, seed=91), strict=True))
    assert found.counts() == {"weak": len(found.rows)} and len(found.rows) > 20
    assert np.mean([truth[text] == label for text, label in zip(found.rows.texts, found.rows.labels, strict=True)]) > 0.95
    register(settings, "good", champion=True, trained_on=[read_examples(folder, "test").texts[0]])
    with pytest.raises(ModelError, match="has learnt from 1 of the"):
        by_champion()


def test_training_learns_from_added_rows_measures_on_none_and_remembers_them(home):
    settings = settings_of(home)
    dataset = {path: path.read_bytes() for path in settings.dataset("games").rglob("*.parquet")}
    report = train("games", settings=settings, params=params(home, "weak_vader"))
    more = added(home, "weak_vader")
    assert report["rows"] == {"train": 160, "validation": 60, "added": {"weak": len(more.rows)}}
    assert {path: path.read_bytes() for path in dataset} == dataset
    export = settings.model("games") / "export"
    learnt = set(np.load(export / "trained_on.npy").tolist())
    assert {fingerprint(text) for text in more.rows.texts} <= learnt
    own = {fingerprint(text) for text in read_examples(settings.dataset("games"), "train").texts}
    assert not {fingerprint(text) for text in judged_texts(settings)} & (learnt - own)
    assert {row_hash(row_id) for row_id in more.row_ids} <= set(np.load(export / "trained_rows.npy").tolist())
    assert f"added weak {len(more.rows)}" in (export / "card.md").read_text()
    run = runs.read_run(settings, report["run_id"])
    assert run.params["augmentation"] == "weak_vader"
    assert registry.version_numbered(settings, "games", report["model_version"]).tags["learnt_from_lake"] == str(len(more.row_ids))
    assert json.loads((Path(settings.model("games")) / "train.json").read_text())["rows"] == report["rows"]


def test_words_are_guessed_in_posts_that_are_strangers_to_every_row(home):
    found = added(home, "none", further_pretraining_epochs=1)
    assert (len(found.rows), found.row_ids) == (0, [])
    assert len(found.unlabelled) == len(found.unlabelled_ids) == len(set(found.unlabelled_ids)) > 20
    assert not {"steam/games/p000", "steam/games/p001"} & set(found.unlabelled_ids), "they say what a judged row says"
    folder = settings_of(home).dataset("games")
    own = {fingerprint(text) for split in ("train", "validation", "test") for text in read_examples(folder, split).texts}
    assert not own & {fingerprint(text) for text in found.unlabelled}
    assert found.tags == {"learnt_from_lake": str(len(found.unlabelled_ids))}
    assert added(home, "none", further_pretraining_epochs=1, further_pretraining_posts=7).unlabelled_ids == found.unlabelled_ids[:7]
    assert added(home, "none", further_pretraining_epochs=1, further_pretraining_posts=0).tags == {}
    assert added(home, "none").unlabelled == []


def test_a_post_that_is_labelled_weakly_and_guessed_in_counts_once(home):
    both = added(home, "weak_vader", further_pretraining_epochs=1)
    assert both.row_ids == added(home, "weak_vader").row_ids
    assert set(both.learnt_ids) == set(both.row_ids) | set(both.unlabelled_ids)
    assert len(both.learnt_ids) == len(set(both.learnt_ids)) < len(both.row_ids) + len(both.unlabelled_ids)
    assert both.texts == both.rows.texts + both.unlabelled


def test_training_says_and_remembers_what_it_guessed_words_in(home, monkeypatch):
    from groundswell import further

    heard, plain = [], further.pretrain
    monkeypatch.setattr(further, "_HEAD_STEPS", 3)
    monkeypatch.setattr(further, "pretrain", lambda model, tokenizer, learn, **more: (heard.append(learn), plain(model, tokenizer, learn, **more))[1])
    settings = settings_of(home)
    report = train("games", settings=settings, params=params(home, "none", further_pretraining_epochs=1, further_pretraining_posts=30))
    posts = added(home, "none", further_pretraining_epochs=1, further_pretraining_posts=30)
    own = read_examples(settings.dataset("games"), "train")
    assert [(learn.texts, learn.groups) for learn in heard] == [(own.texts + posts.unlabelled, own.table["group"].to_pylist() + posts.unlabelled_ids)]
    facts = report["further_pretraining"]
    assert facts["posts"] == 30
    assert facts["texts"] + facts["held_out"] == 160 + 30
    assert report["rows"]["added"] == {}
    export = settings.model("games") / "export"
    assert {fingerprint(text) for text in posts.unlabelled} <= set(np.load(export / "trained_on.npy").tolist())
    assert {row_hash(row_id) for row_id in posts.unlabelled_ids} <= set(np.load(export / "trained_rows.npy").tolist())
    assert f"guess 15% of the words in {facts['texts']} texts" in (export / "card.md").read_text()
    run = runs.read_run(settings, report["run_id"])
    assert run.params["further_pretraining_epochs"] == "1.0"
    assert run.metrics["further_pretraining_loss_after"] == facts["loss_after"]
    assert "masked_language_loss" in run.metrics
    version = registry.version_numbered(settings, "games", report["model_version"])
    assert version.tags["learnt_from_lake"] == "30"
    found = {one["version"]: one["rows"] for one in trained_on("games", [], [], settings=settings, versions=Listed())}
    assert found[report["model_version"]] == "unknown", "an author who is erased may have written one of them"


def test_a_day_whose_posts_were_guessed_in_is_known_as_the_models(home, monkeypatch):
    """Impact, coverage, lineage and retain ask by partition: the days of posts that no data set has are the model's too."""
    from groundswell import further

    monkeypatch.setattr(further, "_HEAD_STEPS", 3)
    settings, window = settings_of(home), Window.parse("2026-10-19")
    lake = Lake(settings.lake)
    partition = lake.partition("valid", "steam", "games", window)
    content, posts = lake.metadata(partition)["content_sha256"], lake.read(partition)
    weak = train("games", settings=settings, params=params(home, "weak_vader"))
    guessed = train("games", settings=settings, params=params(home, "none", further_pretraining_epochs=1, further_pretraining_posts=30))
    plain = train("games", settings=settings, params=params(home, "none"))
    kept = [runs.read_json(settings, report["run_id"], "dataset/manifest.json") for report in (weak, guessed, plain)]
    assert kept[1]["unlabelled_partitions"] == {"steam/games/2026-10-19": {"rows": 30, "content_sha256": content}}
    assert kept[0]["unlabelled_partitions"]["steam/games/2026-10-19"]["rows"] == len(added(home, "weak_vader").row_ids)
    assert "unlabelled_partitions" not in kept[2]
    assert lineage("games", guessed["model_version"], settings=settings)["unlabelled"] == {"steam": {"2026-10-19": 30}}
    own = {report["model_version"] for report in (weak, guessed)}
    found = {one["model_version"]: one["superseded"] for one in impact("games", [window], settings=settings)["versions"]}
    assert {version: found.get(version) for version in own} == dict.fromkeys(own, [])
    assert plain["model_version"] not in found
    try:
        lake.write(partition, posts.slice(1), {"window": window.key})  # as after an erasure
        found = {one["model_version"]: one["superseded"] for one in impact("games", [window], settings=settings)["versions"]}
        assert {version: found.get(version) for version in own} == dict.fromkeys(own, ["steam/games/2026-10-19"])
    finally:
        lake.write(partition, posts, {"window": window.key})


def test_guessing_in_training_rows_alone_leaves_no_doubt(home, monkeypatch):
    from groundswell import further

    monkeypatch.setattr(further, "_HEAD_STEPS", 3)
    settings = settings_of(home)
    report = train("games", settings=settings, params=params(home, "none", further_pretraining_epochs=1, further_pretraining_posts=0))
    assert report["further_pretraining"]["posts"] == 0
    found = {one["version"]: one["rows"] for one in trained_on("games", [], [], settings=settings, versions=Listed())}
    assert report["model_version"] not in found


class Listed:
    """A version control in which every data set is known, and no erased row is."""

    def listing(self, md5):
        return {"train.parquet": "of nobody that is erased"}


def test_an_erasure_can_not_tell_which_posts_a_model_has_learnt_from_by_weak_labels(home):
    settings = settings_of(home)
    for kind in ("weak_vader", "edits"):
        report = train("games", settings=settings, params=params(home, kind))
        found = {one["version"]: one["rows"] for one in trained_on("games", [], [], settings=settings, versions=Listed())}
        assert found.get(report["model_version"]) == {"weak_vader": "unknown", "edits": None}[kind]


def test_without_posts_nothing_is_begun(home, tmp_path):
    settings = Settings(project=tmp_path, home=tmp_path / "var", mlflow_uri="")
    tiny.tiny_dataset(settings.dataset("games"), train=60, validation=30, test=30)
    with pytest.raises(DatasetError, match="weak_vader: expected posts without a label .* found none"):
        train("games", settings=settings, params=params(home, "weak_vader"))
    assert not (tmp_path / "var" / "mlflow").exists()
