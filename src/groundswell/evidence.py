"""Evidence: from labels and everybody's answers to what a verdict is made of. Numbers in, numbers out; reads and writes nothing.

`judge` calls it with the answers of real models, ``make bench-judge`` with simulated ones whose truth is known: the same code decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from groundswell.bootstrap import Difference, macro_f1, paired_difference, paired_differences
from groundswell.metrics import scores
from groundswell.params import JudgeParams
from groundswell.registry import CHALLENGER, CHAMPION
from groundswell.significance import holm, mcnemar_mid_p


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
    """What the judge measured; without a champion its fields are None or empty. ``ece`` and ``log_loss`` are the int8 network's: it serves."""

    rows: int
    groups: int
    macro_f1: float
    ece: float
    log_loss: float
    fp32_ece: float
    fp32_log_loss: float
    int8_agreement: float
    against_baseline: Difference
    measures: dict[str, Difference] = field(default_factory=dict)
    """Measure of `bootstrap.MEASURES` → challenger minus champion."""
    mcnemar_mid_p: float | None = None
    slices: list[SliceDifference] = field(default_factory=list)
    latency_ratio: float | None = None
    memory_ratio: float | None = None
    serving_refusal: str | None = None
    """What serving said of the challenger instead of answering with it."""
    behaviour_drop: float | None = None
    """Share of the behavioural cases (`behaviour`) that the champion passes, minus the challenger's."""
    is_champion_already: bool = False
    is_identical: bool = False
    is_same_data: bool = False
    was_rolled_back: bool = False

    @property
    def against_champion(self) -> Difference | None:
        """By macro-F1, the measure that decides."""
        return self.measures.get("macro_f1")

    @property
    def adjusted_p(self) -> dict[str, float]:
        """Measure → the p-value of no difference to the champion, corrected for there being several (Holm)."""
        return holm({name: found.p_value for name, found in self.measures.items()})

    @property
    def compared(self) -> Difference:
        """What the power is told of: the comparison that decides."""
        return self.against_champion or self.against_baseline


def evidence_of(
    labels: np.ndarray, answers: Mapping[str, np.ndarray], groups: list, slices: Mapping[str, np.ndarray], params: JudgeParams, **facts
) -> Evidence:
    """The `Evidence` on rows that all have answered: ``answers`` are probabilities (n, 3) of challenger, champion (if any), baseline and fp32.

    ``groups``: n names of what belongs together; ``slices``: name → which rows; ``facts``: the fields that no answer tells.
    """
    said = {name: probabilities.argmax(axis=1) for name, probabilities in answers.items()}
    how = {"samples": params.bootstrap_samples, "seed": params.seed}
    served, exact = scores(labels, answers[CHALLENGER]), scores(labels, answers["fp32"])
    found = {
        "rows": len(labels),
        "groups": len(set(groups)),
        "macro_f1": macro_f1(labels, said[CHALLENGER]),
        "ece": served["ece"],
        "log_loss": served["log_loss"],
        "fp32_ece": exact["ece"],
        "fp32_log_loss": exact["log_loss"],
        "int8_agreement": float((said[CHALLENGER] == said["fp32"]).mean()),
        "against_baseline": paired_difference(labels, said[CHALLENGER], said["baseline"], groups, **how),
    }
    if CHAMPION in answers:
        found["measures"] = paired_differences(labels, said[CHALLENGER], said[CHAMPION], groups, **how)
        found["mcnemar_mid_p"] = mcnemar_mid_p(labels, said[CHALLENGER], said[CHAMPION])
        found["slices"] = _slices(labels, said, groups, slices, params)
    return Evidence(**found, **facts)


def _slices(labels: np.ndarray, said: dict, groups: list, slices: Mapping[str, np.ndarray], params: JudgeParams) -> list[SliceDifference]:
    found = []
    for name, mask in slices.items():
        if mask.sum() < params.min_slice_rows:
            continue
        meant, new, old = labels[mask], said[CHALLENGER][mask], said[CHAMPION][mask]
        inside = [group for group, is_in in zip(groups, mask, strict=True) if is_in]
        difference = paired_difference(meant, new, old, inside, samples=params.bootstrap_samples, seed=params.seed)
        found.append(SliceDifference(name, int(mask.sum()), round(macro_f1(meant, new), 6), round(macro_f1(meant, old), 6), difference))
    return found
