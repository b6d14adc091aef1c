"""Bugs that comparisons of models are known for, planted one by one in the judge's own code: each must be caught.

A bug is a change of one line of a module's source, run as a module of its own. Checks pass on the source as it is, and must not on the
changed one: a check that could not fail would be found out here.
"""

import importlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dvc_project import example
from models import export_of, guessing_baseline
from planted import planted
from tiny import tiny_rows

from groundswell import answers, evidence, signature, verdict
from groundswell.bootstrap import Difference, macro_f1, paired_differences
from groundswell.contenders import Contender
from groundswell.errors import JudgeRefused
from groundswell.evidence import Evidence, SliceDifference
from groundswell.examples import Examples
from groundswell.kin import KIN, row_hashes
from groundswell.metrics import scores
from groundswell.params import JudgeParams
from groundswell.registry import ModelVersion
from groundswell.schema import EXAMPLE
from groundswell.significance import mcnemar_mid_p
from groundswell.text import fingerprint
from groundswell.verdict import HOLD, PROMOTE

# --- what follows from the evidence ------------------------------------------------------------------------------------


def _difference(low: float, high: float) -> Difference:
    return Difference((low + high) / 2, low, high, (high - low) / 3.92, 0.5, low)


def _evidence(**changes) -> Evidence:
    good = {
        "rows": 1000,
        "groups": 900,
        "macro_f1": 0.8,
        "int8_agreement": 0.99,
        "against_baseline": _difference(0.1, 0.2),
        "latency_ratio": 1.0,
        "memory_ratio": 1.0,
    }
    good |= {"ece": 0.05, "log_loss": 0.6, "fp32_ece": 0.05, "fp32_log_loss": 0.6}
    against = changes.pop("against", _difference(0.01, 0.03))
    return Evidence(**good | {"measures": {"macro_f1": against}} | changes)


def decides_well(module) -> None:
    """What holds of any evidence, whatever its numbers: so that a wrong comparison anywhere shows."""

    def said(goal="better", **changes):
        return module.decide(_evidence(**changes), JudgeParams(goal=goal))[0]

    for goal in ("better", "no_worse"):
        is_promoted = [said(goal, against=_difference(shift - 0.004, shift + 0.004)) == PROMOTE for shift in np.linspace(-0.05, 0.05, 41)]
        assert is_promoted == sorted(is_promoted) and is_promoted[-1] and not is_promoted[0], "the better, the rather promoted"
    assert said(against=_difference(0.0, 0.0)) != PROMOTE, "an equal is no better"
    assert said(against=_difference(-0.002, 0.01)) != PROMOTE, "a gain that the rows do not show is none"
    assert said("no_worse", against=_difference(-0.011, 0.0)) != PROMOTE, "may be worse by more than the margin"
    assert said("no_worse", against=_difference(-0.009, 0.02)) == PROMOTE, "within the margin"
    for name, bad in {"macro_f1": 0.1, "ece": 0.9, "int8_agreement": 0.1, "latency_ratio": 9.0, "memory_ratio": 9.0, "log_loss": 2.0}.items():
        assert said(**{name: bad}) == HOLD, name
    for (low, high), expected in {(-0.3, -0.2): HOLD, (-0.08, -0.02): PROMOTE, (-0.4, 0.1): PROMOTE}.items():
        fallen = SliceDifference("emoji=yes", 200, 0.5, 0.7, _difference(low, high))
        assert said(slices=[fallen]) == expected, "a slice is judged by what it is shown to lose, and may lose a little"
    for p_value, expected in {0.01: HOLD, 0.03: PROMOTE}.items():  # after Holm's correction for three: 0.03 and 0.09
        lost, even = Difference(-0.02, -0.04, -0.001, 0.01, p_value, -0.03), _difference(-0.02, 0.02)
        assert said(measures={"macro_f1": _difference(0.01, 0.03), "macro_recall": lost, "accuracy": even}) == expected, "one of several"
    gained = Difference(0.02, 0.01, 0.03, 0.005, 0.001, 0.011)
    assert said(measures={"macro_f1": gained, "macro_recall": gained, "accuracy": gained}) == PROMOTE, "better is not worse"
    assert said(rows=3) != PROMOTE and said(against_baseline=_difference(-0.2, -0.1)) == HOLD
    for name in ("macro_f1", "ece", "int8_agreement", "latency_ratio", "memory_ratio", "log_loss", "against", "against_baseline"):
        value = Difference(*[float("nan")] * 6) if name.startswith("against") else float("nan")
        with pytest.raises(JudgeRefused, match="NaN"):
            said(**{name: value})


def test_the_verdict_as_it_is_decides_well():
    decides_well(verdict)


BETTER, WORSE = "    if found.low > 0:\n        return PROMOTE", "    if found.high < 0:\n        return HOLD"


@pytest.mark.parametrize(
    ("line", "bug"),
    [
        pytest.param(BETTER, BETTER.replace("> 0", ">= 0"), id="equality promotes"),
        pytest.param(BETTER, BETTER.replace("found.low > 0", "found.estimate > 1e-6"), id="any gain promotes"),
        pytest.param(WORSE, WORSE.replace("< 0", "> 0"), id="worse and better exchanged"),
        pytest.param("    _require_finite(evidence)\n", "", id="NaN metric"),
        pytest.param("if found.low >= -margin and params", "if found.low >= margin and params", id="margin's sign flipped"),
        pytest.param("if found.low >= -margin and params", "if found.low <= -margin and params", id="margin's comparison flipped"),
        pytest.param("evidence.macro_f1 >= params.min_macro_f1", "evidence.macro_f1 <= params.min_macro_f1", id="floor flipped"),
        pytest.param("evidence.ece <= params.max_ece", "evidence.ece >= params.max_ece", id="bound flipped"),
        pytest.param("evidence.int8_agreement >= params", "evidence.int8_agreement <= params", id="agreement flipped"),
        pytest.param("evidence.latency_ratio <= params", "evidence.latency_ratio >= params", id="latency flipped"),
        pytest.param("evidence.memory_ratio <= params", "evidence.memory_ratio >= params", id="memory flipped"),
        pytest.param("evidence.log_loss - evidence.fp32_log_loss", "evidence.fp32_log_loss - evidence.log_loss", id="log-loss flipped"),
        pytest.param("estimate < -params.max_slice_drop", "estimate < params.max_slice_drop", id="slice drop's sign flipped"),
        pytest.param("max_slice_drop and one.difference.high < 0", "max_slice_drop", id="a slice's fall not shown"),
        pytest.param("evidence.rows < params.min_rows", "evidence.rows > params.min_rows", id="rows flipped"),
    ],
)
def test_a_bug_in_the_verdict_is_caught(line, bug):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        decides_well(planted("verdict", line, bug))


def compares_well(differences) -> None:
    """The bootstrap's sign, its rows, its groups and its classes, on answers that leave no doubt."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 300)
    wrong = np.where(random.random(300) < 0.3, (labels + 1) % 3, labels)
    for name, found in differences(labels, labels, wrong, range(300), samples=200, seed=1).items():
        assert found.low > 0.1 and found.p_value < 0.02, name
        assert differences(labels, wrong, labels, range(300), samples=200, seed=1)[name].high < -0.1
        assert differences(labels, wrong, wrong, range(300), samples=200, seed=1)[name].estimate == 0
    clumped = np.where(np.repeat(random.random(30) < 0.3, 10), (labels + 1) % 3, labels)
    apart, together = (differences(labels, labels, clumped, how, samples=200, seed=1) for how in (range(300), np.arange(300) // 10))
    assert together["macro_f1"].standard_error > 2 * apart["macro_f1"].standard_error


def _of_classes(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and two models of which one knows class 0 and the other class 1: by accuracy they differ by the classes' shares alone."""
    labels = np.arange(count) % 3
    return labels, np.where(labels == 1, 0, labels), np.where(labels == 0, 1, labels)


def _of_mixed_groups(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """``count`` groups of rows 0, 0, 1, 1: in every other one the first model is right about a row more, else the second is."""
    labels = np.tile([0, 0, 1, 1], count)
    first, second, group = labels.copy(), labels.copy(), np.repeat(np.arange(count), 4)
    second[2::8] = 0  # in even groups the second misses a row of class 1
    first[4::8] = 1  # in odd ones the first misses one of class 0
    return labels, first, second, group


def draws_well(differences) -> None:
    """What is drawn: within classes, by labels alone, the same rows for both models; and two models that agree are not sure to be equal."""
    labels, first, second = _of_classes(300)
    assert differences(labels, first, second, range(300), samples=400, seed=1)["accuracy"].standard_error < 0.02, "the shares of classes stay"
    *answers, group = _of_mixed_groups(20)
    found = differences(*answers, group, samples=2000, seed=1)["accuracy"].standard_error
    assert abs(found - np.sqrt(20) / 80) < 0.01, "which model a group favours varies"
    labels, random = np.arange(300) % 3, np.random.default_rng(2)
    poor = np.where(random.random(300) < 0.5, (labels + 1) % 3, labels)
    assert differences(labels, poor, poor, range(300), samples=400, seed=1)["macro_f1"].standard_error < 0.02, "rows are drawn for both at once"
    assert differences(labels, labels, labels, range(300), samples=400, seed=1)["macro_f1"].standard_error > 0.001, "nobody is that sure"


CELLS = "cells = (np.asarray(labels) * CLASSES + first) * CLASSES + second"


@pytest.mark.parametrize(
    ("line", "bug"),
    [
        pytest.param(CELLS, CELLS.replace("+ second", "+ first"), id="champion's answers are the challenger's"),
        pytest.param(
            CELLS, CELLS.replace("+ first", "+ second").replace("CLASSES + second", "CLASSES + first"), id="champion and challenger exchanged"
        ),
        pytest.param(CELLS, CELLS.replace("+ second", "+ np.roll(second, 1)"), id="different rows"),
        pytest.param("np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)", "None, np.arange(len(cells))", id="no groups"),
    ],
)
def test_a_bug_in_the_bootstrap_is_caught(line, bug):
    compares_well(paired_differences)
    with pytest.raises(AssertionError):
        compares_well(planted("bootstrap", line, bug).paired_differences)


STRATUM, PAIRED = "stratum = of_class.argmax(axis=1)", "measure(cube.sum(axis=3), present) - measure(cube.sum(axis=2), present)"


@pytest.mark.parametrize(
    ("line", "bug"),
    [
        pytest.param(STRATUM, "stratum = np.zeros(len(of_class), dtype=int)", id="classes drawn together"),
        pytest.param(STRATUM, "stratum = per_group.argmax(axis=1) // CLASSES**2", id="strata hang on the answers"),
        pytest.param(PAIRED, PAIRED.replace("cube.sum(axis=2)", "np.roll(cube, 1, axis=0).sum(axis=2)"), id="other rows drawn for the champion"),
        pytest.param("np.vstack([patterns, unseen])", "np.vstack([patterns, 0 * unseen])", id="sure of what was never seen"),
    ],
)
def test_a_bug_in_what_is_drawn_is_caught(line, bug):
    draws_well(paired_differences)
    with pytest.raises(AssertionError):
        draws_well(planted("bootstrap", line, bug).paired_differences)


# --- from answers to evidence ------------------------------------------------------------------------------------------


def measures_well(evidence_of) -> None:
    """Every number is of the model, the rows and the groups that its name says."""
    random = np.random.default_rng(3)
    labels, groups = np.repeat(random.integers(0, 3, 60), 5), np.arange(300) // 5
    mask = np.arange(300) < 200
    said = {}
    for name, share in {"challenger": 0.2, "champion": 0.3, "baseline": 0.5, "fp32": 0.25}.items():
        is_wrong = np.repeat(random.random(60) < share, 5)
        said[name] = np.where(is_wrong, (labels + 1) % 3, labels)
    sureness = {"challenger": 0.7, "champion": 0.6, "baseline": 0.5, "fp32": 0.8}
    answers = {name: np.where(np.eye(3)[one] > 0, sureness[name], (1 - sureness[name]) / 2) for name, one in said.items()}
    params = JudgeParams(bootstrap_samples=200, min_slice_rows=150)
    found = evidence_of(labels, answers, groups.tolist(), {"first": mask, "rest": ~mask}, params)
    worth = {name: macro_f1(labels, one) for name, one in said.items()}
    assert (found.rows, found.groups, found.macro_f1) == (300, 60, worth["challenger"])
    assert found.against_champion.estimate == pytest.approx(worth["challenger"] - worth["champion"])
    assert found.against_baseline.estimate == pytest.approx(worth["challenger"] - worth["baseline"])
    assert found.int8_agreement == (said["challenger"] == said["fp32"]).mean()
    for name, (ece, log_loss) in {"challenger": (found.ece, found.log_loss), "fp32": (found.fp32_ece, found.fp32_log_loss)}.items():
        own = scores(labels, answers[name])
        assert (ece, log_loss) == (own["ece"], own["log_loss"]), name
    assert found.mcnemar_mid_p == mcnemar_mid_p(labels, said["challenger"], said["champion"])
    [one] = found.slices
    assert (one.name, one.rows) == ("first", 200)
    inside = {name: macro_f1(labels[mask], each[mask]) for name, each in said.items()}
    assert (one.challenger, one.champion) == pytest.approx((inside["challenger"], inside["champion"]), abs=1e-6)
    assert one.difference.estimate == pytest.approx(inside["challenger"] - inside["champion"])
    apart = evidence_of(labels, answers, list(range(300)), {"first": mask}, params)
    for together, alone in (
        (found.against_champion, apart.against_champion),
        (found.against_baseline, apart.against_baseline),
        (one.difference, apart.slices[0].difference),
    ):
        assert together.standard_error > 1.5 * alone.standard_error, "groups are drawn whole"


def test_the_evidence_as_it_is_measures_well():
    measures_well(evidence.evidence_of)


COMPARED = "paired_differences(labels, said[CHALLENGER], said[CHAMPION], groups, **how)"
BASELINE = 'paired_difference(labels, said[CHALLENGER], said["baseline"], groups, **how)'
SLICED = "labels[mask], said[CHALLENGER][mask], said[CHAMPION][mask]"
INSIDE = "[group for group, is_in in zip(groups, mask, strict=True) if is_in]"
MCNEMAR = "mcnemar_mid_p(labels, said[CHALLENGER], said[CHAMPION])"
SCORED = 'scores(labels, answers[CHALLENGER]), scores(labels, answers["fp32"])'


@pytest.mark.parametrize(
    ("line", "bug"),
    [
        pytest.param(COMPARED, COMPARED.replace("CHAMPION", "CHALLENGER"), id="champion's answers are the challenger's"),
        pytest.param(COMPARED, COMPARED.replace("said[CHAMPION]", "said[CHAMPION][::-1]"), id="different rows"),
        pytest.param(COMPARED, COMPARED.replace("groups", "range(len(labels))"), id="rows drawn, not groups"),
        pytest.param(BASELINE, BASELINE.replace('"baseline"', "CHAMPION"), id="champion taken for the baseline"),
        pytest.param(BASELINE, BASELINE.replace("groups", "range(len(labels))"), id="rows drawn, not groups, against the baseline"),
        pytest.param(SLICED, SLICED.replace("CHAMPION", "CHALLENGER"), id="a slice's champion is the challenger"),
        pytest.param(SLICED, SLICED.replace("said[CHAMPION][mask]", "said[CHAMPION][: mask.sum()][::-1]"), id="a slice of other rows"),
        pytest.param(INSIDE, "list(range(int(mask.sum())))", id="rows drawn, not groups, in slices"),
        pytest.param("mask.sum() < params", "mask.sum() > params", id="small slices judged, large ones not"),
        pytest.param(MCNEMAR, MCNEMAR.replace("CHAMPION", "CHALLENGER"), id="McNemar of one model"),
        pytest.param(SCORED, 'scores(labels, answers["fp32"]), scores(labels, answers[CHALLENGER])', id="calibration of what is not served"),
        pytest.param('(said[CHALLENGER] == said["fp32"])', '(said["baseline"] == said["fp32"])', id="agreement of another model"),
    ],
)
def test_a_bug_in_the_evidence_is_caught(line, bug):
    with pytest.raises(AssertionError):
        measures_well(planted("evidence", line, bug).evidence_of)


# --- who signed what ---------------------------------------------------------------------------------------------------


def signs_well(module) -> None:
    """Nothing can be changed, added or taken away, at any depth, and no other key will do."""
    document = {"verdict": "HOLD", "challenger_version": "5", "champion_version": "4", "export_sha256": "ab", "judged_at": "now", "rows": 7}
    document |= {"topic": "games", "digest": "d", "params": {"margin": 0.01}, "reasons": ["One.", "Two."]}
    key, told = b"a key of this installation", {"what": "it", "remedy": "judge again"}
    made = module.signed(document, key)
    module.require_signed(json.loads(json.dumps(made)), key, **told)
    forged = [{**made, name: "other"} for name in document] + [{key: one for key, one in made.items() if key != name} for name in document]
    forged += [{**made, "more": 1}, {**made, "params": {"margin": 1.0}}, {**made, "reasons": ["Two.", "One."]}]
    forged += [
        {**made, "signature": {**made["signature"], **change}} for change in ({"key_id": "0"}, {"algorithm": "none"}, {"more": 1}, {"value": ""})
    ]
    for one in forged:
        with pytest.raises(JudgeRefused):
            module.require_signed(one, key, **told)
    with pytest.raises(JudgeRefused):
        module.require_signed(made, b"a key of somebody else", **told)
    named = {name: value for name, value in made["signature"].items() if name != "value"}  # whose key it was, everybody can read
    worth = module._value({**document, "signature": named}, b"a key of somebody else")
    with pytest.raises(JudgeRefused):
        module.require_signed({**document, "signature": {**named, "value": worth}}, key, **told)


def test_signatures_as_they_are_hold():
    signs_well(signature)


CANONICAL = "json.dumps(document, sort_keys=True"


@pytest.mark.parametrize(
    ("line", "bug"),
    [
        *(
            pytest.param(
                CANONICAL, CANONICAL.replace("document", f"{{k: v for k, v in document.items() if k != {field!r}}}"), id=f"{field} not covered"
            )
            for field in ("verdict", "challenger_version", "champion_version", "export_sha256", "judged_at", "topic", "signature")
        ),
        pytest.param(CANONICAL, CANONICAL.replace("document", "sorted(document)"), id="names covered, values not"),
        pytest.param("not hmac.compare_digest(", "False and hmac.compare_digest(", id="never compared"),
        pytest.param("hmac.new(key, canonical(document), hashlib.sha256)", "hashlib.sha256(canonical(document))", id="no key in it"),
    ],
)
def test_a_bug_in_the_signature_is_caught(line, bug):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        signs_well(planted("signature", line, bug))


# --- who answered what -------------------------------------------------------------------------------------------------


@cache
def _rows() -> Examples:
    texts, labels = tiny_rows(90, seed=21)
    return Examples([f"{text} {number}" for number, text in enumerate(texts)], labels, None)


def _asked(module, rows=None):
    new, old = (Contender(ModelVersion("m", kind, "r", "s", 0), export_of(kind)) for kind in ("better", "good"))
    return module.answers_of(rows or _rows(), new, old, guessing_baseline())


@pytest.mark.slow
def test_answers_as_they_are_pass():
    found = _asked(answers)
    assert set(found) == {"challenger", "champion", "baseline", "fp32"}
    assert all(one.shape == (90, 3) for one in found.values())


SERVED, SAID, ANSWERS = "_served(name, one, Predictor.load(one.folder", "said = predictor.predict([*texts, *rows.texts])", "    return answers\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "bug", "reason"),
    [
        pytest.param(SERVED, SERVED.replace("one.folder", "new.folder"), "champion: .*another model's answers", id="challenger read for champion"),
        pytest.param(SERVED, SERVED.replace("one", "new"), "the same answers to the last bit", id="champion is the challenger"),
        pytest.param(ANSWERS, "    return answers[:-1]\n", "did not answer the same rows", id="rows left out"),
        pytest.param(
            SAID, SAID.replace("*rows.texts", "*rows.texts[1:], rows.texts[0]"), "asked again have other answers", id="rows in another order"
        ),
        pytest.param(SAID, SAID + "[:, [2, 1, 0]]", "golden texts are off", id="classes reversed"),
        pytest.param(ANSWERS, "    return answers[:, [1, 2, 0]]\n", "label map is permuted", id="label map permuted"),
        pytest.param(ANSWERS, "    return answers * np.float32('nan')\n", "NaN", id="NaN"),
    ],
)
def test_a_bug_in_the_answers_is_caught(line, bug, reason):
    with pytest.raises(JudgeRefused, match=reason):
        _asked(planted("answers", line, bug))


@pytest.mark.slow
def test_permuted_labels_of_a_data_set_are_caught():
    rows = _rows()
    with pytest.raises(JudgeRefused, match="label map is permuted"):
        _asked(answers, Examples(rows.texts, 2 - rows.labels, None))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 0.9])
def test_one_row_that_is_no_probability_is_enough(bad):
    said = np.tile(np.float32([0.2, 0.3, 0.5]), (90, 1))
    answers.require_probabilities("challenger", said, 90)
    said[41, 1] = bad
    with pytest.raises(JudgeRefused, match="challenger: expected probabilities that sum to 1"):
        answers.require_probabilities("challenger", said, 90)


def test_a_model_that_guesses_is_no_permuted_one():
    random = np.random.default_rng(4)
    for _ in range(50):
        answers.require_order_of_classes("guessing", random.integers(0, 3, 200), random.dirichlet(np.ones(3), 200))


# --- test rows in training ---------------------------------------------------------------------------------------------


def judges_nothing_trained_on(module, folder: Path) -> None:
    """Rows that were trained on, by their text, by their id, or by an author's other row, are out, and counted once."""
    rows = [example(number, f"text number {number} here", number // 2 % 3) for number in range(30)]
    table = pa.Table.from_pylist(rows, EXAMPLE)
    (folder / "export").mkdir(parents=True)
    np.save(folder / "export" / "trained_on.npy", np.array([fingerprint(rows[0]["text"])], dtype=np.uint64))
    np.save(folder / "export" / "trained_rows.npy", row_hashes([rows[1]["row_id"], "another row of 2's author"]))
    kin = [(rows[2]["row_id"], 1, True), ("another row of 2's author", 1, False), (rows[3]["row_id"], 2, True), ("never read", 2, False)]
    same = {"source": "steam", "is_validation": False}
    lines = [{"row_id": row_id, "post_id": row_id, "key": key, "is_test": is_test, **same} for row_id, key, is_test in kin]
    pq.write_table(pa.Table.from_pylist(lines, KIN), folder / "kin.parquet")
    rows_of_test = Examples(table["text"].to_pylist(), table["label"].to_numpy(), table)
    left, excluded = module.fair(rows_of_test, folder, module.Contender(None, folder / "export"), None)
    assert left.table["row_id"].to_pylist() == [row["row_id"] for row in rows[3:]]
    assert (left.texts, left.labels.tolist()) == ([row["text"] for row in rows[3:]], [row["label"] for row in rows[3:]])
    assert excluded == {"seen_by_challenger": 1, "met_by_challenger": 2, "seen_by_champion": 0, "met_by_champion": 0, "rows": 3}


def test_test_rows_in_training_are_taken_out_and_counted(tmp_path):
    judges_nothing_trained_on(importlib.import_module("groundswell.contenders"), tmp_path)


KEEP = "keep &= ~(seen if met is None else seen | met)"


@pytest.mark.parametrize(
    ("line", "bug"),
    [
        pytest.param(KEEP, "keep &= ~seen", id="authors in training"),
        pytest.param(KEEP, "pass", id="test rows in training"),
        pytest.param(KEEP, KEEP.replace("~", ""), id="the unfair rows kept"),
        pytest.param("np.isin(row_hashes(row_ids), learnt) | np.array(", "np.array(", id="rows whose text was edited"),
        pytest.param("rows.labels[keep]", "rows.labels[: keep.sum()]", id="labels of other rows"),
    ],
)
def test_test_rows_in_training_are_caught(tmp_path, line, bug):
    with pytest.raises((AssertionError, JudgeRefused)):
        judges_nothing_trained_on(planted("contenders", line, bug), tmp_path)
