"""Spare posts and the champion: whoever asks for a row, compare, tune or train, is given the same, and only where the row wants it."""

import json

import pytest
from models import project_with_registry, put_posts, register
from tiny import tiny_rows

from groundswell.examples import read_examples
from groundswell.grid import AUGMENTATIONS
from groundswell.predictor import verify
from groundswell.spare import Spare

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path):
    found = project_with_registry(tmp_path / "project")
    repeated = [read_examples(found.dataset("games"), split).texts[0] for split in ("train", "validation", "test")]
    put_posts(found, [*repeated, *tiny_rows(60, seed=91)[0]])
    return found


def spare(settings, folder, **changes):
    asked = {"learnt": ["train", "validation"], "apart": ["train", "validation"], "folder": folder} | changes
    return Spare(settings, "games", 0.8, **asked)


def test_only_weak_labels_need_posts_and_only_the_champions_need_the_champion(settings, tmp_path):
    version = register(settings, "good", champion=True)
    run_id = json.loads((settings.model("games") / "train.json").read_text())["run_id"]
    for augmentation in AUGMENTATIONS:
        box = tmp_path / augmentation
        box.mkdir()
        found = spare(settings, box)
        given = found.given(augmentation, box)
        if not augmentation.startswith("weak"):
            assert given == {"unlabelled": None, "champion": None} and found.settings_of(augmentation) == {}
            assert found.posts(augmentation) == [] and found.champion(augmentation) is None and not list(box.iterdir())
            continue
        texts = json.loads((box / "unlabelled.json").read_text())
        assert texts == [post.text for post in found.posts(augmentation)] and len(texts) > 30
        is_champions = augmentation == "weak_champion"
        assert given["champion"] == (str(box / "champion") if is_champions else None)
        assert found.settings_of(augmentation).get("champion") == (run_id if is_champions else None) and version == "1"
        if is_champions:
            verify(box / "champion")


def test_posts_are_strangers_to_the_splits_that_are_named_and_to_no_others(settings, tmp_path):
    """A comparison never reads the test split; a training for the registry keeps clear of it too."""
    first = {split: read_examples(settings.dataset("games"), split).texts[0] for split in ("train", "validation", "test")}

    def met(**changes):
        texts = {post.text for post in spare(settings, tmp_path, **changes).posts("weak_vader")}
        return {split for split, text in first.items() if text in texts}

    assert met() == {"test"}
    assert met(apart=["train", "validation", "test"]) == set()


def test_without_a_champion_there_is_none_and_it_is_known(settings, tmp_path):
    found = spare(settings, tmp_path)
    assert found.champion("weak_champion") is None and found.settings_of("weak_champion")["champion"] is None
    before = found.settings_of("weak_champion")
    register(settings, "good", champion=True)
    assert spare(settings, tmp_path).settings_of("weak_champion") != before
    put_posts(settings, tiny_rows(50, seed=92)[0])
    assert spare(settings, tmp_path).settings_of("weak_vader") != found.settings_of("weak_vader")
