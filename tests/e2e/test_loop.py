"""The whole loop against real Airflow, MLflow, DVC and the real serving process: `groundswell demo`, and what is left after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
import yaml

from groundswell import demo, stack
from groundswell.airflow_api import ENDED
from groundswell.files import sha256_of
from groundswell.http import Http
from groundswell.lake import Lake
from groundswell.status import champion, windows
from tests.e2e.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
TOPIC = "games"


def processes_of(project) -> list[str]:
    """Command lines of processes that still run in the project's folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        try:
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(project.folder):
                found.append(" ".join(process.info["cmdline"] or []))
        except (psutil.Error, OSError):
            continue
    return found


def report_of(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def hashes(project, layer: str) -> dict[str, str]:
    lake = Lake(project.settings.lake)
    return {partition.key: lake.sha256(partition) for partition in lake.partitions(layer)}


class TestTheDemo:
    def test_it_reports_what_it_did(self, demonstrated):
        report = json.loads((demonstrated.settings.root / "demo.json").read_text())
        assert report["days"] == 14
        assert report["verdict"] == "PROMOTE"
        assert report["model_version"] == "1"
        assert report["rows"] == sum(sum(rows.values()) for rows in windows(demonstrated.settings, TOPIC).values()) > 3000
        assert [answer["text"] for answer in report["answers"]] == list(demo.POSTS)
        assert {"start", "collect", "retrain", "answer", "total"} <= set(report["seconds"])
        assert 0.3e9 < report["peak_pss_bytes"] < report["peak_rss_bytes"] < 6e9

    def test_it_shows_progress_and_where_to_look(self, demonstrated):
        said = demonstrated.demo_output.stderr
        assert "collect: 14 of 14 windows" in said
        assert "The demo says yes by itself" in said
        assert "retrain: verify success" in said
        assert "where to look" in demonstrated.demo_output.stdout

    def test_it_leaves_no_process(self, demonstrated):
        assert processes_of(demonstrated) == []

    def test_every_window_of_every_source_is_in_the_lake(self, demonstrated):
        expected = {f"{source}/{TOPIC}/2026-{day}" for source in ("hackernews", "replay", "steam") for day in
                    [f"10-{number}" for number in range(19, 32)] + ["11-01"]}  # fmt: skip
        for layer in ("raw", "valid"):
            assert set(hashes(demonstrated, layer)) == expected

    def test_no_author_of_a_platform_is_in_the_lake(self, demonstrated):
        """The simulator's names must not be anywhere in what was written."""
        corpus = (demonstrated.folder / "var/simulator/corpus.csv").read_text(encoding="utf-8").splitlines()
        column = corpus[0].split(",").index("user")
        names = {line.split(",")[column] for line in corpus[1:200] if line.count(",") >= column}
        lake = Lake(demonstrated.settings.lake)
        written = {author for partition in lake.partitions("raw", source="replay") for author in lake.read(partition)["author"].to_pylist()}
        assert len(names) > 20
        assert not names & written

    def test_the_ledger_names_the_person(self, demonstrated):
        entry = champion(demonstrated.settings, TOPIC)
        assert (entry["from"], entry["to"], entry["by"]) == (None, "1", "admin")

    def test_lineage_leads_back_to_the_windows(self, demonstrated):
        found = report_of(demonstrated.command("lineage", "1"))
        assert found["dataset_md5"] == dataset_md5(demonstrated)
        assert json.dumps(found).count("2026-10-25") >= 1
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=demonstrated.folder, capture_output=True, text=True, check=True).stdout.strip()
        assert found["git_commit"] == commit

    def test_checkout_restores_the_exact_data_set(self, demonstrated):
        dataset = demonstrated.settings.dataset(TOPIC)
        before = sha256_of(dataset / "train.parquet")
        (dataset / "train.parquet").write_bytes(b"gone")
        report_of(demonstrated.command("checkout", "1"))
        assert sha256_of(dataset / "train.parquet") == before

    def test_dvc_repro_gives_the_same_data_set(self, demonstrated):
        before = dataset_md5(demonstrated)
        done = demonstrated.tool("dvc", "repro", "--force", "--single-item", "prepare")
        assert done.returncode == 0, done.stderr[-2000:]
        assert dataset_md5(demonstrated) == before

    def test_nothing_to_roll_back_to_is_said(self, demonstrated):
        done = demonstrated.command("rollback", "--by", "test")
        assert done.returncode == 1
        assert "groundswell: " in done.stderr
        assert "Traceback" not in done.stderr


def dataset_md5(project) -> str:
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text())
    return lock["stages"]["prepare"]["outs"][0]["md5"]


class TestAfterwards:
    def test_a_second_demo_has_nothing_to_collect_or_train(self, running):
        said: list[str] = []
        airflow = running.airflow()
        demo.collect_windows(airflow, running.settings, running.params, demo.WINDOWS, said.append)
        demo.retrain(airflow, running.settings, TOPIC, demo.WINDOWS, said.append)
        assert "in the lake already" in said[0]
        assert "has a champion already" in said[1]

    def test_status_shows_it_all(self, running):
        said = running.command("status").stdout
        assert "airflow-scheduler" in said
        assert "version 1" in said
        assert "2026-10-19" in said

    def test_a_window_run_again_by_airflows_own_command_changes_no_byte(self, running):
        before = {layer: hashes(running, layer) for layer in ("raw", "valid", "labels")}
        airflow = running.airflow()
        words = "backfill create --dag-id collect --from-date 2026-10-20 --to-date 2026-10-21 --max-active-runs 2 --reprocess-behavior completed"
        runs_before = {run["dag_run_id"] for run in airflow.runs("collect")}
        done = running.tool("airflow", *words.split())
        assert done.returncode == 0, done.stderr[-2000:]

        def ended():
            runs = [run for run in airflow.runs("collect") if run["dag_run_id"] not in runs_before]
            return len(runs) == 2 and all(run["state"] in ENDED for run in runs) and runs

        again = wait_for(ended, 240)
        assert {run["state"] for run in again} == {"success"}
        assert {layer: hashes(running, layer) for layer in before} == before

    def test_the_tasks_link_to_run_and_pages(self, running):
        airflow = running.airflow()
        [run] = [run for run in airflow.runs("retrain", run_type="manual") if run["state"] == "success"]
        assert running.settings.mlflow_uri in airflow.links("retrain", run["dag_run_id"], "train")["MLflow run"]
        collected = airflow.runs("collect", state="success")[0]["dag_run_id"]
        assert airflow.links("collect", collected, "topic.validate", map_index=0)["Validation page"].endswith(".html")

    def test_the_pages_show_it(self, running, page):
        """Airflow's task with its link, the MLflow run behind it, the drift report, the endpoint's form: opened as a person would."""
        airflow, settings = running.airflow(), running.settings
        user, password = stack.admin_password(settings)
        page.goto(f"{settings.airflow_url}/auth/login")
        page.fill("input[name=username]", user)
        page.fill("input[type=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/auth/login" not in url)
        [run] = [run["dag_run_id"] for run in airflow.runs("retrain", run_type="manual") if run["state"] == "success"]
        page.goto(f"{settings.airflow_url}/dags/retrain/runs/{quote(run)}/tasks/train/details")
        page.wait_for_selector("text=MLflow run", timeout=60_000)
        page.goto(airflow.links("retrain", run, "train")["MLflow run"])
        page.wait_for_selector("text=groundswell-sentiment-games", timeout=60_000)
        [monitored] = [run["dag_run_id"] for run in airflow.runs("monitor") if run["partition_key"] == "2026-11-01"]
        page.goto(airflow.links("monitor", monitored, "topic.monitor", map_index=0)["Drift report"])
        page.wait_for_selector("text=no drift", timeout=60_000)
        page.goto(settings.serving_url)
        page.click("text=Ask")
        page.wait_for_selector("text=positive", timeout=30_000)

    def test_the_posts_event_names_partition_rows_and_hashes(self, running):
        event = running.airflow().events("posts")[0]
        text = json.dumps(event)
        assert "2026-" in text
        assert "sha256" in text
        assert "rows" in text

    def test_serving_answers_as_the_offline_predictor_does(self, running):
        from groundswell.predictor import Predictor

        texts = ["Love it ❤️", "worst patch ever", "servers restart at nine", "", "😡", "مرحبا", "x" * 2_000, "a\x00b"]
        with Http() as http:
            answer = http.post(f"{running.settings.serving_url}/v1/predict", {"texts": texts})
        expected = Predictor.load(running.settings.model(TOPIC) / "export").predict(texts)
        labels = ["negative", "neutral", "positive"]
        said = [[prediction["probabilities"][label] for label in labels] for prediction in answer["predictions"]]
        assert said == expected.tolist(), "to the last bit"

    def test_serving_outlives_the_registry(self, running):
        from groundswell import processes

        run, _ = stack.folders(running.settings)
        processes.stop("mlflow", run)
        with Http() as http:
            assert http.post(f"{running.settings.serving_url}/v1/predict", {"texts": ["fine"]})["version"] == "1"
        promote = running.command("promote", "--by", "test", GROUNDSWELL_MLFLOW_URI=running.settings.mlflow_uri, GROUNDSWELL_IS_DEMO="true")
        assert promote.returncode == 1
        assert "Traceback" not in promote.stderr
        again = running.command("up", seconds=300)
        assert again.returncode == 0, again.stderr[-2000:]

    def test_a_stage_killed_in_the_middle_ends_in_the_same_bytes(self, running):
        before = hashes(running, "valid")
        environment = running.stack_environment()
        for seconds in (0.3, 0.8, 1.3):
            process = subprocess.Popen(
                [sys.executable, "-m", "groundswell.cli", "validate", "--window", "2026-10-22"],
                cwd=running.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert hashes(running, "valid") == before
        done = subprocess.run(
            [sys.executable, "-m", "groundswell.cli", "validate", "--window", "2026-10-22"], cwd=running.folder, env=environment, check=False
        )
        assert done.returncode == 0
        assert hashes(running, "valid") == before

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (["collect", "--source", "steem", "--window", "2026-10-20"], 2, "did you mean 'steam'"),
            (["collect", "--source", "steam", "--topic", "gamez", "--window", "2026-10-20"], 2, "did you mean 'games'"),
            (["collect", "--source", "steam", "--window", "2999-01-01"], 2, "after now"),
            (["collect", "--source", "steam", "--window", "2026-10-21..2026-10-20"], 2, "ends before it starts"),
            (["coverage", "--require", "--window", "2026-10-01..2026-10-20"], 1, "2026-10-01"),
        ],
    )
    def test_bad_input_gets_one_sentence(self, running, words, code, message):
        done = running.command(*words, GROUNDSWELL_IS_DEMO="true")
        assert (done.returncode, message in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr


class TestTheWayOut:
    def test_ctrl_c_leaves_no_process(self, tmp_path):
        project = Project(tmp_path / "project")
        process = subprocess.Popen(
            [sys.executable, "-m", "groundswell.cli", "demo"],
            cwd=project.folder,
            env={**os.environ, **project.environment},
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell starts a job in the background
        )
        wait_for(lambda: len(processes_of(project)) > 4, 60)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode != 0
        assert processes_of(project) == []


def wait_for(look, seconds: float):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.5)
    return found
