"""Tune: look for hyperparameters under which a DistilBERT, or any row of the comparison, does better on validation than with today's.

Reads the train and validation splits of ``dataset/<topic>``, never test. Writes the study (``tune/<topic>.db``, or the database that
`Settings` names), a parent run and a run for each trial in MLflow, the page and, last, the report. Killed and run again it goes on where it
was. Refuses a row that has nothing to tune.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from groundswell import approaches, nested, runs, tracking
from groundswell.alive import this_process
from groundswell.approaches.base import HELD_OUT_F1, Surroundings
from groundswell.bootstrap import macro_f1
from groundswell.errors import GroundswellError, ParamsError
from groundswell.examples import Examples, read_examples
from groundswell.files import alone_in, replacing, write_json
from groundswell.git import standing
from groundswell.learners import Learner, learner
from groundswell.params import CompareParams, CompareRow, PrepareParams, TrainParams, TuneParams
from groundswell.search_space import Space, Value, space_of, suggested, values_in
from groundswell.settings import Settings
from groundswell.spare import Spare
from groundswell.studies import Plan, Pruned, Study
from groundswell.text import fingerprint
from groundswell.tune_page import tune_page
from groundswell.tuned import ANSWERS, found_by, fresh, written
from groundswell.versions import directory_md5

log = logging.getLogger(__name__)

_COMPARE, _PREPARE = CompareParams(), PrepareParams()
_LOOKS = {"validation_macro_f1", HELD_OUT_F1}
"""What a trial is held by while it learns; each has one of them."""
_SHARE_FOR_CONFIRMING = 0.5
"""At most so much of a budget is kept from the search for the fresh seeds."""


@dataclass
class _Work:
    """What one call works on."""

    topic: str
    settings: Settings
    params: TuneParams
    row: CompareRow
    learner: Learner
    space: Space
    validation: Examples
    seed: int
    study: Study
    clock: Callable[[], float]
    begun: float
    run_id: str = ""

    @property
    def experiment(self) -> str:
        return f"{self.topic}-tune"

    @property
    def today(self) -> dict[str, Value]:
        return values_in(self.space, self.learner.today)

    def seconds_left(self) -> float:
        """Of the budget; infinite where there is none."""
        return self.params.budget_minutes * 60 - (self.clock() - self.begun) if self.params.budget_minutes else float("inf")

    def seconds_of(self, *states: str) -> float:
        """The median of the trials that ended so, since the first of a process loads libraries; 0 before there is one."""
        found = [trial.user_attrs["seconds"] for trial in self.study.trials(*states) if "seconds" in trial.user_attrs]
        return median(found) if found else 0.0


def tune(
    topic: str,
    *,
    settings: Settings,
    params: TuneParams,
    train: TrainParams,
    row: CompareRow,
    compare: CompareParams = _COMPARE,
    prepare: PrepareParams = _PREPARE,
    clock: Callable[[], float] = time.monotonic,
) -> dict:
    """Tune ``row`` on the data set of ``topic``; the report. ``compare`` names a file of vectors, ``prepare`` says what a near duplicate is.

    `DatasetError` without a usable data set, `ParamsError` for a row that has nothing to tune or an option that it can't have, `StudyError`
    and `RegistryError` when the studies or MLflow are out of reach. An error of a trial ends the call; run again, it goes on with the next one.
    """
    begun = clock()
    approaches.check([row], train, _vectors(settings, compare))
    folder = settings.root / "tune" / topic
    rows = {split: read_examples(settings.dataset(topic), split) for split in ("train", "validation")}
    md5 = directory_md5(settings.dataset(topic))
    with alone_in(folder), tempfile.TemporaryDirectory(prefix="fits-", dir=folder) as scratch:
        spare = Spare(settings, topic, prepare.near_duplicate_similarity, learnt=["train"], apart=list(rows), folder=Path(scratch))
        around = _surroundings(train, row, rows["validation"], spare, _vectors(settings, compare))
        found = learner(row, rows["train"], rows["validation"], around)
        space = space_of(row, found.today)
        if not space:
            raise ParamsError(f"{row.name}: expected a row with hyperparameters, found {row.model} of {row.features}, which has none to tune")
        name = _name(topic, row, found, space, md5, params, train.seed, spare.settings_of(row.augmentation))
        study = Study(_url(settings, topic), name, _plan(params))
        work = _Work(topic, settings, params, row, found, space, rows["validation"], train.seed, study, clock, begun)
        report = _tuned(work, md5)
    write_json(report, settings.report("tune", topic))
    return report


def _surroundings(train: TrainParams, row: CompareRow, validation: Examples, spare: Spare, vectors: Path | None) -> Surroundings:
    """What `compare` gives to the same row: vectors and, where weak labels are asked for, posts to put them on and the champion."""
    return Surroundings(
        threads=train.threads or os.cpu_count() or 1,
        train=train,
        scratch=spare.folder,
        vectors=vectors,
        unlabelled=[post.text for post in spare.posts(row.augmentation)],
        champion=spare.champion(row.augmentation),
        judged=frozenset(fingerprint(text) for text in validation.texts),
    )


def _vectors(settings: Settings, compare: CompareParams) -> Path | None:
    return settings.project / compare.vectors if compare.vectors else None


def _url(settings: Settings, topic: str) -> str:
    return settings.tune_database_url.get_secret_value() or f"sqlite:///{settings.root / 'tune' / topic}.db"


def _plan(params: TuneParams) -> Plan:
    return Plan(params.seed, params.startup_trials, params.pruner == "median", params.pruner_evaluations)


def _name(topic: str, row: CompareRow, found: Learner, space: Space, md5: str, params: TuneParams, seed: int, spare: dict) -> str:
    """Another data set, space, lake or champion for weak labels, other values beside it: another study, its numbers are no longer comparable."""
    fixed = {name: value for name, value in found.today.items() if name not in ("threads", "augmentation")}  # the row says what it adds
    told = [row.model_dump(mode="json"), fixed, {name: asdict(limits) for name, limits in space.items()}, asdict(_plan(params)), seed]
    told += [spare] if spare else []  # a study of a row without weak labels keeps the name that it has
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
    return f"{topic}/{row.name}/{md5[:8]}/{digest[:8]}"


def _tuned(work: _Work, md5: str) -> dict:
    commit, is_dirty = standing(work.settings.project)
    key = {"stage": "tune", "study": work.study.name}
    continued = nested.known(work.settings, work.experiment, key)
    tags = {**key, "topic": work.topic, "row": work.row.name, "dataset_md5": md5, "git_commit": commit, "git_dirty": str(is_dirty).lower()}
    with tracking.run(work.settings, work.experiment, work.study.name, tags, continued=continued) as work.run_id:
        taken_up = work.study.take_up(work.today)
        _search(work)
        confirmed = _confirmed(work)
        report = {
            "stage": "tune",
            "topic": work.topic,
            "row": work.row.model_dump(mode="json"),
            "study": work.study.name,
            "dataset_md5": md5,
            "run_id": work.run_id,
            "rows": {"validation": len(work.validation)},
            "taken_up_after_a_kill": taken_up,
            "space": {name: asdict(limits) for name, limits in work.space.items()},
            **found_by(work.study, work.row, work.validation, confirmed, samples=work.params.bootstrap_samples, seed=work.params.seed),
        }
        _log(work, report)
    return report


def _search(work: _Work) -> None:
    """Trials until there are as many as asked for, or the budget leaves no room for one more and the fresh seeds after it."""
    while (done := len(work.study.finished())) < work.params.trials:
        if done and work.seconds_left() < work.seconds_of("COMPLETE", "PRUNED") + _kept_for_confirming(work):
            log.info("tune: the budget ends the search after %d trials of %d", done, work.params.trials)
            return
        _try_one(work, done)


def _kept_for_confirming(work: _Work) -> float:
    wanted = 2 * len(work.params.confirm_seeds) * work.seconds_of("COMPLETE")
    return min(wanted, _SHARE_FOR_CONFIRMING * 60 * work.params.budget_minutes) if work.params.budget_minutes else 0.0


def _try_one(work: _Work, done: int) -> None:
    trial = work.study.next()
    values = suggested(trial, work.space)
    key, mine = {"study": work.study.name, "trial": str(trial.number)}, {tracking.PROCESS_TAG: this_process()}
    run_id = nested.child(work.settings, work.experiment, work.run_id, f"trial {trial.number}", key, mine)
    tracking.log_params(work.settings, run_id, values)
    begun, evaluations = work.clock(), 0

    def observe(step: int, numbers: dict[str, float]) -> None:
        nonlocal evaluations
        tracking.log_step(work.settings, run_id, step, numbers)
        for name in _LOOKS & numbers.keys():
            evaluations += 1  # by evaluations, not steps: trials differ in the size of a batch
            work.study.report(trial, numbers[name], evaluations)

    status = "KILLED"
    try:
        said = work.learner.fit(values, work.seed, observe).argmax(axis=1)
        value = macro_f1(work.validation.labels, said)
        tracking.log_metrics(work.settings, run_id, {"macro_f1": value})
        work.study.tell(trial, value, seconds=round(work.clock() - begun, 3), **{ANSWERS: written(said)})
        _tag(work, run_id, trial, done, f"macro-F1 {value:.4f}")
        status = "FINISHED"
    except Pruned:
        work.study.tell(trial, is_pruned=True, seconds=round(work.clock() - begun, 3))
        _tag(work, run_id, trial, done, "pruned")
        status = "FINISHED"
    except (GroundswellError, RuntimeError, MemoryError) as error:
        work.study.tell(trial, error=type(error).__name__)
        status = "FAILED"
        raise
    finally:
        nested.end(work.settings, run_id, status)


def _tag(work: _Work, run_id: str, trial, done: int, said: str) -> None:
    runs.set_run_tag(work.settings, run_id, "pruned", str(said == "pruned").lower())
    best = work.study.best
    left = (work.params.trials - done - 1) * work.seconds_of("COMPLETE", "PRUNED")
    so_far = f"best {best.value:.4f} of trial {best.number}" if best else "none complete"
    log.info("tune: trial %d, %d of %d: %s; %s; %.0f s left", trial.number, done + 1, work.params.trials, said, so_far, left)


def _confirmed(work: _Work) -> list[int]:
    """The fresh seeds with which both the best values and today's were learnt, as far as the budget goes."""
    best, default = work.study.best, work.study.default
    if best is None or default is None or best.number == default.number:
        return []
    done = []
    for seed in work.params.confirm_seeds:
        missing = [trial for trial in (best, default) if work.study.kept(fresh(trial, seed)) is None]
        if work.seconds_left() < sum(trial.user_attrs["seconds"] for trial in missing):
            log.info("tune: the budget leaves no room for seed %d", seed)
            break
        for trial in missing:
            said = work.learner.fit({**trial.params}, seed, lambda step, numbers: None).argmax(axis=1)
            work.study.keep(fresh(trial, seed), written(said))
        done.append(seed)
    return done


def _log(work: _Work, report: dict) -> None:
    """Page, pictures and report onto the parent run; the page beside the report too."""
    with tempfile.TemporaryDirectory(prefix="groundswell-tune-") as box:
        pictures = work.study.pictures(Path(box)) if report["best"] else []
        page = tune_page(report, work.study.finished(), {path.stem: path.read_bytes() for path in pictures})
        Path(box, "page.html").write_text(page, encoding="utf-8")
        tracking.log_files(work.settings, work.run_id, Path(box), "tune")
    with replacing(work.settings.report("tune", work.topic).with_suffix(".html")) as beside:
        Path(beside).write_text(page, encoding="utf-8")
    tracking.log_json(work.settings, work.run_id, report, "tune/report.json")
    numbers = {name: report[name]["macro_f1"] for name in ("best", "default") if report[name]}
    tracking.log_metrics(work.settings, work.run_id, {f"{name}_macro_f1": value for name, value in numbers.items()})
