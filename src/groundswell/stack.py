"""The embedded stack: Airflow, MLflow, the simulated platforms and serving as local processes on loopback, on SQLite or PostgreSQL and files.

`services` says what they are, `up` starts what does not run yet and waits until all are well, `down` stops them all. All state
is under ``settings.root``; ports are settings.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr

from groundswell import processes
from groundswell.airflow_api import Airflow
from groundswell.errors import StackError
from groundswell.files import replacing
from groundswell.params import Params
from groundswell.processes import Service
from groundswell.schema import registered_model
from groundswell.settings import Settings
from groundswell.simulator.server import settings_for

_HEALTHY_WITHIN_SECONDS = 240
_ADMIN = "admin"
_SECRETS = (
    *("airflow_password", "pseudonym_key", "pseudonym_keys_before", "verdict_key", "serving_key"),
    *("airflow_database_url", "mlflow_database_url", "tune_database_url"),
)
"""Settings that are handed on only to who needs them."""
_AIRFLOW_PARTS = {"airflow-api-server": "metadatabase", "airflow-scheduler": "scheduler", "airflow-dag-processor": "dag_processor"}
"""Our service → its name in Airflow's own health report."""


def settings_of_the_stack(settings: Settings) -> Settings:
    """``settings`` as every process of the stack sees them: absolute folders, its own servers' addresses."""
    simulator = f"http://127.0.0.1:{settings.simulator_port}"
    return settings.model_copy(
        update={
            "project": settings.project.resolve(),
            "is_demo": True,
            **_simulated_platforms(simulator),
            "gdelt_pause_seconds": 0,
            "mlflow_uri": f"http://127.0.0.1:{settings.mlflow_port}",
            "airflow_url": f"http://127.0.0.1:{settings.airflow_port}",
            "serving_url": f"http://127.0.0.1:{settings.serving_port}",
        }
    )


def _simulated_platforms(simulator: str) -> dict[str, object]:
    """The platforms' settings: the simulator's addresses, and any word for a credential, because the real ones stay away from the stack."""
    return {name: Settings.model_fields[name].annotation(value) for name, value in settings_for(simulator).items()}


def environment(settings: Settings, topic: str) -> dict[str, str]:
    """What every process of the stack finds in its environment; ``settings`` are `settings_of_the_stack`'s."""
    secret = _secrets(settings)
    fields = {name: getattr(settings, name) for name in type(settings).model_fields if name not in _SECRETS}
    ours = {f"GROUNDSWELL_{name.upper()}": _as_text(value) for name, value in fields.items() if _as_text(value)}
    return {
        **ours,
        "GROUNDSWELL_TOPIC": topic,
        "GROUNDSWELL_SERVING_WEBHOOK_SECRET": secret["webhook"],
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "GX_ANALYTICS_ENABLED": "False",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **airflow_environment(settings, secret),
    }


def airflow_environment(settings: Settings, secret: dict[str, str]) -> dict[str, str]:
    """Airflow on its database and local processes: loopback only, quick hand-overs, no examples. See docs/dags.md for why each is here."""
    home = settings.root / "airflow"
    database = settings.airflow_database_url.get_secret_value()
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.project / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.project / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{settings.airflow_url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": secret["fernet"],
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": settings.airflow_url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secret["airflow"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database or f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "AIRFLOW__SCHEDULER__USE_ROW_LEVEL_LOCKING": str(bool(database)),  # SQLite has none
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "NO_COLOR": "1",
    }


def services(settings: Settings, topic: str) -> list[Service]:
    """The stack's servers, in the order in which a person would name them."""
    python, secret = sys.executable, _secrets(settings)
    mlflow = settings.root / "mlflow"
    return [
        Service(
            "simulator",
            [python, "-m", "groundswell.simulator"],
            {"GROUNDSWELL_SIMULATOR_PORT": settings.simulator_port},
            f"http://127.0.0.1:{settings.simulator_port}/healthz",
        ),
        Service(
            "mlflow",
            [
                *(python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(settings.mlflow_port), "--workers", "1"),
                *("--artifacts-destination", str(mlflow / "artifacts"), "--serve-artifacts"),
            ],
            {"GROUNDSWELL_MLFLOW_PORT": settings.mlflow_port},
            f"{settings.mlflow_uri}/health",
            {
                # Not on the command line, which every user of the machine can read: it may hold a password.
                "MLFLOW_BACKEND_STORE_URI": settings.mlflow_database_url.get_secret_value() or f"sqlite:///{mlflow / 'mlflow.db'}",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{settings.mlflow_port},localhost:{settings.mlflow_port}",
                "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https,http",
                "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
                "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": secret["fernet"],
            },
            page=settings.mlflow_uri,
        ),
        Service(
            "serving",
            [str(settings.serving_interpreter), "-m", "serving.main"],
            {"GROUNDSWELL_SERVING_PORT": settings.serving_port},
            f"{settings.serving_url}/healthz",
            {"GROUNDSWELL_SERVING_AUTH": "off"},  # this stack is the demo, and on loopback: docs/security.md
            page=settings.serving_url,
        ),
        *(
            Service(
                f"airflow-{part}",
                [python, "-m", "airflow", part, *options],
                ports,
                f"{settings.airflow_url}/api/v2/monitor/health",
                page=settings.airflow_url if part == "api-server" else "",
            )
            for part, options, ports in (
                ("api-server", [], {"GROUNDSWELL_AIRFLOW_PORT": settings.airflow_port}),
                ("scheduler", ["--skip-serve-logs"], {}),  # its log server listens on every interface, and everybody here reads the same disk
                ("dag-processor", [], {}),
            )
        ),
    ]


def up(settings: Settings, params: Params, *, say=lambda line: None) -> dict[str, float]:
    """Start what does not run of the stack, wait until every server is well; returns the seconds each took.

    Whatever fails, nothing that was started here is left running; what ran before goes on.
    """
    settings = settings_of_the_stack(settings)
    topic, _ = params.topic_named(None)
    run, log = folders(settings)
    wanted = services(settings, topic)
    processes.require_free(wanted, run)
    _lay_out(settings)
    shared = environment(settings, topic)
    _migrate_airflow(settings, shared)
    before, gives_up = running(settings), threading.Event()
    try:
        for service in wanted:
            whole = Service(**{**service.__dict__, "environment": {**shared, **service.environment}})
            processes.start(whole, folder=settings.project, run=run, log=log)
        with ThreadPoolExecutor(len(wanted)) as pool:
            try:
                waits = [pool.submit(_wait, service, run, log, say, gives_up) for service in wanted]
                seconds = {service.name: wait.result() for service, wait in zip(wanted, waits, strict=True)}
            except BaseException:
                gives_up.set()
                raise
        _subscribe_serving(settings, topic)
    except BaseException:
        down(settings, spare=before, say=say)
        raise
    return seconds


def running(settings: Settings) -> list[str]:
    """The names of the stack's processes that run."""
    run, _ = folders(settings)
    return [name for name in processes.names(run) if processes.alive(name, run)]


def down(settings: Settings, *, spare: Sequence[str] = (), say=lambda line: None) -> list[str]:
    """Stop every process of the stack but those named in ``spare``, with all their children; returns their names."""
    run, _ = folders(settings)
    stopped = [name for name in processes.names(run) if name not in spare]
    with ThreadPoolExecutor(max(1, len(stopped))) as pool:
        list(pool.map(lambda name: processes.stop(name, run), stopped))
    for name in stopped:
        say(f"stopped {name}")
    return stopped


def folders(settings: Settings) -> tuple[Path, Path]:
    """Where the stack's process files and logs are."""
    return settings.root / "run", settings.root / "log"


def admin_password(settings: Settings) -> tuple[str, str]:
    """The embedded Airflow's user and password."""
    return _ADMIN, _secrets(settings)["password"]


def airflow_of(settings: Settings) -> Airflow:
    """A session with the Airflow that ``settings`` name: another one with its user's password, else the embedded one."""
    if password := settings.airflow_password.get_secret_value():
        return Airflow(settings.airflow_url, settings.airflow_user, password)
    return Airflow(settings_of_the_stack(settings).airflow_url, *admin_password(settings))


def _wait(service: Service, run: Path, log: Path, say, gives_up: threading.Event) -> float:
    seconds = processes.wait_until(
        lambda: _is_well(service),
        seconds=_HEALTHY_WITHIN_SECONDS,
        what=f"{service.name} ({log / service.name}.log)",
        alive_check=lambda: not gives_up.is_set() and processes.alive(service.name, run) is not None,
    )
    say(f"{service.name} is up after {seconds:.0f} s" + (f": {service.page}" if service.page else ""))
    return round(seconds, 1)


def _is_well(service: Service) -> bool:
    try:
        with urllib.request.urlopen(service.health_url, timeout=5) as answer:  # noqa: S310 - our own loopback address
            body = answer.read()
    except OSError:
        return False
    part = _AIRFLOW_PARTS.get(service.name)
    return part is None or json.loads(body)[part]["status"] == "healthy"


def _lay_out(settings: Settings) -> None:
    for name in ("airflow", "mlflow", "lake", "reports"):
        (settings.root / name).mkdir(parents=True, exist_ok=True)
    user, password = admin_password(settings)
    _write_for_owner(settings.root / "airflow" / "passwords.json", {user: password})


def _migrate_airflow(settings: Settings, shared: dict[str, str]) -> None:
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(command, cwd=settings.project, env={**os.environ, **shared}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"airflow db migrate failed: {done.stderr.strip().splitlines()[-1:]}")


def _secrets(settings: Settings) -> dict[str, str]:
    """Secrets of this stack alone, made once and readable by their owner only."""
    path = settings.root / "run" / "secrets"
    if not path.exists():
        from cryptography.fernet import Fernet

        made = {name: secrets.token_hex(48) for name in ("airflow", "jwt", "webhook")}
        made |= {"fernet": Fernet.generate_key().decode(), "password": secrets.token_urlsafe(9)}
        _write_for_owner(path, made)
    return json.loads(path.read_text())


def _write_for_owner(path: Path, value: dict) -> None:
    """``value`` as JSON that nobody but its owner may read, at no moment."""
    with replacing(path) as beside, open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(value))


def _subscribe_serving(settings: Settings, topic: str) -> None:
    """Have MLflow tell serving when the champion alias moves; here, because serving starts before MLflow is up. It polls all the same."""
    from serving.registry import MlflowRegistry

    registry = MlflowRegistry(settings.mlflow_uri, registered_model(topic))
    registry.ensure_webhook(f"{settings.serving_url}/hooks/mlflow", _secrets(settings)["webhook"])


def _as_text(value) -> str:
    value = value.get_secret_value() if isinstance(value, SecretStr) else value
    return str(value).lower() if isinstance(value, bool) else str(value)
