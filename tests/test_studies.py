"""Studies: what is found is kept, a killed one goes on as if it had not been, and PostgreSQL is a study's home as well as a file."""

import signal
import subprocess
import sys

import pytest

from groundswell.errors import StudyError
from groundswell.studies import Plan, Pruned, Study
from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.slow

PLAN = Plan(seed=3, startup=3, prunes=True, evaluations=1)
TODAY = {"x": 4.0, "kind": "plain"}
SEARCH = """
import os, signal, sys
from groundswell.studies import Plan, Study
from tests.test_studies import PLAN, TODAY, tried
url, until, dies_in = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
study = Study(url, "one", PLAN)
study.take_up(TODAY)
while (done := len(study.finished())) < until:
    trial = study.next()
    value = tried(trial)
    if done == dies_in:
        os.kill(os.getpid(), signal.SIGKILL)
    study.tell(trial, value)
"""


def tried(trial):
    """A hill whose top is at x = 1, higher for the kind "odd"."""
    x, kind = trial.suggest_float("x", -5, 5, log=False), trial.suggest_categorical("kind", ["plain", "odd"])
    return (kind == "odd") - (x - 1) ** 2


def searched(url, until, dies_in=-1):
    return subprocess.run([sys.executable, "-c", SEARCH, url, str(until), str(dies_in)], check=False).returncode


def values(study):
    return [(trial.params, trial.value) for trial in study.trials("COMPLETE")]


def test_a_killed_study_ends_as_one_that_was_not(tmp_path):
    whole, killed = (f"sqlite:///{tmp_path / name}.db" for name in ("whole", "killed"))
    assert searched(whole, 6) == 0
    for dies_in in (0, 4):
        assert searched(killed, 6, dies_in) == -signal.SIGKILL
        assert len(Study(killed, "one", PLAN).trials("RUNNING")) == 1
    assert searched(killed, 6) == 0
    one, other = Study(whole, "one", PLAN), Study(killed, "one", PLAN)
    assert values(one) == values(other)
    assert one.trials("COMPLETE")[0].params == TODAY
    assert (len(other.trials("FAIL")), len(other.trials("RUNNING"))) == (2, 0)
    assert other.default.params == TODAY
    assert len({tuple(trial.params.items()) for trial in one.trials("COMPLETE")}) == 6, "nothing is tried twice"
    assert one.best.value > one.default.value


def test_another_process_that_lives_keeps_its_trial(tmp_path):
    url = f"sqlite:///{tmp_path / 'one.db'}"
    study = Study(url, "one", PLAN)
    study.take_up(TODAY)
    trial = study.next()
    assert Study(url, "one", PLAN).take_up(TODAY) == 0
    study.tell(trial, tried(trial))
    assert study.default.value == study.best.value


def test_a_trial_behind_the_others_is_pruned_once_there_are_others(tmp_path):
    study = Study(f"sqlite:///{tmp_path / 'one.db'}", "one", PLAN)
    study.take_up(TODAY)
    for height in (0.5, 0.1, 0.6):
        _reported(study, height)
    with pytest.raises(Pruned):
        _reported(study, 0.4)
    assert (len(study.finished()), study.best.value) == (4, 0.6)


def test_without_a_pruner_everybody_comes_to_an_end(tmp_path):
    study = Study(f"sqlite:///{tmp_path / 'one.db'}", "one", Plan(3, 1, False, 1))
    study.take_up(TODAY)
    for height in (0.9, 0.8, 0.1):
        _reported(study, height)
    assert len(study.trials("COMPLETE")) == 3


def _reported(study, height):
    trial = study.next()
    tried(trial)
    try:
        study.report(trial, height, 1)
    except Pruned:
        study.tell(trial, is_pruned=True)
        raise
    study.tell(trial, height)


def test_importance_and_pictures_come_once_there_is_something_to_tell(tmp_path):
    study = Study(f"sqlite:///{tmp_path / 'one.db'}", "one", PLAN)
    study.take_up(TODAY)
    for _ in range(12):
        assert study.importance() == {} or len(study.trials("COMPLETE")) > 3
        trial = study.next()
        study.tell(trial, tried(trial))
    assert set(study.importance()) == {"x", "kind"}
    for picture in study.pictures(tmp_path):
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.glob("*.png")} == {"history.png", "importance.png"}


def test_what_is_kept_is_there_in_the_next_process(tmp_path):
    url = f"sqlite:///{tmp_path / 'one.db'}"
    Study(url, "one", PLAN).keep("said", "0120" * 3_000)
    assert Study(url, "one", PLAN).kept("said") == "0120" * 3_000
    assert Study(url, "other", PLAN).kept("said") is None


def test_postgresql_is_a_studys_home_too():
    server = PostgreSQL()
    try:
        url = server.url("mlflow")
        assert searched(url, 6, 3) == -signal.SIGKILL
        assert searched(url, 6) == 0
        study = Study(url, "one", PLAN)
        study.keep("said", "012" * 10_000)
        assert (len(values(study)), len(study.trials("FAIL")), study.kept("said")) == (6, 1, "012" * 10_000)
        wrong = url.replace(server.passwords["mlflow"], "another-secret")
        with pytest.raises(StudyError, match="is the database up") as refused:
            Study(wrong, "one", PLAN)
        assert "another-secret" not in str(refused.value)
    finally:
        server.stop()
