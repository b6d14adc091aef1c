"""Judge: no lucky promotion, no unfair comparison, and a verdict that says why."""

import json
import shutil
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from models import TEXTS_OF_TRAINING, VERDICT_KEY, knowing_baseline, project_with_registry, register

from groundswell import baseline, registry, runs
from groundswell.bootstrap import MEASURES, Difference, macro_f1, of_draws, paired_difference, paired_differences
from groundswell.errors import JudgeRefused, ParamsError, RegistryError
from groundswell.evidence import Evidence, SliceDifference
from groundswell.examples import read_examples
from groundswell.files import write_json
from groundswell.judge import judge
from groundswell.lake import write_parquet
from groundswell.ledger import Entry, Ledger
from groundswell.params import JudgeParams
from groundswell.schema import EXAMPLE
from groundswell.settings import Settings
from groundswell.signature import require_signed
from groundswell.significance import holm, mcnemar_mid_p
from groundswell.slices import slices_of
from groundswell.verdict import HOLD, INCONCLUSIVE, PROMOTE, decide, digest_of

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
OTHER_DATA = "1" * 32 + ".dir"
QUICK = JudgeParams(bootstrap_samples=400, latency_texts=8, goal="no_worse", margin=0.05, max_latency_ratio=20, measured_in="process", seed=3)


# --- the paired bootstrap ---------------------------------------------------------------------------------------------


def _answers(random, rows, first_accuracy, second_accuracy):
    """Labels and two models' answers that mostly stumble over the same rows."""
    labels, difficulty = random.integers(0, 3, rows), random.random(rows)
    other = np.where(random.random(rows) < 0.8, difficulty, random.random(rows))
    wrong = (labels + random.integers(1, 3, rows)) % 3
    return labels, np.where(difficulty < first_accuracy, labels, wrong), np.where(other < second_accuracy, labels, wrong)


def test_macro_f1_is_scikit_learns():
    from sklearn.metrics import f1_score

    random = np.random.default_rng(1)
    labels, first, second = _answers(random, 300, 0.7, 0.8)
    assert macro_f1(labels, first) == pytest.approx(f1_score(labels, first, average="macro"))
    found = paired_difference(labels, first, second, range(300), samples=200, seed=1)
    assert found.estimate == pytest.approx(f1_score(labels, first, average="macro") - f1_score(labels, second, average="macro"))


def test_every_measure_is_scikit_learns_and_comes_of_the_same_resamples():
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    random = np.random.default_rng(7)
    labels, first, second = _answers(random, 300, 0.7, 0.8)
    found = paired_differences(labels, first, second, range(300), samples=400, seed=1)
    measures = {"macro_f1": partial(f1_score, average="macro"), "macro_recall": partial(recall_score, average="macro"), "accuracy": accuracy_score}
    assert list(found) == list(MEASURES) == list(measures)
    for name, measure in measures.items():
        assert found[name].estimate == pytest.approx(measure(labels, first) - measure(labels, second))
        assert found[name].low < found[name].lower_bound < found[name].estimate < found[name].high
        assert (found[name].p_value < 0.05) == (found[name].high < 0)


def test_mcnemars_mid_p_is_the_published_one():
    labels = np.zeros(21, dtype=int)  # Bentur et al. 2009, in Fagerland et al. 2013: one and seven discordant pairs of 21
    first, second = np.ones(21, dtype=int), np.ones(21, dtype=int)
    first[:1], second[1:8] = 0, 0
    assert mcnemar_mid_p(labels, first, second) == mcnemar_mid_p(labels, second, first) == pytest.approx(0.0391, abs=5e-5)
    second[8:] = 0
    assert mcnemar_mid_p(labels, second, second) == 1
    assert mcnemar_mid_p(labels[:2], np.array([0, 1]), np.array([1, 0])) == pytest.approx(0.75)  # 1 - P(1 of 2) / 2


def test_mcnemars_mid_p_is_exact_for_many_rows_too():
    from scipy.stats import binom

    labels = np.zeros(40_000, dtype=int)
    for fewer in (9_800, 10_000):  # a term at a time: each from nothing took minutes
        first = (np.arange(40_000) < fewer).astype(int)
        second = ((np.arange(40_000) >= fewer) & (np.arange(40_000) < 20_000)).astype(int)
        expected = 2 * binom.cdf(fewer, 20_000, 0.5) - binom.pmf(fewer, 20_000, 0.5) if fewer < 10_000 else 1 - binom.pmf(fewer, 20_000, 0.5) / 2
        assert mcnemar_mid_p(labels, first, second) == pytest.approx(expected)


def test_holms_correction_is_statsmodels():
    from statsmodels.stats.multitest import multipletests

    for seed in range(5):
        values = dict(enumerate(np.random.default_rng(seed).random(6) ** 3))
        assert list(holm(values).values()) == pytest.approx(multipletests(list(values.values()), method="holm")[1])
    assert holm({}) == {}


def test_intervals_hold_the_truth_as_often_as_they_say():
    random, held = np.random.default_rng(2), 0
    for trial in range(100):
        found = paired_difference(*_answers(random, 500, 0.75, 0.8), range(500), samples=300, seed=trial)
        held += found.low <= -0.05 <= found.high
    assert 0.90 <= held / 100 <= 1.0


def test_no_lucky_promotion_and_fair_odds_for_the_better():
    random, counts = np.random.default_rng(3), {"worse": 0, "better": 0}
    for trial in range(100):
        for kind, accuracy in (("worse", 0.77), ("better", 0.85)):
            against = paired_difference(*_answers(random, 600, accuracy, 0.8), range(600), samples=300, seed=trial)
            verdict, _ = decide(_evidence(against_champion=against), JudgeParams(margin=0.01))
            counts[kind] += verdict == PROMOTE
    assert counts["worse"] <= 0.025 * 100 + 2
    assert counts["better"] >= 0.8 * 100


def test_the_smallest_detectable_difference_is_found_with_80_percent_power():
    random, detected, told = np.random.default_rng(4), 0, []
    for trial in range(150):
        found = paired_difference(*_answers(random, 800, 0.77, 0.8), range(800), samples=300, seed=trial)
        told.append(found.smallest_detectable)
        detected += found.high < 0
    assert np.mean(told) == pytest.approx(0.03, rel=0.15)
    assert 0.68 <= detected / 150 <= 0.92


def test_rows_of_one_group_stand_or_fall_together():
    random = np.random.default_rng(5)
    labels, first, second = (np.repeat(values, 10) for values in _answers(random, 60, 0.7, 0.8))
    apart = paired_difference(labels, first, second, range(600), samples=800, seed=1)
    together = paired_difference(labels, first, second, np.repeat(np.arange(60), 10), samples=800, seed=1)
    assert together.estimate == apart.estimate
    assert together.standard_error > 2 * apart.standard_error


def test_a_few_rows_without_a_difference_do_not_show_that_there_is_none():
    labels = np.arange(60) % 3
    found = paired_difference(labels, labels, labels, range(60), samples=400, seed=1)
    assert found.estimate == 0 and found.low < -0.02 and found.smallest_detectable > 0.04


def test_a_smallest_detectable_difference_is_that_of_a_two_sided_test_at_5_percent():
    assert Difference(0.0, -0.1, 0.1, 0.05, 1.0, -0.08).smallest_detectable == pytest.approx((1.959964 + 0.841621) * 0.05)


def test_an_interval_and_its_p_value_are_of_the_draws():
    draws = np.arange(-99, 901) / 1000  # 1,000 of them, 99 below 0 and one at it
    found = of_draws(0.4, draws)
    assert (found.low, found.high, found.lower_bound) == pytest.approx((-0.074025, 0.875025, -0.04905), abs=1e-9)
    assert found.p_value == pytest.approx(2 * 101 / 1001) and of_draws(0.4, -draws).p_value == found.p_value
    assert of_draws(0.4, draws + 1).p_value == pytest.approx(2 / 1001)  # never 0
    assert found.standard_error == pytest.approx(draws.std(ddof=1))


def test_a_single_group_shows_nothing():
    labels = np.arange(90) % 3
    found = paired_difference(labels, labels, (labels + 1) % 3, ["one author"] * 90, samples=400, seed=1)
    assert found.estimate == 1 and found.low < 0
    assert decide(_evidence(against_champion=found), JudgeParams())[0] == INCONCLUSIVE


def test_classes_that_are_rare_or_absent_are_no_obstacle():
    from sklearn.metrics import f1_score

    random = np.random.default_rng(8)
    labels, first, second = _answers(random, 300, 0.7, 0.6)
    for rare in (0, 1):  # rows of class 2
        kept = np.flatnonzero((labels != 2) | (np.cumsum(labels == 2) <= rare))
        given = [values[kept] for values in (labels, first, second)]
        found = paired_differences(*given, range(len(kept)), samples=400, seed=1)
        assert all(np.isfinite(list(one.as_dict().values())).all() for one in found.values())
        present, measure = np.unique(given[0]), partial(f1_score, average="macro", zero_division=0)
        expected = measure(given[0], given[1], labels=present) - measure(given[0], given[2], labels=present)
        assert found["macro_f1"].estimate == pytest.approx(expected)
        assert found["macro_f1"].low < found["macro_f1"].estimate < found["macro_f1"].high


def test_the_same_seed_gives_the_same_interval():
    answers = _answers(np.random.default_rng(6), 200, 0.7, 0.8)
    assert paired_difference(*answers, range(200), samples=200, seed=1) == paired_difference(*answers, range(200), samples=200, seed=1)


# --- from evidence to verdict -----------------------------------------------------------------------------------------


def _difference(low, high):
    return Difference((low + high) / 2, low, high, (high - low) / 3.92, 0.001 if low * high > 0 else 0.5, low + (high - low) / 20)


def _evidence(**changes):
    """Of a challenger that is better in everything, but for ``changes``; ``against_champion`` is macro-F1's difference."""
    good = {"rows": 1000, "groups": 900, "macro_f1": 0.8, "int8_agreement": 0.99, "against_baseline": _difference(0.1, 0.2), "latency_ratio": 1.0}
    good |= {"ece": 0.05, "log_loss": 0.6, "fp32_ece": 0.05, "fp32_log_loss": 0.6}
    against = changes.pop("against_champion", _difference(0.01, 0.03))
    good["measures"] = {"macro_f1": against} if against else {}
    return Evidence(**good | changes)


FALLEN = SliceDifference("emoji=yes", 200, 0.5, 0.7, _difference(-0.3, -0.1))
SHAKY = SliceDifference("emoji=yes", 55, 0.5, 0.7, _difference(-0.45, 0.05))


@pytest.mark.parametrize(
    ("changes", "expected", "reason"),
    [
        ({}, PROMOTE, "better than the champion"),
        (
            {"against_champion": _difference(-0.02, 0.02)},
            INCONCLUSIVE,
            "from 0.029 on (standard error 0.0102, of the paired bootstrap over 900 groups)",
        ),
        ({"against_champion": _difference(-0.008, 0.02)}, INCONCLUSIVE, "can't see the margin"),
        ({"against_champion": _difference(-0.005, 0.005)}, HOLD, "no worse than the champion by more than the margin of 0.010, which is not enough"),
        ({"against_champion": _difference(0, 0.005)}, HOLD, "is not shown to be better"),
        ({"against_champion": _difference(-0.05, -0.01)}, HOLD, "worse than the champion"),
        ({"against_champion": _difference(-0.008, -0.001)}, HOLD, "worse than the champion"),
        ({"is_same_data": True}, PROMOTE, "better than the champion"),
        ({"is_identical": True}, HOLD, "bit for bit"),
        ({"is_champion_already": True, "is_identical": True}, HOLD, "the champion already"),
        ({"was_rolled_back": True}, HOLD, "rolled back"),
        ({"against_baseline": _difference(-0.1, 0.05)}, HOLD, "does not beat the baseline"),
        ({"against_baseline": _difference(-0.01, 0.05)}, INCONCLUSIVE, "is not shown"),
        ({"macro_f1": 0.3}, HOLD, "the floor is 0.400"),
        ({"ece": 0.2}, HOLD, "calibration error is 0.200"),
        ({"int8_agreement": 0.9}, HOLD, "90.0%"),
        ({"log_loss": 0.66}, HOLD, "Quantisation moves the log-loss from 0.600 to 0.660"),
        (
            {"measures": {"macro_f1": _difference(0.01, 0.03), "macro_recall": _difference(-0.03, -0.01)}},
            HOLD,
            "worse than the champion by macro-recall",
        ),
        ({"behaviour_drop": 0.9}, PROMOTE, "-90.0% are passed against the champion"),
        ({"latency_ratio": 2.0}, HOLD, "2.00 times as long"),
        ({"memory_ratio": 2.0}, HOLD, "2.00 times as much memory"),
        ({"serving_refusal": "no champion"}, HOLD, "Serving refuses the challenger: no champion"),
        ({"slices": [FALLEN]}, HOLD, "emoji=yes"),
        ({"slices": [SHAKY]}, PROMOTE, "No slice is shown to fall"),
        ({"slices": [SHAKY]}, PROMOTE, "in 1 of them the rows are too few to rule it out"),
        ({"rows": 20}, INCONCLUSIVE, "Only 20 test rows"),
        ({"groups": 9}, INCONCLUSIVE, "The 1000 test rows are of 9 authors or clusters of duplicates only, 10 are asked for"),
        ({"groups": 10}, PROMOTE, "better than the champion"),
        ({"rows": 20, "ece": 0.2}, HOLD, "Only 20 test rows"),
        ({"against_champion": None, "latency_ratio": None}, PROMOTE, "no champion yet"),
        ({"against_champion": None, "macro_f1": 0.1}, HOLD, "the floor"),
        ({"against_champion": None, "latency_ratio": None, "serving_refusal": "no topic"}, HOLD, "Serving refuses the challenger: no topic"),
    ],
)
def test_what_follows_from_the_evidence(changes, expected, reason):
    verdict, reasons = decide(_evidence(**changes), JudgeParams())
    assert verdict == expected
    assert any(reason in said for said in reasons), reasons
    assert all(said.endswith(".") and said[0].isupper() for said in reasons)


@pytest.mark.parametrize(
    ("changes", "expected", "reason"),
    [
        ({"against_champion": _difference(-0.008, 0.02)}, PROMOTE, "no worse than the champion"),
        ({"against_champion": _difference(-0.008, 0.02), "is_same_data": True}, HOLD, "own data set"),
        ({"against_champion": _difference(-0.011, 0.02)}, INCONCLUSIVE, "can't see the margin"),
        ({"against_champion": _difference(-0.008, -0.001)}, HOLD, "worse than the champion"),
    ],
)
def test_no_worse_is_enough_only_where_params_say_so_and_of_newer_data(changes, expected, reason):
    verdict, reasons = decide(_evidence(**changes), JudgeParams(goal="no_worse"))
    assert verdict == expected and any(reason in said for said in reasons), reasons


# --- the stage --------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path):
    return project_with_registry(tmp_path / "project")


@pytest.fixture
def pair(settings):
    """A champion and a challenger that both know the words."""
    register(settings, "good", dataset_md5=OTHER_DATA, champion=True)
    register(settings, "better")
    return settings


@pytest.mark.slow
def test_a_first_champion_needs_the_baseline_and_the_floors_only(settings):
    version = register(settings, "good")
    verdict = judge("games", settings=settings, params=QUICK, now=NOW)
    assert (verdict["verdict"], verdict["challenger_version"], verdict["champion_version"]) == (PROMOTE, version, None)
    assert verdict["difference_to_baseline"]["low"] > 0 and verdict["latency_ratio"] is None
    assert verdict["digest"] == digest_of(verdict) and verdict["judged_at"] == "2026-11-02T08:00:00Z"
    require_signed(verdict, VERDICT_KEY.encode(), what="the verdict", remedy="judge again")
    assert json.loads(settings.report("judge", "games").read_text()) == verdict


@pytest.mark.slow
def test_a_challenger_that_does_not_beat_the_baseline_is_rejected(settings):
    register(settings, "bad")
    knowing_baseline().save(settings.model("games") / baseline.FILE)
    verdict = judge("games", settings=settings, params=QUICK, now=NOW)
    assert verdict["verdict"] == HOLD and verdict["reasons"][0].startswith("Rejected")


@pytest.mark.slow
def test_a_worse_challenger_is_held_and_all_is_logged(settings):
    register(settings, "good", dataset_md5=OTHER_DATA, champion=True)
    version = register(settings, "bad")
    verdict = judge("games", settings=settings, params=QUICK, now=NOW)
    assert verdict["verdict"] == HOLD and any("worse than the champion" in reason for reason in verdict["reasons"])
    assert verdict["scores"]["champion"]["macro_f1"] > 0.9 > verdict["scores"]["challenger"]["macro_f1"]
    assert runs.read_json(settings, verdict["run_id"], "judge/verdict.json") == verdict
    assert runs.read_run(settings, verdict["run_id"]).tags["verdict"] == HOLD
    assert registry.version_numbered(settings, "games", version).tags["verdict_digest"] == verdict["digest"]
    assert verdict["summary"].startswith("**HOLD**") and "| baseline |" in verdict["summary"] and "| macro-recall | -" in verdict["summary"]
    assert verdict["behaviour"]["champion"]["all"]["cases"] >= 300 and "| names | " in verdict["summary"]
    assert verdict["superiority"]["is_shown"] is verdict["non_inferiority"]["is_shown"] is False
    assert verdict["calibration"]["int8"] != verdict["calibration"]["fp32"] and set(verdict["calibration"]) == {"int8", "fp32"}
    passes = {name: verdict["behaviour"][name]["all"]["passed"] / verdict["behaviour"][name]["all"]["cases"] for name in ("challenger", "champion")}
    moved = f"{passes['challenger'] - passes['champion']:+.1%} are passed against the champion"
    assert passes["challenger"] != passes["champion"] and any(moved in reason for reason in verdict["reasons"])
    assert set(verdict["measures"]) == set(MEASURES)
    assert 0 <= verdict["mcnemar_mid_p"] < 0.001 and all(one["difference"]["lower_bound"] <= 1 for one in verdict["slices"])


@pytest.mark.slow
def test_both_answer_the_same_rows_and_the_numbers_repeat(pair):
    first, second = (judge("games", settings=pair, params=QUICK, now=NOW) for _ in range(2))
    assert first["verdict"] == PROMOTE and first["rows"] == 240
    assert first["int8_agreement"] > 0.97 and first["latency_ratio"] > 0
    assert {one["name"] for one in first["slices"]} >= {"source=steam", "emoji=yes", "negation=no", "month=2026-10"}
    measured = {"latency_ratio", "digest", "reasons", "summary", "signature"}
    assert {key: value for key, value in first.items() if key not in measured} == {key: value for key, value in second.items() if key not in measured}


@pytest.mark.slow
def test_the_champions_equal_of_the_same_data_is_held_even_where_no_worse_is_enough(settings):
    register(settings, "good", champion=True)
    register(settings, "better")
    verdict = judge("games", settings=settings, params=QUICK, now=NOW)
    assert verdict["verdict"] == HOLD and any("the champion's own data set" in reason for reason in verdict["reasons"])


@pytest.mark.slow
def test_the_groups_and_the_languages_are_the_data_sets(settings):
    folder = settings.dataset("games")
    table = read_examples(folder, "test").table
    for name, values in {"group": [f"author {row % 12}" for row in range(table.num_rows)], "lang": ["es"] * table.num_rows}.items():
        table = table.set_column(table.column_names.index(name), EXAMPLE.field(name), pa.array(values))
    write_parquet(table, folder / "test.parquet")
    register(settings, "good")
    verdict = judge("games", settings=settings, params=QUICK, now=NOW)
    assert verdict["groups"] == 12 and "over 12 groups" in verdict["power"]
    assert verdict["behaviour"]["challenger"]["negation (es)"]["cases"] > 0


@pytest.mark.slow
def test_rows_that_either_was_trained_on_count_for_neither(settings):
    texts = read_examples(settings.dataset("games"), "test").texts
    register(settings, "good", dataset_md5=OTHER_DATA, trained_on=[*TEXTS_OF_TRAINING, *texts[:100]], champion=True)
    register(settings, "better", trained_on=texts[90:150])
    verdict = judge("games", settings=settings, params=QUICK, now=NOW)
    assert verdict["excluded"] == {
        **{"seen_by_champion": 100, "met_by_champion": None, "seen_by_challenger": 60, "met_by_challenger": None},
        "rows": 150,
    }
    assert "champion was trained on posts of the same authors" in verdict["reasons"][-1]
    assert verdict["rows"] == 90
    few = judge("games", settings=settings, params=QUICK.model_copy(update={"min_rows": 91}), now=NOW)
    assert few["verdict"] == INCONCLUSIVE


@pytest.mark.slow
def test_nothing_fair_left_is_refused(settings):
    register(settings, "good", trained_on=read_examples(settings.dataset("games"), "test").texts)
    with pytest.raises(JudgeRefused, match="240 were seen in training"):
        judge("games", settings=settings, params=QUICK, now=NOW)


@pytest.mark.slow
def test_the_champion_itself_and_its_twin_are_held(settings):
    register(settings, "good", dataset_md5=OTHER_DATA, champion=True)
    twin = register(settings, "good")
    verdict = judge("games", settings=settings, params=QUICK, now=NOW)
    assert verdict["verdict"] == HOLD and "bit for bit" in verdict["reasons"][0]
    registry.set_alias(settings, "games", "champion", twin)
    verdict = judge("games", settings=settings, params=QUICK, now=NOW)
    assert verdict["verdict"] == HOLD and "the champion already" in verdict["reasons"][0]


@pytest.mark.slow
def test_a_version_that_was_rolled_back_is_held(settings):
    version = register(settings, "good")
    ledger = Ledger(settings, "games")
    for action, before, after in (("promote", None, "7"), ("promote", "7", version), ("rollback", version, "7")):
        ledger.append(Entry("2026-11-02T00:00:00Z", "ann", action, before, after, None))
    assert judge("games", settings=settings, params=QUICK, now=NOW)["verdict"] == HOLD


@pytest.mark.slow
def test_changed_test_rows_are_refused(settings):
    register(settings, "good")
    folder = settings.dataset("games")
    shutil.copy(folder / "train.parquet", folder / "test.parquet")
    with pytest.raises(JudgeRefused, match="was trained with data set"):
        judge("games", settings=settings, params=QUICK, now=NOW)
    register(settings, "good")  # trained on the changed folder: its manifest still speaks of the rows that were there
    with pytest.raises(JudgeRefused, match="the test rows have digest"):
        judge("games", settings=settings, params=QUICK, now=NOW)


@pytest.mark.slow
@pytest.mark.parametrize("provenance", ["weak", "native", "synthetic"])
def test_test_rows_with_labels_that_are_a_models_opinion_are_refused(settings, provenance):
    folder = settings.dataset("games")
    table = read_examples(folder, "test").table
    said = pa.array(["human"] * (table.num_rows - 1) + [provenance])
    write_parquet(table.set_column(table.column_names.index("label_provenance"), EXAMPLE.field("label_provenance"), said), folder / "test.parquet")
    register(settings, "good")
    with pytest.raises(JudgeRefused, match=f"test rows bear labels of provenance {provenance}, expected human or dataset"):
        judge("games", settings=settings, params=QUICK, now=NOW)


@pytest.mark.slow
def test_an_export_that_speaks_of_another_data_set_than_its_training_does_is_refused(settings):
    register(settings, "good", config={"dataset_md5": OTHER_DATA})
    with pytest.raises(JudgeRefused, match=f"version 1 says that it was trained with data set {OTHER_DATA}"):
        judge("games", settings=settings, params=QUICK, now=NOW)


@pytest.mark.slow
@pytest.mark.parametrize("config", [{"text_version": 0}, {"labels": ["positive", "neutral", "negative"]}])
def test_a_champion_of_other_rules_is_named_and_what_to_do_is_said(settings, config):
    [(name, found)] = config.items()
    register(settings, "good", dataset_md5=OTHER_DATA, champion=True, config=config)
    register(settings, "better")
    with pytest.raises(JudgeRefused) as refused:
        judge("games", settings=settings, params=QUICK, now=NOW)
    assert str(refused.value).startswith(f"champion, version 1: its export has {name} {found}, this code ")
    assert "take the alias champion from it in the registry" in str(refused.value)


@pytest.mark.slow
def test_a_challenger_that_is_not_the_one_trained_here_is_refused(settings):
    register(settings, "good")
    path = settings.model("games") / "train.json"
    write_json(json.loads(path.read_text()) | {"model_version": "9"}, path)
    with pytest.raises(JudgeRefused, match="version 9"):
        judge("games", settings=settings, params=QUICK, now=NOW)


def test_without_a_key_to_sign_with_nothing_is_judged(tmp_path):
    with pytest.raises(ParamsError, match="GROUNDSWELL_VERDICT_KEY"):
        judge("games", settings=Settings(project=tmp_path), params=QUICK, now=NOW)


@pytest.mark.slow
def test_without_a_challenger_or_training_it_says_what_to_run(settings):
    with pytest.raises(JudgeRefused, match="run groundswell train"):
        judge("games", settings=settings, params=QUICK, now=NOW)
    settings.model("games").mkdir(parents=True)
    write_json({"run_id": "x", "model_version": "1", "dataset_md5": "x"}, settings.model("games") / "train.json")
    with pytest.raises(JudgeRefused, match="no challenger"):
        judge("games", settings=settings, params=QUICK, now=NOW)


@pytest.mark.slow
def test_a_registry_that_is_down_is_said(settings, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings.model("games").mkdir(parents=True)
    write_json({"run_id": "x", "model_version": "1", "dataset_md5": "x"}, settings.model("games") / "train.json")
    with pytest.raises(RegistryError):
        judge("games", settings=settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:9"}), params=QUICK, now=NOW)


@pytest.mark.slow
def test_slices_cover_every_row_once_a_kind(settings):
    table = read_examples(settings.dataset("games"), "test").table
    masks = slices_of(table)
    for kind in ("emoji", "hashtags", "length", "month", "negation", "source"):
        assert sum(mask.astype(int) for name, mask in masks.items() if name.startswith(f"{kind}=")).tolist() == [1] * table.num_rows
