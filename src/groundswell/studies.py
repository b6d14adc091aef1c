"""Studies of hyperparameters: the adapter over Optuna.

Reads and writes a study in SQLite or PostgreSQL, whatever its trials have found with it, so that it goes on where it was: in another process,
on another machine. A trial that a dead process of this machine left running is told as failed, and its values are tried again. The same
values found lead to the same values tried next, killed in between or not.
"""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundswell.alive import is_gone, this_process
from groundswell.errors import StudyError

log = logging.getLogger(__name__)

_PROCESS, _ORIGIN = "process", "origin"
_DEFAULT = "today's values"


class Pruned(Exception):  # noqa: N818 - no error: a trial that is not worth its end
    """Raised inside a trial when the others were better by then."""


@dataclass(frozen=True)
class Plan:
    """How a study goes about it: TPE after ``startup`` random trials (Bergstra et al. 2011), seeded; what is pruned, and from which evaluation on."""

    seed: int
    startup: int
    prunes: bool
    evaluations: int


class Study:
    """An Optuna study, opened or made; its trials in order."""

    def __init__(self, url: str, name: str, plan: Plan):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna, self._plan, self.name = optuna, plan, name
        median = optuna.pruners.MedianPruner(n_startup_trials=plan.startup, n_warmup_steps=plan.evaluations - 1)
        pruner = median if plan.prunes else optuna.pruners.NopPruner()
        with _storage_errors(url):
            storage = optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
            self._study = optuna.create_study(storage=storage, study_name=name, direction="maximize", pruner=pruner, load_if_exists=True)

    def take_up(self, today: dict[str, Any]) -> int:
        """Make room for what a dead process had begun, and see that ``today``'s values are the first tried; how many trials were taken up."""
        state = self._optuna.trial.TrialState
        gone = [trial for trial in self._study.get_trials(states=(state.RUNNING,)) if _is_dead(trial)]
        for trial in gone:
            log.warning("tune: trial %d was left unfinished by a process that is gone: its values are tried again", trial.number)
            self._study.tell(trial.number, state=state.FAIL)
            # tell comes first: killed in between, values are lost, where the other way round they would be tried twice
            self._study.enqueue_trial(trial.params, user_attrs={_ORIGIN: trial.user_attrs.get(_ORIGIN, "")})
        if not any(trial.user_attrs.get(_ORIGIN) == _DEFAULT for trial in self._study.trials if trial.state != state.FAIL):
            self._study.enqueue_trial(today, user_attrs={_ORIGIN: _DEFAULT})
        return len(gone)

    def next(self):
        """The next trial, begun by this process."""
        # seeded anew for each: a study taken up again would else draw its first values once more
        told = len(self.finished())
        self._study.sampler = self._optuna.samplers.TPESampler(seed=1_000 * self._plan.seed + told, n_startup_trials=self._plan.startup)
        trial = self._study.ask()
        trial.set_user_attr(_PROCESS, this_process())
        return trial

    def report(self, trial, value: float, evaluation: int) -> None:
        """Tell what a trial has come to by its evaluation; `Pruned` when the others had come further by then."""
        trial.report(value, evaluation)
        if trial.should_prune():
            raise Pruned

    def tell(self, trial, value: float | None = None, *, is_pruned: bool = False, **facts: Any) -> None:
        """End a trial: with its value, as pruned, or (neither) as failed. ``facts`` are kept with it."""
        for name, fact in facts.items():
            trial.set_user_attr(name, fact)
        state = self._optuna.trial.TrialState
        self._study.tell(trial, value, state=state.COMPLETE if value is not None else state.PRUNED if is_pruned else state.FAIL)

    def trials(self, *states: str) -> list:
        """Its trials, in their order, of ``states`` (COMPLETE, PRUNED, FAIL, RUNNING, WAITING)."""
        return [trial for trial in self._study.get_trials(deepcopy=False) if trial.state.name in states]

    def finished(self) -> list:
        """The trials that came to an end by themselves: complete, pruned, or failed with an error of their own."""
        return [trial for trial in self.trials("COMPLETE", "PRUNED", "FAIL") if trial.state.name != "FAIL" or "error" in trial.user_attrs]

    @property
    def best(self):
        """The trial with the highest value; the earlier of equals. None before one is complete."""
        return max(self.trials("COMPLETE"), key=lambda trial: (trial.value, -trial.number), default=None)

    @property
    def default(self):
        """The trial of today's values, when it is complete."""
        return next((trial for trial in self.trials("COMPLETE") if trial.user_attrs.get(_ORIGIN) == _DEFAULT), None)

    def kept(self, name: str) -> Any:
        """What `keep` kept under ``name``, or None."""
        return self._study.user_attrs.get(name)

    def keep(self, name: str, value: Any) -> None:
        self._study.set_user_attr(name, value)

    def importance(self) -> dict[str, float]:
        """Each hyperparameter's share in what the best trials have in common (PED-ANOVA: Watanabe et al. 2023); empty below four values."""
        values = {trial.value for trial in self.trials("COMPLETE")}
        if len(values) < 4:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self._optuna.importance.get_param_importances(self._study)
        return {name: round(float(share), 4) for name, share in found.items()}

    def pictures(self, folder: Path) -> list[Path]:
        """``history.png`` and, where there is any, ``importance.png``, drawn by Optuna."""
        os.environ.setdefault("MPLBACKEND", "Agg")
        from optuna.visualization import matplotlib as drawn

        wanted = {"history.png": drawn.plot_optimization_history}
        if any(self.importance().values()):
            wanted["importance.png"] = drawn.plot_param_importances
        return [_drawn(draw, self._study, folder / name) for name, draw in wanted.items()]


def _is_dead(trial) -> bool:
    process = trial.user_attrs.get(_PROCESS)
    return process is None or is_gone(process)  # None: killed before it could say who it was


def _drawn(draw, study, path: Path) -> Path:
    from matplotlib import pyplot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each says that it is experimental
        figure = draw(study).figure
    figure.set_size_inches(8, 4.2)
    figure.savefig(path, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)
    return path


@contextmanager
def _storage_errors(url: str):
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        where = make_url(url).render_as_string(hide_password=True)
        reason = " ".join(str(error).split())[:200]
        raise StudyError(
            f"the studies at {where} can't be read or written ({reason}): is the database up, and GROUNDSWELL_TUNE_DATABASE_URL right?"
        ) from None
