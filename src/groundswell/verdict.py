"""A verdict: from the evidence to PROMOTE, HOLD or INCONCLUSIVE with its reasons; its digest; its summary for a person.

Reads and writes nothing. HOLD: something speaks against the challenger. INCONCLUSIVE: nothing does, but these rows can't show
what must be shown. PROMOTE: everything that must be shown is shown. A challenger that is the champion's equal is not promoted, unless
``judge.goal`` says that no worse is enough. Refuses (`JudgeRefused`) evidence that holds a number which is none.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict

from groundswell.bootstrap import Difference
from groundswell.errors import JudgeRefused
from groundswell.evidence import Evidence
from groundswell.params import JudgeParams

PROMOTE, HOLD, INCONCLUSIVE = "PROMOTE", "HOLD", "INCONCLUSIVE"
LEVEL = 0.05
_NAMES = {"macro_f1": "macro-F1", "macro_recall": "macro-recall", "accuracy": "accuracy"}


def decide(evidence: Evidence, params: JudgeParams) -> tuple[str, list[str]]:
    """The verdict and its reasons, sentences with numbers; what speaks against comes first. `JudgeRefused` for NaN and infinity."""
    _require_finite(evidence)
    against, unclear, speaking_for = [], [], []
    for kind, reason in _findings(evidence, params):
        {HOLD: against, INCONCLUSIVE: unclear, PROMOTE: speaking_for}[kind].append(reason)
    verdict = HOLD if against else INCONCLUSIVE if unclear else PROMOTE
    return verdict, against + unclear + speaking_for


def _require_finite(evidence: Evidence) -> None:
    """NaN is neither above a floor nor below it: whichever way a comparison is written, it would slip through one of them."""
    strange = sorted(name for name, value in _numbers(asdict(evidence)) if not math.isfinite(value))
    if strange:
        raise JudgeRefused(f"the evidence holds NaN or infinity at {', '.join(strange[:5])}: expected numbers; nothing is decided on them")


def _numbers(value, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _numbers(child, f"{name}.{key}".strip("."))
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from _numbers(child, f"{name}.{place}")
    elif isinstance(value, float | int):
        yield name, value


def _findings(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    yield from _history(evidence)
    yield from _enough_rows(evidence, params)
    yield from _baseline(evidence)
    yield from _floors(evidence, params)
    if evidence.against_champion is not None:
        yield _champion(evidence, params)
        yield from _other_measures(evidence)
        yield from _slices(evidence, params)
        yield from _behaviour(evidence, params)
    else:
        yield PROMOTE, "There is no champion yet: the floors and the baseline decide."
    yield from _costs(evidence, params)


def _history(evidence: Evidence) -> Iterator[tuple[str, str]]:
    if evidence.is_champion_already:
        yield HOLD, "The challenger is the champion already: there is nothing to decide until another one is trained."
    elif evidence.is_identical:
        yield HOLD, "The challenger's weights are the champion's, bit for bit: promoting it would change nothing."
    if evidence.was_rolled_back:
        yield HOLD, "This version was champion before and was rolled back: train another one."


def _enough_rows(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    if evidence.rows < params.min_rows:
        yield INCONCLUSIVE, f"Only {evidence.rows} test rows are fair to both models, {params.min_rows} are asked for: collect and label more."
    if evidence.groups < params.min_groups:
        told = f"The {evidence.rows} test rows are of {evidence.groups} authors or clusters of duplicates only, {params.min_groups} are asked for"
        yield INCONCLUSIVE, f"{told}: so few say little of others; collect from more."


def _baseline(evidence: Evidence) -> Iterator[tuple[str, str]]:
    found = evidence.against_baseline
    told = f"macro-F1 differs from the baseline's by {_interval(found)}"
    if found.low > 0:
        yield PROMOTE, f"The challenger beats the baseline: {told}."
    elif found.estimate <= 0 or found.high <= 0:
        yield HOLD, f"Rejected: the challenger does not beat the baseline of TF-IDF and logistic regression on the same rows: {told}."
    else:
        yield INCONCLUSIVE, f"That the challenger beats the baseline is not shown: {told}."


def _floors(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    yield _bound(evidence.macro_f1 >= params.min_macro_f1, f"macro-F1 is {evidence.macro_f1:.3f}, the floor is {params.min_macro_f1:.3f}")
    yield _bound(evidence.ece <= params.max_ece, f"the expected calibration error is {evidence.ece:.3f}, at most {params.max_ece:.3f} is allowed")
    yield _bound(
        evidence.int8_agreement >= params.min_int8_agreement,
        f"int8 and fp32 give the same label to {evidence.int8_agreement:.1%} of the rows, at least {params.min_int8_agreement:.1%} are asked for",
    )
    rise = evidence.log_loss - evidence.fp32_log_loss
    yield _bound(
        rise <= params.max_int8_log_loss_rise,
        f"quantisation moves the log-loss from {evidence.fp32_log_loss:.3f} to {evidence.log_loss:.3f} and the calibration error from "
        f"{evidence.fp32_ece:.3f} to {evidence.ece:.3f}; a log-loss higher by {params.max_int8_log_loss_rise:.3f} at most is allowed",
    )


def _champion(evidence: Evidence, params: JudgeParams) -> tuple[str, str]:
    found, margin = evidence.against_champion, params.margin
    told = f"macro-F1 differs from the champion's by {_interval(found)}"
    no_worse = f"no worse than the champion by more than the margin of {margin:.3f}"
    if found.high < 0:
        return HOLD, f"The challenger is worse than the champion: {told}."
    if found.low > 0:
        return PROMOTE, f"The challenger is better than the champion: {told}."
    if found.low >= -margin and params.goal == "no_worse":
        if evidence.is_same_data:
            return HOLD, f"The challenger was trained on the champion's own data set and is not shown to be better: {told}."
        return PROMOTE, f"The challenger is {no_worse}: {told}."
    if found.smallest_detectable > margin:
        return INCONCLUSIVE, f"These rows can't see the margin of {margin:.3f}: {told}; {power_of(evidence)}."
    shown = f"; it is {no_worse}, which is not enough (judge.goal is better)" if found.low >= -margin else ""
    return HOLD, f"The challenger is not shown to be better than the champion: {told}; {power_of(evidence)}{shown}."


def power_of(evidence: Evidence) -> str:
    """What difference could have been seen, and where that is known from."""
    found = evidence.compared
    return (
        f"with 80 % power they show differences from {found.smallest_detectable:.3f} on "
        f"(standard error {found.standard_error:.4f}, of the paired bootstrap over {evidence.groups} groups)"
    )


def _other_measures(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The measures that do not decide may still speak against, corrected for there being several."""
    for name, p_value in evidence.adjusted_p.items():
        found = evidence.measures[name]
        if name != "macro_f1" and found.estimate < 0 and p_value < LEVEL:
            yield HOLD, f"The challenger is worse than the champion by {_NAMES[name]}: {_interval(found)}, p {p_value:.4f} after Holm's correction."


def _slices(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    fallen = [one for one in evidence.slices if one.difference.estimate < -params.max_slice_drop and one.difference.high < 0]
    for one in fallen:
        told = f"{one.rows} rows, macro-F1 {one.challenger:.3f} after {one.champion:.3f}, difference {_interval(one.difference)}"
        yield HOLD, f"The challenger falls by more than {params.max_slice_drop:.3f} where {one.name} ({told})."
    if evidence.slices and not fallen:
        worst = min(evidence.slices, key=lambda one: (one.difference.estimate, one.name))
        told = f"the lowest of {len(evidence.slices)} differences is {worst.difference.estimate:+.3f}, where {worst.name} ({worst.rows} rows)"
        open_ = sum(one.difference.lower_bound < -params.max_slice_drop for one in evidence.slices)
        unseen = f"; in {open_} of them the rows are too few to rule it out with 95 % confidence" if open_ else ""
        yield PROMOTE, f"No slice is shown to fall by more than {params.max_slice_drop:.3f}: {told}{unseen}."


def _costs(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    """What the model takes where it works: time, memory, and that it works there at all."""
    if evidence.serving_refusal is not None:
        yield HOLD, f"Serving refuses the challenger: {evidence.serving_refusal}."
    if evidence.latency_ratio is not None:
        told = f"an answer takes {evidence.latency_ratio:.2f} times as long as the champion's, at most {params.max_latency_ratio:.2f} is allowed"
        yield _bound(evidence.latency_ratio <= params.max_latency_ratio, told)
    if evidence.memory_ratio is not None:
        told = f"serving takes {evidence.memory_ratio:.2f} times as much memory with it, at most {params.max_memory_ratio:.2f} is allowed"
        yield _bound(evidence.memory_ratio <= params.max_memory_ratio, told)


def _behaviour(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    if evidence.behaviour_drop is not None:
        moved = f"{-evidence.behaviour_drop:+.1%} are passed against the champion"
        told = f"of the behavioural cases {moved}, a drop of {params.max_behaviour_drop:.1%} is allowed"
        yield _bound(evidence.behaviour_drop <= params.max_behaviour_drop, told)


def _bound(is_kept: bool, told: str) -> tuple[str, str]:
    return (PROMOTE if is_kept else HOLD), f"{told[0].upper()}{told[1:]}."


def _interval(found: Difference) -> str:
    return f"{found.estimate:+.3f} (95 % interval {found.low:+.3f} to {found.high:+.3f})"


def digest_of(verdict: dict) -> str:
    """sha256 of everything in ``verdict`` but its own ``digest`` and its signature: the name by which it is approved."""
    rest = {key: value for key, value in verdict.items() if key not in ("digest", "signature")}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def reported(evidence: Evidence, params: JudgeParams) -> dict:
    """The comparison as a verdict reports it: both questions (better? no worse?) whatever decides, every measure, every slice, the power."""
    found = evidence.against_champion
    return {
        "difference_to_champion": found.as_dict() if found else None,
        "difference_to_baseline": evidence.against_baseline.as_dict(),
        "superiority": {"is_shown": found.low > 0, "p_value": round(found.p_value, 6)} if found else None,
        "non_inferiority": {"is_shown": found.low >= -params.margin, "margin": params.margin, "bound": round(found.low, 6)} if found else None,
        "measures": {name: {**one.as_dict(), "p_value_holm": round(evidence.adjusted_p[name], 6)} for name, one in evidence.measures.items()},
        "mcnemar_mid_p": evidence.mcnemar_mid_p,
        "calibration": {
            "int8": {"ece": round(evidence.ece, 6), "log_loss": round(evidence.log_loss, 6)},
            "fp32": {"ece": round(evidence.fp32_ece, 6), "log_loss": round(evidence.fp32_log_loss, 6)},
        },
        "smallest_detectable_difference": round(evidence.compared.smallest_detectable, 6),
        "power": power_of(evidence),
        "slices": [{**asdict(one), "difference": one.difference.as_dict()} for one in evidence.slices],
    }


def summary_of(verdict: dict) -> str:
    """``verdict`` in Markdown, for whoever approves: what was decided and why, then the numbers."""
    against = f"the champion, version {verdict['champion_version']}" if verdict["champion_version"] else "no champion yet"
    lines = [f"**{verdict['verdict']}**: version {verdict['challenger_version']} of `{verdict['model_name']}` against {against}", ""]
    lines += [f"- {reason}" for reason in verdict["reasons"]]
    lines += ["", f"| on {verdict['rows']} test rows | macro-F1 | accuracy | ECE | log-loss |", "|---|---|---|---|---|"]
    for name, scores in verdict["scores"].items():
        lines.append(f"| {name} | {scores['macro_f1']:.3f} | {scores['accuracy']:.3f} | {scores['ece']:.3f} | {scores['log_loss']:.3f} |")
    if verdict["measures"]:
        lines += ["", "| challenger minus champion | difference | 95 % interval | p (Holm) |", "|---|---|---|---|"]
        for name, one in verdict["measures"].items():
            lines.append(f"| {_NAMES[name]} | {one['estimate']:+.3f} | {one['low']:+.3f} to {one['high']:+.3f} | {one['p_value_holm']:.4f} |")
        shown = {True: "shown", False: "not shown"}
        margin = verdict["non_inferiority"]["margin"]
        lines += [
            "",
            f"Better: {shown[verdict['superiority']['is_shown']]}. No worse by more than {margin:.3f}: "
            f"{shown[verdict['non_inferiority']['is_shown']]}. McNemar's mid-p, which takes rows for independent: {verdict['mcnemar_mid_p']:.4f}.",
        ]
    lines += _costs_table(verdict["serving"])
    if verdict["behaviour"]:
        names = list(verdict["behaviour"])
        lines += ["", f"| behaviour, cases passed | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
        for capability, line in verdict["behaviour"][names[0]].items():
            told = (f"{verdict['behaviour'][name][capability]['passed']} of {line['cases']}" for name in names)
            lines.append(f"| {capability} | {' | '.join(told)} |")
    lines += ["", f"The smallest difference in macro-F1 that could have been seen: {verdict['power']}."]
    return "\n".join(lines) + "\n"


def _costs_table(serving: dict) -> list[str]:
    """What each model costs in its serving process, where that was measured."""
    measured = {name: one for name, one in serving.items() if isinstance(one, dict)}
    if not measured:
        return []
    lines = ["", "| in a serving process of its own | p50 | p95 | memory | loaded in |", "|---|---|---|---|---|"]
    for name, one in measured.items():
        megabytes = f"{one['rss_bytes'] / 2**20:.0f} MiB"
        lines.append(f"| {name} | {one['p50_ms']:.1f} ms | {one['p95_ms']:.1f} ms | {megabytes} | {one['loaded_seconds']:.1f} s |")
    return lines
