"""The benchmarks of quality read what is published, let no judged row be learnt, and find again what a kill left."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_base, tiny_rows

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import learners  # noqa: E402 - by the name that the benchmarks import it by: one module, not two

from benchmarks import corpora, domains, emoji, finance, games, recipes, tweeteval, warm_start  # noqa: E402
from groundswell.approaches import Labelled  # noqa: E402
from groundswell.errors import CorpusError  # noqa: E402
from groundswell.params import TrainParams  # noqa: E402
from groundswell.schema import LABELS  # noqa: E402

TRAIN = ["the first film was wonderful and long", "a list of films on monday", "an awful and boring film, refund me"]
VAL = ["The FIRST film was wonderful, and long!", "nothing like the others at all here"]


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def folder(path, **splits):
    path.mkdir()
    for split, (texts, labels) in splits.items():
        (path / f"{split}_text.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        (path / f"{split}_labels.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    return path


def test_both_layouts_of_tweeteval_are_the_same_rows(tmp_path):
    rows = [("text", "label", "split"), *zip(TRAIN, ("positive", "neutral", "negative"), ["train"] * 3, strict=True)]
    rows += list(zip(VAL, ("positive", "neutral"), ["val"] * 2, strict=True))
    one = corpora.tweets(write(tmp_path / "tweets.csv", rows))
    other = corpora.tweets(folder(tmp_path / "sentiment", train=(TRAIN, (2, 1, 0)), val=(VAL, (2, 1))))
    assert (one.learn.texts, one.learn.labels.tolist()) == (other.learn.texts, other.learn.labels.tolist()) == (TRAIN, [2, 1, 0])
    assert one.judged_on == other.judged_on == "val"
    assert one.is_near.tolist() == other.is_near.tolist() == [True, False]


def test_the_published_test_set_judges_where_it_is(tmp_path):
    found = corpora.tweets(folder(tmp_path / "sentiment", train=(TRAIN, (2, 1, 0)), val=(VAL, (2, 1)), test=(VAL[1:], (0,))))
    assert (found.judged_on, found.judge.texts, found.judge.labels.tolist()) == ("test", VAL[1:], [0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [((2, 1), "3 lines, train_labels.txt 2"), ((2, 1, 3), "labels 0, 1, 2")],
)
def test_another_layout_is_refused(tmp_path, labels, message):
    with pytest.raises(CorpusError, match=message):
        corpora.tweets(folder(tmp_path / "sentiment", train=(TRAIN, labels), val=(VAL, (2, 1))))


def test_the_phrasebank_is_read_from_either_file(tmp_path):
    texts = ["Sales rose to 4 m\u00a3 @ Oulu", "Sales fell", "The firm has an office"]
    labels = ["positive", "negative", "neutral"]
    (tmp_path / "all-data.csv").write_bytes("".join(f'{label},"{text}"\r\n' for label, text in zip(labels, texts, strict=True)).encode("iso-8859-1"))
    lines = "".join(f"{text}@{label}\n" for label, text in zip(labels, texts, strict=True))
    (tmp_path / "Sentences_AllAgree.txt").write_bytes(lines.encode("iso-8859-1"))
    found = corpora.finance(tmp_path)
    assert list(found) == ["100 %", ">= 50 %"]
    assert found["100 %"].texts == found[">= 50 %"].texts == texts
    assert found["100 %"].labels.tolist() == found[">= 50 %"].labels.tolist() == [2, 0, 1]
    with pytest.raises(CorpusError, match="found neither"):
        corpora.finance(folder(tmp_path / "empty"))


def written_games(path, tweets=30):
    """Each tweet three times, the second and third a variant of it; the last five tweets are the validation file."""
    path.mkdir()
    words = ("Negative", "Neutral", "Positive", "Irrelevant")
    texts, _ = tiny_rows(tweets, seed=5)
    # numbers keep different tweets from being near duplicates
    rows = [
        (number, "game", words[number % 4], f"{text} {(number + 3) ** 9} {ending}") for number, text in enumerate(texts) for ending in ("a", "b", "c")
    ]
    write(path / "twitter_training.csv", [*rows, (99, "game", "Neutral", " ")])
    write(path / "twitter_validation.csv", rows[-15::3])
    return path


def test_the_honest_rows_of_games_hold_nothing_that_is_judged(tmp_path):
    found = corpora.games(written_games(tmp_path / "games"))
    assert (len(found.rows), found.training) == (95, 90)
    whole = games.sides(found)
    assert {name: len(side) for name, side in whole.items()} == {"leaky": 90, "honest": 75}
    few = games.sides(found, rows=40)
    judged = set(found.rows.groups[90:])
    assert {name: len(side) for name, side in few.items()} == {"leaky": 40, "honest": 40}
    assert not judged & (set(whole["honest"].groups) | set(few["honest"].groups))
    assert judged <= set(few["leaky"].groups)


def test_rows_with_an_emoji_judge_and_are_like_nothing_learnt(tmp_path):
    texts = [f"{text.replace('😀', 'it')} {(number + 3) ** 9}" for number, text in enumerate(tiny_rows(30)[0])]
    rows = [(number, "game", "Neutral", f"{text} 😡" if number % 3 == 0 else text) for number, text in enumerate(texts)]
    path = tmp_path / "games"
    path.mkdir()
    write(path / "twitter_training.csv", [*rows, (0, "game", "Neutral", "another row of the first tweet")])
    write(path / "twitter_validation.csv", rows[:1])
    learn, judge = emoji.parts(path, rows=100)
    assert all("😡" in text for text in judge.texts) and len(judge) == 10
    assert not any("😡" in text for text in learn.texts)
    assert not set(learn.groups) & set(judge.groups)


@pytest.mark.slow
def test_the_linear_rows_are_the_baseline_and_those_that_compare_has_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(learners, "KEPT", tmp_path)
    texts, labels = tiny_rows(60)
    said = learners.linear_rows(Labelled(texts, labels, texts), texts[:5])
    assert {"baseline", "tfidf-svm", "words-chars-lexicon-logistic"} <= set(said)
    assert {answers.shape for answers in said.values()} == {(5, len(LABELS))}


@pytest.mark.slow
def test_folds_judge_every_row_once_and_cut_no_group():
    groups = [str(number // 3) for number in range(60)]
    rows = Labelled([f"text {number}" for number in range(60)], np.arange(60) % 3, groups)
    folds = finance.cut(rows, 4)
    assert sorted(at for _, judge in folds for at in judge) == list(range(60))
    for learn, judge in folds:
        assert not {groups[at] for at in learn} & {groups[at] for at in judge}


def test_means_over_seeds_and_their_differences(monkeypatch):
    monkeypatch.setattr(learners, "SAMPLES", 100)
    labels = np.arange(300) % 3
    right, wrong = np.eye(3)[labels], np.eye(3)[(labels + 1) % 3]
    half = np.where((np.arange(300) < 150)[:, None], right, wrong)
    found = learners.summary(labels, [right, half])
    assert found["macro_recall"]["mean"] == pytest.approx(0.75) and found["macro_recall"]["by_seed"] == [1.0, 0.5]
    assert found["macro_recall"]["low"] < 0.75 < found["macro_recall"]["high"]
    apart = learners.difference(labels, [right, right], [half])
    assert apart["estimate"] == 0.5 and apart["low"] > 0.4
    assert learners.difference(labels, [half], [half]) == {"estimate": 0.0, "low": 0.0, "high": 0.0}


def test_a_page_has_its_tables_with_as_many_cells_in_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(learners, "RESULTS", tmp_path)
    monkeypatch.setattr(learners, "SAMPLES", 100)
    labels = np.arange(30) % 3
    row = learners.summary(labels, [np.eye(3)[labels]])
    table = {name: dict.fromkeys(("tweets", "games"), row) for name in ("tweets", "games")}
    counts = dict.fromkeys(("tweets", "games"), {"learnt": 20, "judged": 30})
    learners.page("domains", "Domains", domains.sections({"linear": table, "network": table}, counts))
    lines = [line for line in (tmp_path / "domains.md").read_text().splitlines() if line.startswith("|")]
    assert len(lines) == 8 and {line.count("|") for line in lines} == {4}
    assert "1.000 (1.000 to 1.000)" in lines[2]


def test_what_a_kill_left_is_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(learners, "KEPT", tmp_path)
    calls = []

    def make():
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return {"int8": np.eye(3), "seconds": 2.5}

    with pytest.raises(KeyboardInterrupt):
        learners.kept("one", make)
    for _ in range(2):
        found = learners.kept("one", make)
        assert np.array_equal(found["int8"], np.eye(3)) and found["seconds"] == 2.5
    assert len(calls) == 2


def test_every_recipe_is_one_that_train_takes():
    for options in recipes.RECIPES.values():
        TrainParams(**{**recipes.PLAIN.model_dump(), **options})


def test_an_answer_is_named_by_the_code_that_it_went_through(monkeypatch):
    """What is kept stays valid while an option that it does not use changes."""
    through = []
    monkeypatch.setattr(learners, "code_of", lambda names: through.append(set(names)) or "code")
    monkeypatch.setattr(learners, "kept", lambda name, make: name)
    learn, more = (Labelled(texts, np.zeros(3, dtype=int), list("abc")) for texts in (TRAIN, [*VAL, "unseen"]))
    plain = learners.network(learn, VAL, TrainParams())
    assert learners.network(learn, VAL, TrainParams(further_pretraining_posts=2 * 10_000), unlabelled=more) == plain
    further = TrainParams(further_pretraining_epochs=1)
    names = [learners.network(learn, VAL, further.model_copy(update={"further_pretraining_posts": most}), unlabelled=more) for most in (0, 2, 3, 4)]
    assert plain not in names and len(set(names)) == 4
    none = learners.network(learn, VAL, further, unlabelled=None)
    assert none not in names, "its params name another number of posts"
    assert through == [set(learners.CODE)] * 2 + [{*learners.CODE, "further.py", "masks.py"}] * 5


def test_further_pretraining_reads_no_judged_row_and_no_label():
    rest = Labelled([*TRAIN, *VAL, "unseen"], np.array([2, 1, 0, 2, 1, 2]), list("abcacd"))
    found = recipes.strangers(rest, rest.part([0, 1]))
    assert (found.texts, found.groups, found.labels.tolist()) == ([TRAIN[2], VAL[1], "unseen"], ["c", "c", "d"], [0, 0, 0])


@pytest.mark.slow
def test_the_benchmarks_run_on_invented_rows(tmp_path, monkeypatch):
    """Whole, but for size: a tiny base, few rows, the results and answers in a folder of the test."""
    from groundswell import further

    base = tiny_base(tmp_path / "base")
    quick = TrainParams(base=base, epochs=2, learning_rate=2e-2, threads=1)
    for module in (tweeteval, games, finance, domains):
        monkeypatch.setattr(module, "shipped", lambda: quick)
    monkeypatch.setattr(recipes, "PLAIN", quick)
    monkeypatch.setattr(warm_start, "PLAIN", quick)
    monkeypatch.setattr(learners, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(learners, "SAMPLES", 50)
    monkeypatch.setattr(learners, "RESULTS", tmp_path / "results")
    written = {}
    for module in (tweeteval, games, finance, recipes, warm_start):
        monkeypatch.setattr(module, "finish", lambda name, measures, also: written.update({name: json.loads(json.dumps(also))}) or 0)
    parts = {split: tiny_rows(count, seed) for split, count, seed in (("train", 150, 1), ("val", 60, 2))}
    tweets = folder(tmp_path / "sentiment", **parts)
    assert tweeteval.main(tweeteval.parsed([str(tweets), "--seeds", "2", "--threads", "1"])) == 0
    assert len(written["tweeteval"]["table"]["the same, PyTorch"]["accuracy"]["by_seed"]) == 2
    assert abs(written["tweeteval"]["int8_less_torch"]["estimate"]) < 0.1
    assert games.main(games.parsed([str(written_games(tmp_path / "games")), "--rows", "40", "--threads", "1"])) == 0
    assert set(written["games"]["flattery"]) == {"linear", "network"}
    texts, labels = tiny_rows(90, 3)
    phrases = write(
        tmp_path / "all-data.csv", [(LABELS[label], f"{text} {place**5}") for place, (text, label) in enumerate(zip(texts, labels, strict=True))]
    )
    assert finance.main(finance.parsed([str(phrases), "--folds", "2", "--threads", "1"])) == 0
    assert written["finance"]["levels"][">= 50 %"]["table"]["network"]["accuracy"]["mean"] > 0.3
    monkeypatch.setitem(recipes.RECIPES, "further_posts", {"further_pretraining_epochs": 1, "further_pretraining_posts": 20})
    monkeypatch.setattr(further, "_HEAD_STEPS", 3)
    told = ["--rows", "70", "--judged", "9000", "--only", "plain,adjusted,further_posts", "--threads", "1"]
    assert recipes.main(recipes.parsed([str(tweets), *told])) == 0
    assert [line["name"] for line in written["recipes"]["recipes"]][::2] == ["plain", "adjusted", "further_posts, shares out"]
    assert warm_start.main(warm_start.parsed([str(tweets), "--rows", "90", "--judged", "9000", "--seeds", "2", "--threads", "1"])) == 0
    champion, base, warm, short = written["warm_start"]["trainings"]
    assert (champion["seeds"], "against_base" in base, base["times_faster"]) == (2, False, 1.0)
    assert warm["times_faster"] > 1 and set(warm["against_base"]) == {"macro_recall", "macro_f1"}
    assert warm["macro_f1"]["by_seed"] != short["macro_f1"]["by_seed"], "it did not begin with the champion"
    for name in ("tweeteval", "games", "finance", "recipes", "warm_start"):
        lines = (tmp_path / "results" / f"{name}.md").read_text().splitlines()
        tables = [line.count("|") for line in lines if line.startswith("|")]
        assert len(tables) > 3 and lines[0].startswith("# "), name
