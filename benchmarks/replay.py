"""The whole loop on real tweets, as their days passed: history, two fortnights' ends, two retrainings, one judged against the other.

Reads ``../shared/data/tweets/tweets.csv`` (47,610 dated tweets) and, for the leak, ``../shared/data/games``. Works in a copy of the
project under ``var/bench/replay`` with its own ports and the embedded stack: real Airflow, MLflow, DVC and serving. Takes about an
hour on two quiet cores, nearly all of it training. ``--share 0.05`` tries it on a part of the tweets and writes no results.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from harness import PROJECT, Measure, finish, shared, table

sys.path.insert(0, str(PROJECT))

TOPIC = "tweets"
HISTORY = "2011-07-12..2015-08-21"
FIRST = ("2015-08-22", "2015-09-04")
SECOND = ("2015-09-05", "2015-09-09")
EPOCHS = 2
"""What TweetEval's train split wanted of this encoder; more of them cost time and win nothing."""

_HOUR = 3600
_SERVED = 1_000
_BATCH = 100


class Replay:
    """A copy of the project whose only topic is the tweets, and what is done there."""

    def __init__(self, corpus: Path):
        from groundswell.params import load_params
        from tests.e2e.project import Project

        folder = PROJECT / "var" / "bench" / "replay"
        shutil.rmtree(folder, ignore_errors=True)
        self.corpus = corpus
        self.project = Project(folder)
        os.environ.update(self.project.environment)
        self._set_params(folder / "params.yaml")
        self.project.params = load_params(self.project.settings)
        self.settings = self.project.settings
        self.seconds: dict[str, float] = {}

    def _set_params(self, path: Path) -> None:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        columns = {"post_id": "post_id", "created_at": "created_at", "text": "text", "label": "label"}
        replay = {"path": str(self.corpus), "columns": columns, "label_provenance": "human"}
        params |= {"topic": TOPIC, "topics": {TOPIC: {"replay": replay}}}
        params["validate"]["rows_due"] = {}
        params["train"]["epochs"] = EPOCHS
        path.write_text(yaml.safe_dump(params), encoding="utf-8")
        identity = ["-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.invalid"]
        subprocess.run(["git", *identity, "commit", "-qam", "The tweets' own params"], cwd=path.parent, check=True)

    def timed(self, name: str, work, *arguments):
        say(f"{name} …")
        begun = time.monotonic()
        found = work(*arguments)
        self.seconds[name] = round(time.monotonic() - begun, 1)
        say(f"{name}: {self.seconds[name]:.0f} s")
        return found

    def collect_history(self) -> None:
        """Everything before the stream, by the stages themselves: one call for all windows, empty ones included."""
        for words in (["collect", "--source", "replay"], ["validate"]):
            done = self.project.command(*words, "--topic", TOPIC, "--window", HISTORY, seconds=_HOUR, GROUNDSWELL_IS_DEMO="true")
            if done.returncode:
                raise SystemExit(f"{words[0]} of {HISTORY} failed: {done.stderr[-2000:]}")

    def start(self) -> None:
        from groundswell import stack
        from groundswell.demo import make_ready

        stack.up(self.settings, self.project.params, say=say)
        self.airflow = make_ready(self.settings, self.project.params)

    def backfill(self, first: str, last: str, reprocess: str = "none") -> None:
        """Airflow's own command, two windows at a time, until every run has ended well."""
        command = ["backfill", "create", "--dag-id", "collect", "--from-date", first, "--to-date", last]
        command += ["--max-active-runs", "2", "--reprocess-behavior", reprocess]
        started = datetime.now(UTC)
        self._airflow_command(command)
        runs = self.airflow.wait_for_backfill({"dag_id": "collect", "created_at": started.isoformat()}, seconds=_HOUR)
        failed = [run["partition_key"] for run in runs if run["state"] != "success"]
        days = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).days + 1
        if failed or len(runs) != days:
            raise SystemExit(f"backfill {first}..{last}: {len(runs)} runs of {days}, failed: {failed}")

    def _airflow_command(self, command: list[str]) -> None:
        """Airflow closes a backfill up to 30 s after its last run, and refuses another one until then."""
        for _ in range(12):
            done = self.project.tool("airflow", *command)
            if not done.returncode:
                return
            time.sleep(5)
        raise SystemExit(f"airflow {' '.join(command)} failed: {done.stderr[-2000:]}")

    def retrain(self, first: str, last: str) -> dict:
        """One run of `retrain`, approved as the demo's user does; the verdict and the measures on its test rows."""
        run_id = self.airflow.trigger("retrain", conf={"topic": TOPIC, "window": f"{first}..{last}"})
        seen: dict[str, str] = {}

        def watch(_run: dict) -> None:
            for task in self.airflow.tasks("retrain", run_id):
                if task["state"] in ("running", "success", "failed") and seen.get(task["task_id"]) != task["state"]:
                    seen[task["task_id"]] = task["state"]
                    say(f"  {task['task_id']} {task['state']}")
            for question in self.airflow.questions("retrain", run_id):
                self.airflow.answer(question, "Approve")

        run = self.airflow.wait_for_run("retrain", run_id, seconds=4 * _HOUR, say=watch, every=3)
        if run["state"] != "success":
            raise SystemExit(f"retrain failed: {seen}; logs are below {self.settings.root / 'airflow' / 'logs'}")
        return {stage: json.loads(self.settings.report(stage, TOPIC).read_text()) for stage in ("prepare", "evaluate", "judge")}

    def lake(self) -> dict[str, str]:
        """Every file of the lake with its sha256."""
        from groundswell.files import sha256_of

        return {path.relative_to(self.settings.lake).as_posix(): sha256_of(path) for path in sorted(self.settings.lake.rglob("*.parquet"))}

    def rows_astray(self) -> int:
        """Rows by which days of the stream differ: the corpus's own, and the lake's with the repeats that `collect` counted."""
        from groundswell.lake import Lake

        rows, days = Counter(), set(days_of(FIRST[0], SECOND[1]))
        for partition in Lake(self.settings.lake).partitions("raw", topic=TOPIC):
            report = self.settings.report("collect", TOPIC, "replay", partition.window.key)
            rows[partition.window.key] = json.loads(report.read_text())["rows"] + json.loads(report.read_text())["dropped"].get("duplicate_id", 0)
        with open(self.corpus, encoding="utf-8", newline="") as file:
            corpus = Counter(row["created_at"][:10] for row in csv.DictReader(file))
        return sum(abs(corpus[day] - rows[day]) for day in days)

    def served(self) -> tuple[int, float]:
        """Of 1,000 posts, the answers with the offline predictor's label, and the largest difference of a probability."""
        import numpy as np

        from groundswell import registry
        from groundswell.http import Http
        from groundswell.predictor import Predictor

        with open(self.corpus, encoding="utf-8", newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file)][-_SERVED:]
        with Http() as http:
            answers = [
                http.post(f"{self.settings.serving_url}/v1/predict", {"texts": texts[start : start + _BATCH]})
                for start in range(0, len(texts), _BATCH)
            ]
        version = answers[0]["version"]
        offline = Predictor.load(registry.download_export(self.settings, TOPIC, version, self.settings.root / "offline"))
        expected = offline.predict(texts)
        said = [prediction for answer in answers for prediction in answer["predictions"]]
        found = np.array([[one["probabilities"][label] for label in offline.labels] for one in said])
        same = sum(one["label"] == offline.labels[place] for one, place in zip(said, expected.argmax(axis=1), strict=True))
        return same, float(np.abs(found - expected).max())


def measures_of(replay: Replay, first: dict, second: dict, unchanged: int, changed: int, astray: int, served: tuple[int, float]) -> list[Measure]:
    found = [
        Measure("rows by which a day in the lake differs from the corpus's", astray, "rows", floor=0, lower_is_better=True),
        Measure("lake files changed by the backfill run again", changed, f"of {unchanged + changed}", floor=0, lower_is_better=True),
        Measure("served labels equal to the offline predictor's", served[0], f"of {_SERVED:,}", floor=_SERVED),
        Measure("largest difference of a served probability", served[1], "", floor=1e-3, aim=1e-6, lower_is_better=True),
    ]
    for name, reports in (("first", first), ("second", second)):
        measured, verdict = reports["evaluate"], reports["judge"]
        rows = f"{measured['model']['rows']:,} rows" if "rows" in measured["model"] else "rows"
        for measure in ("macro_f1", "macro_recall"):
            bounds = measured["model"]["intervals"].get(measure, {})
            own, floor = measured["model"][measure], measured["baseline"][measure]
            found += [
                Measure(f"{name} challenger: {measure}", own, rows, floor=floor),
                *(
                    Measure(f"{name} challenger: {measure}, {bound} end of the 95 % interval", bounds[bound])
                    for bound in sorted(bounds, reverse=True)
                ),
                Measure(f"{name} baseline on the same rows: {measure}", floor, rows),
            ]
        found.append(
            Measure(f"{name} verdict is PROMOTE", int(verdict["verdict"] == "PROMOTE"), verdict["verdict"], floor=1 if name == "first" else None)
        )
        leaks = reports["prepare"]["leaks"]
        found.append(Measure(f"{name} data set: rows leaked", sum(leaks["this_split"]["leaked"].values()), "rows", floor=0, lower_is_better=True))
    versus = second["judge"]["difference_to_champion"] or {}
    found += [Measure(f"second against first, macro-F1: {key}", value) for key, value in versus.items()]
    return found + [Measure(f"time: {name}", value, "s") for name, value in replay.seconds.items()]


def days_of(first: str, last: str) -> list[str]:
    start, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    return [(start + timedelta(days=number)).date().isoformat() for number in range((end - start).days + 1)]


def part_of(corpus: Path, share: float, out: Path) -> Path:
    """A steady ``share`` of the corpus's rows."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with open(corpus, encoding="utf-8", newline="") as source, open(out, "w", encoding="utf-8", newline="") as target:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(target, rows.fieldnames)
        writer.writeheader()
        writer.writerows(row for row in rows if zlib.crc32(row["post_id"].encode()) < share * 2**32)
    return out


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(corpus: Path) -> list[Measure]:
    from groundswell import stack

    replay = Replay(corpus)
    try:
        replay.timed("history", replay.collect_history)
        replay.timed("start", replay.start)
        replay.timed("backfill of 14 days", replay.backfill, *FIRST)
        before = replay.lake()
        replay.timed("the same again", replay.backfill, *FIRST, "completed")
        after = replay.lake()
        first = replay.timed("first retrain", replay.retrain, *FIRST)
        replay.timed("backfill of 5 days", replay.backfill, *SECOND)
        second = replay.timed("second retrain", replay.retrain, *SECOND)
        served = replay.timed("served answers", replay.served)
        changed = sum(before.get(name) != after.get(name) for name in before.keys() | after.keys())
        return measures_of(replay, first, second, len(before.keys() | after.keys()) - changed, changed, replay.rows_astray(), served)
    finally:
        stack.down(replay.settings)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the tweets; less than all writes no results")
    share = parser.parse_args().share
    corpus, games = shared("tweets", "tweets.csv"), shared("games", "twitter_training.csv")
    if share < 1:
        print(table(run(part_of(corpus, share, PROJECT / "var" / "bench" / "part.csv"))))
        return 0
    import leaks

    measures = run(corpus)
    say("the leak in the published game tweets …")
    validation = shared("games", "twitter_validation.csv")
    measures += [*leaks.found(games, validation), *leaks.flattery(leaks.rows_with_text(games), leaks.rows_with_text(validation))]
    return finish("replay", measures)


if __name__ == "__main__":
    sys.exit(main())
