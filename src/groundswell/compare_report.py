"""What a comparison works on, and the report that is made of it.

Reads the fits that are done; writes nothing. Answers are pooled over the folds, each said by the fit that had not learnt from its fold.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from groundswell.errors import ModelError
from groundswell.folds import Folds, Rows
from groundswell.machine import machine
from groundswell.params import CompareParams, CompareRow
from groundswell.ranking import Ranking, ranked
from groundswell.settings import Settings
from groundswell.trials import DONE, Bench, Outcome, Trial

_COSTS = ("train_seconds", "posts_per_second", "size_bytes", "peak_memory_bytes")


@dataclass
class Comparison:
    """What one call works on, and how far its rows are."""

    topic: str
    settings: Settings
    params: CompareParams
    rows: Rows
    cut: Folds
    bench: Bench
    tags: dict[str, str]
    deadline: float | None = None
    run_id: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    run_ids: dict[str, str] = field(default_factory=dict)

    @property
    def judged(self) -> np.ndarray:
        return np.flatnonzero(self.rows.may_judge)

    def results(self, row: CompareRow) -> list[tuple[Trial, np.ndarray, dict]]:
        """(trial, class numbers said, numbers) of every fit of a row that is done."""
        found = [(trial, self.bench.result(row, trial)) for trial in self.bench.trials_of(row, self.params.seeds)]
        return [(trial, result[0].argmax(axis=1), result[1]) for trial, result in found if result]

    def answers(self, row: CompareRow) -> dict[int, np.ndarray]:
        """Seed → class numbers of all judged rows, each said by the fit that had not learnt from its fold."""
        said: dict[int, np.ndarray] = {}
        for trial, answers, _ in self.results(row):
            said.setdefault(trial.seed, np.full(len(self.rows), -1))[self.cut.judged(self.rows, trial.fold)] = answers
        return {seed: whole[self.judged] for seed, whole in said.items()}

    def ranked(self, answers: dict, places: np.ndarray | None = None) -> Ranking:
        places = self.judged if places is None else places
        return ranked(self.rows.labels[places], [self.rows.groups[at] for at in places], answers, samples=self.params.bootstrap_samples)


def report_of(work: Comparison, rows: list[CompareRow]) -> dict:
    answers = {row.name: work.answers(row) for row in rows if work.outcomes[row.name].status == DONE}
    if not answers:
        whys = "; ".join(f"{name}: {outcome.why}" for name, outcome in list(work.outcomes.items())[:3])
        raise ModelError(f"compare {work.topic}: no row was done, so there is nothing to compare ({whys})")
    ranking = work.ranked(answers)
    told = [_told(work, row, ranking) for row in rows]
    return {
        "stage": "compare",
        "topic": work.topic,
        "dataset_md5": work.bench.dataset_md5,
        "run_id": work.run_id,
        "folds": {"count": work.cut.count, "digest": work.cut.digest, "rows": len(work.rows), "judged": len(work.judged)},
        "seeds": list(work.params.seeds),
        "samples": ranking.samples,
        "best": ranking.best,
        "rows": sorted(told, key=lambda one: -one["macro_f1"]["mean"] if one["status"] == DONE else 1),
        "curves": [_curve(work, row) for row in rows if row.name in work.params.curves and work.outcomes[row.name].status == DONE],
        "machine": {**machine(), "threads": work.bench.threads},
        "page": f"reports/compare/{work.topic}.html",
    }


def _told(work: Comparison, row: CompareRow, ranking: Ranking) -> dict:
    """A row of the report."""
    outcome = work.outcomes[row.name]
    told = {**row.model_dump(mode="json"), "is_seeded": row.is_seeded, "status": outcome.status, "run_id": work.run_ids[row.name]}
    if outcome.status != DONE:
        return {**told, "why": outcome.why}
    return {**told, **ranking.measured[row.name], "against_best": ranking.against_best[row.name], **costs(work, row)}


def costs(work: Comparison, row: CompareRow) -> dict[str, float]:
    """Of one fit, over all fits of a row: medians of time, speed and size (a child's first fit loads the libraries too), the largest memory."""
    how = {"train_seconds": np.median, "posts_per_second": np.median, "size_bytes": np.median, "peak_memory_bytes": np.max}
    numbers = [found for _, _, found in work.results(row)]
    known = {name: [one[name] for one in numbers if name in one] for name in _COSTS}
    costs = {name: float(how[name](values)) for name, values in known.items() if values}
    return {name: int(value) if name.endswith("bytes") else float(f"{value:.4g}") for name, value in costs.items()}


def _curve(work: Comparison, row: CompareRow) -> dict:
    """Quality by number of labels, on the first fold; points whose fits are not all done are left out."""
    by_share: dict[float, dict[int, tuple]] = {}
    for trial in curve_trials(work, row):
        if result := work.bench.result(row, trial):
            by_share.setdefault(trial.share, {})[trial.seed] = result
    whole = {share: found for share, found in sorted(by_share.items()) if share >= 1 or len(found) == len(work.params.seeds)}
    answers = {str(share): {seed: said.argmax(axis=1) for seed, (said, _) in found.items()} for share, found in whole.items()}
    measured = work.ranked(answers, work.cut.judged(work.rows, 0)).measured
    points = []
    for share, found in whole.items():
        labels = round(float(np.mean([numbers["labels"] for _, numbers in found.values()])))
        own = measured[str(share)]["macro_f1"]
        points.append({"labels": labels, "macro_f1": own["mean"], "low": own["low"], "high": own["high"]})
    return {"name": row.name, "points": points}


def curve_trials(work: Comparison, row: CompareRow) -> list[Trial]:
    """The largest shares first: what too few labels make impossible is tried last. Another seed is another part of the rows too."""
    whole = [trial for trial in work.bench.trials_of(row, work.params.seeds) if trial.fold == 0]
    shares = sorted({share for share in work.params.curve_shares if share < 1}, reverse=True)
    return whole + [Trial(0, seed, share) for share in shares for seed in work.params.seeds]
