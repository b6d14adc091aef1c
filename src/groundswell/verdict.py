"""A verdict: from the evidence to PROMOTE, HOLD or INCONCLUSIVE with its reasons; its digest; its summary for a person.

Reads and writes nothing. HOLD: something speaks against the challenger. INCONCLUSIVE: nothing does, but these rows can't show
what must be shown. PROMOTE: everything that must be shown is shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from groundswell.bootstrap import Difference
from groundswell.config import JudgeParams

PROMOTE, HOLD, INCONCLUSIVE = "PROMOTE", "HOLD", "INCONCLUSIVE"


@dataclass(frozen=True)
class SliceDifference:
    """Challenger against champion on the rows of one slice."""

    name: str
    rows: int
    challenger: float
    champion: float
    difference: Difference


@dataclass(frozen=True)
class Evidence:
    """What the judge measured; without a champion its fields are None or empty."""

    rows: int
    macro_f1: float
    ece: float
    int8_agreement: float
    against_baseline: Difference
    against_champion: Difference | None = None
    slices: list[SliceDifference] = field(default_factory=list)
    latency_ratio: float | None = None
    is_champion_already: bool = False
    is_identical: bool = False
    is_same_data: bool = False
    was_rolled_back: bool = False


def decide(evidence: Evidence, params: JudgeParams) -> tuple[str, list[str]]:
    """The verdict and its reasons, sentences with numbers; what speaks against comes first."""
    against, unclear, speaking_for = [], [], []
    for kind, reason in _findings(evidence, params):
        {HOLD: against, INCONCLUSIVE: unclear, PROMOTE: speaking_for}[kind].append(reason)
    verdict = HOLD if against else INCONCLUSIVE if unclear else PROMOTE
    return verdict, against + unclear + speaking_for


def _findings(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    yield from _history(evidence)
    yield from _enough_rows(evidence, params)
    yield from _baseline(evidence)
    yield from _floors(evidence, params)
    if evidence.against_champion is not None:
        yield from _champion(evidence, params)
        yield from _slices(evidence, params)
        yield from _latency(evidence, params)
    else:
        yield PROMOTE, "There is no champion yet: the floors and the baseline decide."


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


def _champion(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    found = evidence.against_champion
    told = f"macro-F1 differs from the champion's by {_interval(found)}"
    if found.high < 0:
        yield HOLD, f"The challenger is worse than the champion: {told}."
    elif found.low > 0:
        yield PROMOTE, f"The challenger is better than the champion: {told}."
    elif evidence.is_same_data:
        yield HOLD, f"The challenger was trained on the champion's own data set and is not shown to be better: {told}."
    elif found.low >= -params.margin:
        yield PROMOTE, f"The challenger is no worse than the champion by more than the margin of {params.margin:.3f}: {told}."
    else:
        yield (
            INCONCLUSIVE,
            f"Whether the challenger is worse by more than the margin of {params.margin:.3f} can't be told: {told}; "
            f"with 80 % power these rows show differences from {found.smallest_detectable:.3f} on.",
        )


def _slices(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    fallen = [one for one in evidence.slices if one.difference.estimate < -params.max_slice_drop and one.difference.high < 0]
    for one in fallen:
        told = f"{one.rows} rows, macro-F1 {one.challenger:.3f} after {one.champion:.3f}, difference {_interval(one.difference)}"
        yield HOLD, f"The challenger falls by more than {params.max_slice_drop:.3f} where {one.name} ({told})."
    if evidence.slices and not fallen:
        worst = min(evidence.slices, key=lambda one: (one.difference.estimate, one.name))
        told = f"the lowest of {len(evidence.slices)} differences is {worst.difference.estimate:+.3f}, where {worst.name} ({worst.rows} rows)"
        yield PROMOTE, f"No slice is shown to fall by more than {params.max_slice_drop:.3f}: {told}."


def _latency(evidence: Evidence, params: JudgeParams) -> Iterator[tuple[str, str]]:
    if evidence.latency_ratio is not None:
        told = f"an answer takes {evidence.latency_ratio:.2f} times as long as the champion's, at most {params.max_latency_ratio:.2f} is allowed"
        yield _bound(evidence.latency_ratio <= params.max_latency_ratio, told)


def _bound(is_kept: bool, told: str) -> tuple[str, str]:
    return (PROMOTE if is_kept else HOLD), f"{told[0].upper()}{told[1:]}."


def _interval(found: Difference) -> str:
    return f"{found.estimate:+.3f} (95 % interval {found.low:+.3f} to {found.high:+.3f})"


def digest_of(verdict: dict) -> str:
    """sha256 of everything in ``verdict`` but its own ``digest``."""
    rest = {key: value for key, value in verdict.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def summary_of(verdict: dict) -> str:
    """``verdict`` in Markdown, for whoever approves: what was decided and why, then the numbers."""
    against = f"the champion, version {verdict['champion_version']}" if verdict["champion_version"] else "no champion yet"
    lines = [f"**{verdict['verdict']}**: version {verdict['challenger_version']} of `{verdict['model_name']}` against {against}", ""]
    lines += [f"- {reason}" for reason in verdict["reasons"]]
    lines += ["", f"| on {verdict['rows']} test rows | macro-F1 | accuracy | ECE | log-loss |", "|---|---|---|---|---|"]
    for name, scores in verdict["scores"].items():
        lines.append(f"| {name} | {scores['macro_f1']:.3f} | {scores['accuracy']:.3f} | {scores['ece']:.3f} | {scores['log_loss']:.3f} |")
    lines += ["", f"The smallest difference in macro-F1 that these rows show with 80 % power: {verdict['smallest_detectable_difference']:.3f}."]
    return "\n".join(lines) + "\n"
