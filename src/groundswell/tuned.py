"""What a study has found: the best values against today's, on the rows that chose them and with fresh seeds, and what to paste into params.yaml.

Reads a `studies.Study`; writes nothing. The best of many trials is flattered twice: it was lucky in its seed, and it was chosen on the very
rows that it is measured on (the winner's curse). Fresh seeds take back the first; the second only other rows can, which are the judge's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import yaml

from groundswell.bootstrap import macro_f1, paired_difference
from groundswell.examples import Examples
from groundswell.params import CompareRow
from groundswell.search_space import Value
from groundswell.studies import Study

ANSWERS = "answers"
"""The attribute of a trial that holds its answers: with them a paired interval needs no second fit."""


def written(said: np.ndarray) -> str:
    """Class numbers as digits, a form that a study can keep."""
    return "".join(map(str, said.tolist()))


def read(digits: str) -> np.ndarray:
    """The class numbers that `written` wrote."""
    return np.frombuffer(digits.encode(), np.uint8).astype(np.int64) - ord("0")


def fresh(trial, seed: int) -> str:
    """The name under which a study keeps what the values of ``trial`` answered with another seed."""
    return f"{ANSWERS} of trial {trial.number} with seed {seed}"


def found_by(study: Study, row: CompareRow, rows: Examples, confirmed: Sequence[int], *, samples: int, seed: int) -> dict:
    """The part of tune's report that says what was found on ``rows``; ``confirmed``: the fresh seeds that best and default were learnt with."""
    best, default = study.best, study.default
    told = {"trials": _counts(study), "best": _described(best), "default": _described(default)}
    is_same = best is None or default is None or best.number == default.number
    compared = None if is_same else _difference(rows, [_answers(best)], [_answers(default)], samples, seed)
    again = None if is_same or not confirmed else _on_fresh_seeds(study, rows, confirmed, samples, seed)
    return {
        **told,
        "difference": compared,
        "fresh_seeds": again,
        "says": _says(again, best, default),
        "importance": study.importance(),
        "yaml": _yaml(row, best.params) if best else "",
    }


def _counts(study: Study) -> dict[str, int]:
    counts = {"complete": len(study.trials("COMPLETE")), "pruned": len(study.trials("PRUNED"))}
    return {**counts, "failed": len(study.finished()) - sum(counts.values())}


def _described(trial) -> dict | None:
    return trial and {"trial": trial.number, "macro_f1": round(trial.value, 6), "params": trial.params, "seconds": trial.user_attrs["seconds"]}


def _answers(trial) -> np.ndarray:
    return read(trial.user_attrs[ANSWERS])


def _difference(rows: Examples, first: Sequence[np.ndarray], second: Sequence[np.ndarray], samples: int, seed: int) -> dict[str, float]:
    """Macro-F1 of the first minus the second's, all seeds' answers pooled; a group's rows are drawn together, with all their seeds."""
    labels, groups = np.tile(rows.labels, len(first)), rows.table["group"].to_pylist() * len(first)
    return paired_difference(labels, np.concatenate(first), np.concatenate(second), groups, samples=samples, seed=seed).as_dict()


def _on_fresh_seeds(study: Study, rows: Examples, seeds: Sequence[int], samples: int, seed: int) -> dict:
    trials = {"best": study.best, "default": study.default}
    said = {name: [read(study.kept(fresh(trial, one))) for one in seeds] for name, trial in trials.items()}
    means = {name: round(float(np.mean([macro_f1(rows.labels, one) for one in each])), 6) for name, each in said.items()}
    return {"seeds": list(seeds), **means, "difference": _difference(rows, said["best"], said["default"], samples, seed)}


def _says(again: dict | None, best, default) -> str:
    if best is None or default is None:
        return "nothing to compare: no trial was complete, or not that of today's values"
    if best.number == default.number:
        return "today's values are the best that was tried"
    if again is None:
        return "not confirmed: the best of many trials is flattered, and no fresh seed was tried"
    if again["difference"]["low"] > 0:
        return "better than today's values with fresh seeds too"
    return (
        "worse than today's values with fresh seeds" if again["difference"]["high"] < 0 else "indistinguishable from today's values with fresh seeds"
    )


def _yaml(row: CompareRow, values: Mapping[str, Value]) -> str:
    """What to paste into params.yaml: the train section's keys for the DistilBERT that `train` trains, else the row with its options."""
    if row.model == "distilbert" and not row.options:
        added = {} if row.augmentation == "none" else {"augmentation": row.augmentation}
        return yaml.safe_dump({"train": {**values, **added}}, sort_keys=False)
    return yaml.safe_dump({"compare": {"rows": [{**row.model_dump(mode="json"), "options": {**row.options, **values}}]}}, sort_keys=False)
