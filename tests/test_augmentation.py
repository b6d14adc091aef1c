"""Augmentation: what is added is new, says what it is, keeps its parent's sentiment and group, and has nothing to do with a judged row."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

from groundswell.approaches.augmentation import CHILDREN, augmented
from groundswell.approaches.base import Labelled, Surroundings, held_out
from groundswell.approaches.near_words import analyser, is_negation, lexicon, near_words
from groundswell.errors import DatasetError, ModelError
from groundswell.params import CompareRow, TrainParams
from groundswell.text import fingerprint

pytestmark = pytest.mark.slow

TEXTS = [
    "I do not like the new map, the servers are terrible tonight",
    "The update arrived on Monday and changes the menu of the game",
    "What a wonderful soundtrack, I love every minute of this season!",
    "never buying a phone from this company again, the screen is awful",
    "The committee will announce the winner of the contest tomorrow",
    "My brother is happy with his computer and the GRAPHICS are gorgeous 😀",
]
LABELS = np.array([0, 1, 2, 0, 1, 2])


def rows():
    return Labelled(list(TEXTS), LABELS, [f"row/{place}" for place in range(len(TEXTS))])


def surroundings(tmp_path, **others):
    return Surroundings(threads=1, train=TrainParams(), scratch=tmp_path, **others)


def row(augmentation):
    return CompareRow(name="one", features="tfidf", model="logistic", augmentation=augmentation)


def added(train, kind, around, seed=1):
    """What came along: (text, label, group, provenance) each."""
    more = augmented(train, row(kind), seed, around)
    assert more.texts[: len(train)] == train.texts
    assert more.provenances[: len(train)] == [""] * len(train)
    here = slice(len(train), None)
    return list(zip(more.texts[here], more.labels[here].tolist(), more.groups[here], more.provenances[here], strict=True))


@pytest.mark.parametrize("kind", ["edits", "synonyms"])
def test_a_child_is_new_and_has_its_parents_label_group_and_sentiment(tmp_path, kind):
    train = rows()
    children = added(train, kind, surroundings(tmp_path))
    assert len(TEXTS) < len(children) <= CHILDREN * len(TEXTS)
    label_of, text_of = dict(zip(train.groups, LABELS.tolist(), strict=True)), dict(zip(train.groups, TEXTS, strict=True))
    for text, label, group, provenance in children:
        assert (label, provenance) == (label_of[group], "synthetic")
        assert text != text_of[group]
        shared = set(text.lower().split()) & set(text_of[group].lower().split())
        assert len(shared) >= len(text_of[group].split()) // 2, "it stems from this parent"
        here, there = (analyser().polarity_scores(one)["compound"] for one in (text, text_of[group]))
        assert np.sign(here) == np.sign(there)
    texts = [text for text, *_ in children]
    assert len({fingerprint(text) for text in [*texts, *TEXTS]}) == len(texts) + len(TEXTS)


def test_edits_leave_negations_where_they_were(tmp_path):
    parent = TEXTS[0]
    train = Labelled([parent], np.array([0]), ["a"])
    for seed in range(30):
        for text, *_ in added(train, "edits", surroundings(tmp_path), seed):
            words = text.split()
            assert words.count("not") == 1


def test_the_same_seed_gives_the_same_children_and_another_gives_others(tmp_path):
    for kind in ("edits", "synonyms"):
        one, again, other = (added(rows(), kind, surroundings(tmp_path), seed) for seed in (1, 1, 2))
        assert one == again != other


def test_none_adds_nothing(tmp_path):
    train = rows()
    assert augmented(train, row("none"), 1, surroundings(tmp_path)) is train


def test_near_words_are_no_opposites_and_no_negations():
    near = near_words(["good", "happy", "boring", "never", "film", "tomorrow", "qqqq"])
    assert "never" not in near and "qqqq" not in near
    assert "great" in near["good"] and "bad" not in near["good"]
    assert "unhappy" not in near["happy"]
    assert near["film"][0] in ("films", "movie")
    for word, likes in near.items():
        assert all(np.sign(lexicon().get(one, 0)) == np.sign(lexicon().get(word, 0)) and not is_negation(one) for one in likes)


@pytest.mark.parametrize("kind", ["edits", "synonyms"])
def test_no_child_stems_from_a_planted_judged_text_and_none_says_what_one_says(tmp_path, kind):
    train = rows()
    free = surroundings(tmp_path)
    before = added(train, kind, free)
    planted = replace(free, judged=frozenset({fingerprint(TEXTS[2])}))
    assert "row/2" in {group for _, _, group, _ in before}
    assert "row/2" not in {group for _, _, group, _ in added(train, kind, planted)}
    judged = replace(free, judged=frozenset(fingerprint(text) for text, *_ in before))
    assert not {fingerprint(text) for text, *_ in added(train, kind, judged)} & judged.judged, "these very texts were made before"


def test_what_a_fold_adds_hangs_on_its_training_rows_alone(tmp_path):
    """The planted leak: with a judged row's text among the training rows children of it would be there; without, nothing is like it."""
    train, judged = rows().part(range(5)), TEXTS[5]
    children = added(train, "synonyms", surroundings(tmp_path, judged=frozenset({fingerprint(judged)})))
    assert not any("gorgeous" in text.lower() or "brother" in text.lower() for text, *_ in children)


def test_early_stopping_looks_at_no_added_row_and_no_child_of_a_row_it_stops_by(tmp_path):
    train = augmented(rows(), row("edits"), 1, surroundings(tmp_path))
    learnt, stop = held_out(train, 0.3, 1)
    assert not stop.is_added.any() and len(stop)
    assert learnt.is_added.any()
    assert not set(learnt.groups) & set(stop.groups)


def test_weak_labels_by_vader_are_sure_mixed_as_the_rows_and_clear_of_what_is_judged(tmp_path):
    positive = [f"absolutely wonderful and amazing day {number}, love it" for number in range(40)]
    negative = [f"horrible awful service number {number}, I hate it" for number in range(9)]
    neutral = [f"the train leaves from platform {number} at noon" for number in range(20)]
    unsure = [f"quite a nice table number {number}" for number in range(20)]
    judged = frozenset({fingerprint(negative[0])})
    around = surroundings(tmp_path, unlabelled=[*positive, *negative, *neutral, *unsure, ""], judged=judged)
    train = Labelled(
        [negative[1].upper(), *(f"row {number}" for number in range(1, 30))],
        np.array([0] * 10 + [1] * 10 + [2] * 10),
        [str(number) for number in range(30)],
    )
    found = added(train, "weak_vader", around)
    assert [sum(label == each for _, label, *_ in found) for each in range(3)] == [7, 7, 7], "the rarest class decides"
    assert {text for text, *_ in found} <= {*positive, *negative[2:], *neutral}
    assert {provenance for *_, provenance in found} == {"weak"}
    assert len({group for _, _, group, _ in found}) == len(found)
    assert found == added(train, "weak_vader", around)


def test_weak_labels_need_posts(tmp_path):
    with pytest.raises(DatasetError, match="found none"):
        augmented(rows(), row("weak_vader"), 1, surroundings(tmp_path, unlabelled=[TEXTS[0]]))


def test_a_champion_labels_posts_unless_it_has_learnt_from_what_is_judged(tmp_path):
    export = tiny.shared_export()
    posts, labels = tiny.tiny_rows(300, seed=50)
    train = Labelled(*tiny.tiny_rows(60, seed=51), [str(number) for number in range(60)])
    around = surroundings(tmp_path, unlabelled=posts, champion=export)
    truth = dict(zip(posts, labels.tolist(), strict=True))
    found = added(train, "weak_champion", around)
    assert len(found) > 20
    assert np.mean([truth[text] == label for text, label, *_ in found]) > 0.95
    learnt = fingerprint(tiny.tiny_rows(60, seed=2)[0][0])
    with pytest.raises(ModelError, match="has learnt from 1 of the 1 judged"):
        augmented(train, row("weak_champion"), 1, replace(around, judged=frozenset({learnt})))
    with pytest.raises(ModelError, match="no champion"):
        augmented(train, row("weak_champion"), 1, replace(around, champion=None))
