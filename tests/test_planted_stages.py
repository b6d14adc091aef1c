"""Bugs planted in the stages themselves: in who is judged and on what, in what a promotion asks for, in what a data set lets through.

As in `test_planted`, whose bugs are in the arithmetic: checks pass on the source as it is, and must not on the changed one.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from models import TEXTS_OF_TRAINING, VERDICT_KEY, project_with_registry, register
from planted import planted
from test_prepare import PARAMS as FOR_PREPARE
from test_prepare import post, store, usual

from groundswell import folds, judge, prepare, promote
from groundswell.errors import DatasetError, JudgeRefused
from groundswell.examples import read_examples
from groundswell.files import write_json
from groundswell.lake import write_parquet
from groundswell.params import JudgeParams, PromoteParams
from groundswell.schema import EXAMPLE
from groundswell.settings import Settings
from groundswell.signature import signed
from groundswell.verdict import HOLD, digest_of

NOW, OWN_KEY = datetime(2026, 11, 2, 8, tzinfo=UTC), VERDICT_KEY.encode()
QUICK = JudgeParams(bootstrap_samples=200, latency_texts=8, goal="no_worse", margin=0.05, max_latency_ratio=20, measured_in="process", seed=3)


# --- judge: who is judged, and on which rows ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A champion that knows the words, and has seen 100 of the 240 test rows; a challenger that knows none."""
    settings = project_with_registry(tmp_path_factory.mktemp("planted") / "project")
    seen = read_examples(settings.dataset("games"), "test").texts[:100]
    register(settings, "good", dataset_md5="1" * 32 + ".dir", trained_on=[*TEXTS_OF_TRAINING, *seen], champion=True)
    register(settings, "bad")
    return settings


def judges_both(module, settings: Settings) -> None:
    """Champion and challenger are asked themselves, about the rows that neither has seen, and the verdict says what they said."""
    verdict = module.judge("games", settings=settings, params=QUICK, now=NOW)
    assert (verdict["verdict"], verdict["challenger_version"], verdict["champion_version"]) == (HOLD, "2", "1")
    assert any("worse than the champion" in reason for reason in verdict["reasons"])
    assert verdict["rows"] == 140 and verdict["excluded"]["seen_by_champion"] == 100
    worth = {name: one["macro_f1"] for name, one in verdict["scores"].items()}
    assert worth["champion"] > 0.9 > worth["challenger"]
    assert verdict["difference_to_champion"]["estimate"] == pytest.approx(worth["challenger"] - worth["champion"], abs=1e-5)
    share = {name: one["all"]["passed"] / one["all"]["cases"] for name, one in verdict["behaviour"].items()}
    assert share["champion"] != share["challenger"], "else nothing could be told apart"
    assert any(f"{share['challenger'] - share['champion']:+.1%} are passed against the champion" in reason for reason in verdict["reasons"])


@pytest.mark.slow
def test_the_judge_as_it_is_judges_both(judged):
    judges_both(judge, judged)


OLD, FAIR = "_contender(settings, topic, champion, Path(box, CHAMPION)) if champion else None", "fair(rows, settings.dataset(topic), new, old)"
SCORED = "scores(rows.labels, probabilities)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "bug"),
    [
        pytest.param(OLD, "None", id="the champion is never evaluated"),
        pytest.param(OLD, OLD.replace("topic, champion", "topic, challenger"), id="the challenger is fetched for the champion"),
        pytest.param(FAIR, FAIR.replace("old)", "None)"), id="rows that the champion was trained on judge"),
        pytest.param(SCORED, SCORED.replace("probabilities", "answers[CHALLENGER]"), id="the champion's scores are the challenger's"),
        pytest.param("evidence_of(rows.labels, answers", "evidence_of(rows.labels[::-1], answers", id="labels of other rows"),
        pytest.param("_share(behaviour[CHAMPION]) - _share", "-_share(behaviour[CHAMPION]) + _share", id="behaviour's sign flipped"),
    ],
)
def test_a_bug_in_the_judge_is_caught(judged, line, bug):
    with pytest.raises((AssertionError, KeyError, JudgeRefused)):
        judges_both(planted("judge", line, bug), judged)


def refuses_strange_rows(module, folder: Path) -> None:
    """A model's opinion is no label to judge by, and rows must be those that the data set's manifest speaks of."""
    settings = project_with_registry(folder / "project")
    dataset = settings.dataset("games")
    module._rows(settings, "games")
    table, place = read_examples(dataset, "test").table, EXAMPLE.names.index("label_provenance")
    weak = pa.array(["human"] * (table.num_rows - 1) + ["weak"])
    write_parquet(table.set_column(place, EXAMPLE.field("label_provenance"), weak), dataset / "test.parquet")
    with pytest.raises(JudgeRefused, match="opinion is no truth"):
        module._rows(settings, "games")
    write_parquet(table.slice(1), dataset / "test.parquet")
    with pytest.raises(JudgeRefused, match="the test rows have digest"):
        module._rows(settings, "games")


@pytest.mark.slow
def test_strange_rows_are_refused(tmp_path):
    refuses_strange_rows(judge, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "bug"),
    [
        pytest.param("- {*JUDGING_PROVENANCES})", '- {*JUDGING_PROVENANCES, "weak"})', id="weak labels as truth"),
        pytest.param("(found := digest(rows.table)) != said", "(found := said) != said", id="other rows than prepare's"),
    ],
)
def test_a_bug_in_what_judges_is_caught(tmp_path, line, bug):
    with pytest.raises(pytest.fail.Exception):
        refuses_strange_rows(planted("judge", line, bug), tmp_path)


# --- promote: what a verdict must be -----------------------------------------------------------------------------------


def asks_enough(module, folder: Path) -> None:
    """Signed, on this topic, for promotion, approved as it stands, young, and on the export that is there."""
    settings, params = Settings(project=folder, mlflow_uri="", verdict_key=VERDICT_KEY), PromoteParams(verdict_hours=24)
    good = {"topic": "games", "verdict": "PROMOTE", "reasons": ["Better."], "challenger_version": "5", "champion_version": "4"}
    good |= {"judged_at": "2026-11-02T07:00:00Z", "export_sha256": "ab" * 32}

    def read(approved=None, key=OWN_KEY, **changes):
        verdict = {**good, **changes}
        verdict["digest"] = digest_of(verdict)
        write_json(signed(verdict, key) if key else verdict, settings.report("judge", "games"))
        return module._verdict(settings, "games", approved)

    assert read()["challenger_version"] == "5" and read(approved=digest_of(good))
    others = [{"key": None}, {"key": b"somebody else's key"}, {"approved": "no"}, {"topic": "films"}]
    for bad in (*others, {"verdict": "HOLD"}, {"verdict": "INCONCLUSIVE"}):
        with pytest.raises(JudgeRefused):
            read(**bad)
    module._require_young("games", good, params, NOW)
    for hours in (24.5, 100, -2):
        with pytest.raises(JudgeRefused):
            module._require_young("games", good, params, NOW - timedelta(hours=1) + timedelta(hours=hours))
    module._require_judged("games", good, "ab" * 32)
    with pytest.raises(JudgeRefused):
        module._require_judged("games", good, "cd" * 32)


def test_a_promotion_as_it_is_asks_enough(tmp_path):
    asks_enough(promote, tmp_path)


SIGNED = 'require_signed(verdict, settings.key_for_verdicts(), what=str(path), remedy=f"run groundswell judge --topic {topic} again")'


@pytest.mark.parametrize(
    ("line", "bug"),
    [
        pytest.param(SIGNED, "pass", id="unsigned"),
        pytest.param('verdict["verdict"] != "PROMOTE"', 'verdict["verdict"] == "HOLD"', id="INCONCLUSIVE is enough"),
        pytest.param('verdict["verdict"] != "PROMOTE"', "False", id="any verdict is enough"),
        pytest.param('verdict["topic"] != topic', "False", id="another topic's verdict"),
        pytest.param('approved != verdict["digest"]', 'approved == "digest"', id="another verdict than the approved one"),
        pytest.param("hours > params.verdict_hours", "hours < params.verdict_hours", id="age flipped"),
        pytest.param("hours > params.verdict_hours", "False", id="stale"),
        pytest.param("hours < -_SKEW_HOURS", "False", id="of a time to come"),
        pytest.param('digest != verdict["export_sha256"]', "False", id="another export than the judged one"),
    ],
)
def test_a_bug_in_a_promotion_is_caught(tmp_path, line, bug):
    with pytest.raises((AssertionError, JudgeRefused, pytest.fail.Exception)):
        asks_enough(planted("promote", line, bug), tmp_path)


# --- prepare and the folds: leaks, and opinions as truth ---------------------------------------------------------------


def lets_nothing_leak(module, folder: Path) -> None:
    """Copies and opinions come in; no copy is on two sides, and no opinion judges."""
    copies = [post(50_100 + day, day, "Totally invented words that somebody posts again & again!", "positive") for day in range(10)]
    weak = [post(40_100 + day, day, f"an opinion of a lexicon, number {day} of ten", "positive", "weak") for day in range(10)]
    settings = store(folder, usual() + copies + weak)
    params = FOR_PREPARE.model_copy(update={"train_provenances": ["human", "weak"]})
    module.prepare("games", settings=settings, params=params)
    rows = {split: read_examples(settings.dataset("games"), split) for split in ("train", "validation", "test")}
    held = [set(part.table["group"].to_pylist()) for part in rows.values()]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    assert {one for split in ("validation", "test") for one in rows[split].table["label_provenance"].to_pylist()} == {"human"}
    assert "weak" in rows["train"].table["label_provenance"].to_pylist()


@pytest.mark.slow
def test_nothing_leaks_as_it_is(tmp_path):
    lets_nothing_leak(prepare, tmp_path)


ASSIGNED = "split, left_out = assign(windows, starts, may_train, may_judge, _grouping(keyings, params))"
SHUFFLED = "split, left_out = shuffled(len(rows), validation_share=params.validation_share, test_share=params.test_share, seed=1), {}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "bug", "caught"),
    [
        pytest.param(ASSIGNED, SHUFFLED, DatasetError, id="a random split, which leaks"),
        pytest.param(ASSIGNED, ASSIGNED.replace("_grouping(keyings, params)", "{}"), DatasetError, id="by time alone"),
        pytest.param("may_judge = [row.provenance in JUDGING_PROVENANCES", "may_judge = [True", AssertionError, id="weak labels as truth"),
    ],
)
def test_a_bug_in_the_data_set_is_caught(tmp_path, line, bug, caught):
    """A leaked split is refused by prepare itself, whatever made it."""
    with pytest.raises(caught, match="share a key" if caught is DatasetError else None):
        lets_nothing_leak(planted("prepare", line, bug), tmp_path)


def cuts_well(module) -> None:
    """Whole groups, each once; what is nobody's word but a lexicon's teaches, and is never judged on."""
    groups = [f"group {number // 2}" for number in range(60)]
    rows = module.Rows([f"text {number}" for number in range(60)], np.arange(60) // 2 % 3, groups, np.arange(60) < 48)
    cut = module.cut(rows, 4)
    judged = [cut.judged(rows, fold) for fold in range(4)]
    assert sorted(np.concatenate(judged).tolist()) == list(range(48)), "every row that may judge, once, and no other"
    for fold, places in enumerate(judged):
        learnt = cut.learnt(rows, fold, 1.0, 1)
        assert not {groups[place] for place in places} & {groups[place] for place in learnt}
        assert set(range(48, 60)) & set(learnt.tolist())


def test_the_folds_as_they_are_are_cut_well():
    cuts_well(folds)


def test_weak_labels_that_judge_a_fold_are_caught():
    with pytest.raises(AssertionError):
        cuts_well(planted("folds", "(self.of_row == fold) & rows.may_judge", "self.of_row == fold"))


def test_planted_bugs_are_those_that_public_references_have():
    """The list of the issue, word for word as far as a test's id goes: nobody takes one away unnoticed."""
    here = Path(__file__).parent
    told = "".join((here / name).read_text(encoding="utf-8") for name in ("test_planted.py", "test_planted_stages.py"))
    for bug in (
        "the champion is never evaluated",
        "champion's answers are the challenger's",
        "different rows",
        "any gain promotes",
        "equality promotes",
        "NaN metric",
        "label map permuted",
        "test rows in training",
        "margin's sign flipped",
        "weak labels as truth",
        "a random split, which leaks",
        "unsigned",
        "stale",
    ):
        assert f'id="{bug}"' in told, bug
