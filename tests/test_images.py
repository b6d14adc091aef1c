"""The images of MLflow and of Airflow, built and run as compose would, on a real PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import ExitStack

import httpx2
import pytest

from groundswell.airflow_api import Airflow
from tests.containers import PROJECT, built, ended, environment_of, run, running
from tests.postgresql import PostgreSQL
from tests.serving.servers import free_port
from tests.simulated import platforms

pytestmark = [pytest.mark.slow, pytest.mark.container, pytest.mark.timeout(3600)]
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
VOLUMES = {"groundswell-test-project": "/project", "groundswell-test-keys": "/keys"}


@pytest.fixture(scope="module")
def postgresql():
    server = PostgreSQL()
    yield server
    server.stop()


@pytest.fixture
def secrets(tmp_path, postgresql):
    """The folder that `make secrets` makes, with this PostgreSQL's addresses in it."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "secrets.sh").write_bytes((PROJECT / "deploy" / "secrets.sh").read_bytes())
    subprocess.run(["sh", tmp_path / "deploy" / "secrets.sh"], check=True, stdout=subprocess.DEVNULL)
    folder = tmp_path / "secrets"
    for name in ("airflow", "mlflow"):
        (folder / f"{name}_database_url").unlink()
        (folder / f"{name}_database_url").write_text(postgresql.url(name))
    folder.chmod(0o755)  # here the folder itself is mounted, where compose mounts its files
    return folder


def wait_for(look, seconds: float, what):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, what()[-3000:]
        time.sleep(1)
    return found


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


def test_mlflow_keeps_its_runs_in_postgresql(postgresql, secrets, monkeypatch):
    image = built("mlflow/Dockerfile", "groundswell-mlflow:test")
    port = free_port()
    targets = {"MLFLOW_BACKEND_STORE_URI": "mlflow_database_url", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "mlflow_webhook_key"}
    for target, source in targets.items():
        (secrets / source).rename(secrets / target)
    environment = environment_of("mlflow", MLFLOW_SERVER_ALLOWED_HOSTS=f"127.0.0.1:{port}")
    words = ("--host", "127.0.0.1", "--port", str(port))
    with running(image, "groundswell-mlflow-test", environment, *words, secrets=secrets) as container:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"), 120, container.log)
        from mlflow import MlflowClient

        client = MlflowClient(f"http://127.0.0.1:{port}")
        made = client.create_run(client.create_experiment("in-a-container"))
        client.log_metric(made.info.run_id, "macro_f1", 0.5)
        client.log_dict(made.info.run_id, {"kept": True}, "report.json")
        webhook = client.create_webhook(name="w", url="http://127.0.0.1:9/hook", events=["model_version_alias.created"], secret="told-to-nobody")
        assert [each.path for each in client.list_artifacts(made.info.run_id)] == ["report.json"]
        assert postgresql.rows("mlflow", "select key, value from metrics") == [("macro_f1", 0.5)]
        [(kept,)] = postgresql.rows("mlflow", "select secret from webhooks")
        assert "told-to-nobody" not in kept
        assert container.is_well("mlflow", port)
        assert container.python("import os; print(os.getuid())").stdout.strip() == "10001"
        assert "Read-only file system" in container.python("open('/opt/x', 'w')").stderr
        assert not any(password in container.log() for password in postgresql.passwords.values())
        client.delete_webhook(webhook.webhook_id)


@pytest.fixture
def mounted():
    """Volumes that last from container to container, as compose's do; removed at the end."""
    run("podman", "volume", "rm", "-f", *VOLUMES, check=False)
    yield (*(f"--volume={name}:{folder}" for name, folder in VOLUMES.items()), "--add-host", "airflow-api-server:127.0.0.1")
    run("podman", "volume", "rm", "-f", *VOLUMES, check=False)


def test_airflow_runs_the_pipeline_on_postgresql(postgresql, secrets, mounted):
    find_links = "/wheels" if run("sh", "-c", 'test -d "${PIP_FIND_LINKS:-}"', check=False).returncode == 0 else ""
    torch = ("--build-arg", f"UV_OPTIONS=--find-links {find_links}") if find_links else ()
    image = built("deploy/airflow/Dockerfile", "groundswell-airflow:test", *torch)
    port = free_port()
    with platforms() as simulator, ExitStack() as stack:
        environment = environment_of(
            "airflow-scheduler",
            AIRFLOW__API__HOST="127.0.0.1",
            AIRFLOW__API__PORT=str(port),
            AIRFLOW__API__BASE_URL=f"http://127.0.0.1:{port}",
            AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"http://airflow-api-server:{port}/execution/",
            GROUNDSWELL_HACKERNEWS_URL=f"{simulator}/hackernews",
            GROUNDSWELL_ANNOTATOR_URL=f"{simulator}/annotations",
        )
        assert ended(image, environment, "version", secrets=secrets, options=mounted).stdout.split()[-1] == "3.3.2"
        for _ in range(2):  # it runs at each start of compose
            ended(image, environment, "init", secrets=secrets, options=mounted)
        slots = dict(postgresql.rows("airflow", "select pool, slots from slot_pool"))
        assert slots.items() >= {"heavy": 1, "seal": 1, "source_hackernews": 2}.items()
        containers = {}
        for part in PARTS:
            words = [part, "--skip-serve-logs"] if part in ("scheduler", "triggerer") else [part]
            started = running(image, f"groundswell-airflow-{part}-test", environment, *words, secrets=secrets, options=mounted)
            containers[part] = stack.enter_context(started)

        def logs() -> str:
            return "".join(f"\n--- {part}\n{container.log()[-1500:]}" for part, container in containers.items())

        wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/v2/monitor/health"), 180, logs)
        airflow = Airflow(f"http://127.0.0.1:{port}", "admin", (secrets / "airflow_admin_password").read_text())
        wait_for(lambda: set(airflow.health().values()) == {"healthy"} and len(airflow.health()) == 4, 180, logs)
        for part, container in containers.items():
            assert container.is_well(f"airflow-{part}", port), part
        airflow.wait_for_dags(["collect", "retrain", "monitor"], seconds=180)
        assert airflow.import_errors() == {}

        # A stage in the container: one source of one window, collected, annotated, validated.
        airflow.unpause("collect")
        run_id = airflow.trigger("collect", partition_key="2026-10-20", conf={"sources": ["hackernews"]})
        ran = airflow.wait_for_run("collect", run_id, seconds=300)
        states = {task["task_id"]: task["state"] for task in airflow.tasks("collect", run_id)}
        assert ran["state"] == "success", f"{states}{logs()}"
        assert states["topic.collect_hackernews"] == states["topic.validate"] == "success"
        scheduler = containers["scheduler"]
        look = "import pathlib; print(*pathlib.Path('/project/var/lake').rglob('*.parquet'))"
        assert "valid/" in scheduler.python(look).stdout
        assert scheduler.python("import os; print(os.getuid())").stdout.strip() == "10001"
        assert "Read-only file system" in scheduler.python("open('/app/x', 'w')").stderr
        commits = "import subprocess; print(subprocess.check_output(['git', 'rev-list', '--count', 'HEAD'], text=True))"
        assert scheduler.python(commits).stdout.strip() == "1"
        made = scheduler.run("groundswell", "keys", "create", "me").stdout.strip()
        listed = scheduler.run("groundswell", "keys", "list").stdout
        assert made.startswith("gsw_") and made not in listed
        assert [key["name"] for key in json.loads(listed)["keys"]] == ["pipeline", "me"]
        assert not any(password in logs() for password in postgresql.passwords.values())
