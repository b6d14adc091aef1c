"""The compose file says only what exists: its schema, its settings, files, secrets and images; and the secrets' maker makes just what it asks for."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from cryptography.fernet import Fernet
from jsonschema import Draft202012Validator

from groundswell import keys, stack
from groundswell.settings import DRIVER, Settings
from serving.config import ServingSettings

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent
FILE = PROJECT / "docker-compose.yml"
COMPOSE = yaml.safe_load(FILE.read_text())
SERVICES = COMPOSE["services"]
OWN = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILES = sorted({service["build"]["dockerfile"] for service in OWN.values()})
BY_SERVICE = pytest.mark.parametrize("name", SERVICES)
POSTGRES = {"POSTGRES_USER", "POSTGRES_PASSWORD_FILE", "POSTGRES_DB", "POSTGRES_INITDB_ARGS", "POSTGRES_HOST_AUTH_METHOD"}
"""Of the official image's documentation."""


def secret_targets(service: dict) -> dict[str, str]:
    """A service's secrets: the name of its file in /run/secrets → the secret."""
    pairs = [(each, each) if isinstance(each, str) else (each["target"], each["source"]) for each in service.get("secrets", [])]
    return dict(pairs)


@cache
def airflow_settings() -> dict[str, dict]:
    """Airflow's own description of its settings: name of the variable → option."""
    import airflow

    sections = yaml.safe_load((Path(airflow.__file__).parent / "config_templates" / "config.yml").read_text())
    return {f"AIRFLOW__{section}__{name}".upper(): option for section, body in sections.items() for name, option in body["options"].items()}


@cache
def mlflow_settings() -> set[str]:
    """The names of MLflow's own variables, and of those that its server takes for options."""
    from mlflow import cli, environment_variables

    names = {value.name for value in vars(environment_variables).values() if isinstance(value, environment_variables._EnvironmentVariable)}
    return names | {option.envvar for option in cli.server.params if option.envvar}


def ours() -> set[str]:
    return {f"GROUNDSWELL_{name.upper()}" for settings in (Settings, ServingSettings) for name in settings.model_fields}


def test_the_file_is_as_the_compose_specification_says():
    schema = get_builtin_schema("vendor.compose-spec")
    faults = [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in Draft202012Validator(schema).iter_errors(COMPOSE)]
    assert faults == []
    broken = json.loads(json.dumps(COMPOSE))
    broken["services"]["mlflow"]["helthcheck"] = {}
    assert list(Draft202012Validator(schema).iter_errors(broken)), "the schema would let everything pass"


def test_the_core_is_whole():
    airflow = {f"airflow-{part}" for part in ("init", "api-server", "scheduler", "dag-processor", "triggerer")}
    assert set(SERVICES) == {"postgres", "mlflow", "serving-a", "serving-b", "proxy"} | airflow


@BY_SERVICE
def test_every_setting_exists(name):
    airflow = airflow_settings()
    for variable in SERVICES[name].get("environment", {}):
        option = airflow.get(variable.removesuffix("_CMD"))
        if variable.startswith("GROUNDSWELL_"):
            assert variable in ours(), variable
        elif variable.startswith("MLFLOW_"):
            assert variable in mlflow_settings(), variable
        elif variable.startswith("POSTGRES_"):
            assert variable in POSTGRES, variable
        elif name == "proxy":
            assert f'"${{{variable}}}"' in (PROJECT / "deploy/proxy/haproxy.cfg").read_text(), variable
        else:
            assert option, variable
            assert not variable.endswith("_CMD") or option["sensitive"], f"{variable}: Airflow asks a command for secrets only"


def test_every_setting_of_the_embedded_airflow_exists_too(tmp_path):
    found = stack.airflow_environment(Settings(project=tmp_path), dict.fromkeys(("fernet", "airflow", "jwt"), "x"))
    assert {name for name in found if name.startswith("AIRFLOW__")} <= set(airflow_settings())


@BY_SERVICE
def test_no_secret_is_in_the_environment_and_every_secret_is_used(name):
    service = SERVICES[name]
    for variable, value in service.get("environment", {}).items():
        if re.search("SECRET|KEY|PASSWORD|CONN", variable):
            in_a_file = re.fullmatch(r"(cat )?/(run/secrets|tmp|keys)/\S+", value)
            assert in_a_file, f"{variable} holds a value"
            assert not value.startswith("cat /run/secrets/") or value.rpartition("/")[2] in secret_targets(service), value
    for target, secret in secret_targets(service).items():
        assert secret in COMPOSE["secrets"], secret
        assert not target.startswith("MLFLOW_") or target in mlflow_settings(), target
        readers = [FILE.read_text().split("\nsecrets:")[0], *(path.read_text() for path in (PROJECT / "deploy").rglob("*") if path.is_file())]
        is_read = f"/run/secrets/{target}" in "".join(readers) or target.upper() in ours() or target.startswith("MLFLOW_")
        assert is_read or target.endswith("_database_password"), f"nobody reads {target}"  # these by databases.sh, which composes the name


@BY_SERVICE
def test_a_service_is_hardened_bounded_and_on_loopback(name):
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert service.get("healthcheck", {}).get("test") or service["restart"] == "no"
    assert re.search(r":\d+\.\d+[^/]*$", service["image"]), "an image without an exact version"
    assert "build" in service or re.fullmatch(r"\d+:\d+", service["user"])


def test_what_is_named_is_there():
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (PROJECT / source).is_file(), volume
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= used


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_an_image_copies_what_is_there_and_runs_as_nobody_special(dockerfile):
    text = (PROJECT / dockerfile).read_text()
    assert "ARG BASE=docker.io/library/python:3.11-slim-bookworm\n" in text
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) <= {"${BASE}", "scratch"}
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert re.search(r"^VOLUME /\w+$", last, re.M)
    ignored = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        for source in line.split()[:-1]:
            assert list(PROJECT.glob(source)), source
            assert any(source.startswith(kept.removeprefix("!")) for kept in ignored if kept.startswith("!")), f"{source} does not reach the builder"


def test_what_an_image_starts_can_be_started():
    for script in ("deploy/airflow/start", "mlflow/start", "deploy/postgres/databases.sh", "deploy/secrets.sh"):
        assert (PROJECT / script).stat().st_mode & stat.S_IXUSR, script
        subprocess.run(["sh", "-n", script], cwd=PROJECT, check=True)


@pytest.mark.slow
class TestAsAToolReadsIt:
    """`podman-compose config`: variables filled in, anchors merged."""

    @pytest.fixture
    def folder(self, tmp_path):
        if shutil.which("podman") is None:
            pytest.skip("NO TOOL READ THE COMPOSE FILE: podman is not here")
        shutil.copy(FILE, tmp_path)
        (tmp_path / "deploy").mkdir()
        shutil.copy(PROJECT / "deploy" / "secrets.sh", tmp_path / "deploy")
        return tmp_path

    def config(self, folder: Path) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GROUNDSWELL_")}
        command = [sys.executable, "-m", "podman_compose", "config"]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    def test_without_secrets_nothing_starts_and_it_says_what_to_do(self, folder):
        done = self.config(folder)
        assert done.returncode != 0
        assert "there are no secrets yet: run make secrets" in done.stderr

    def test_with_secrets_every_service_has_its_own(self, folder):
        subprocess.run(["sh", "deploy/secrets.sh"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        done = self.config(folder)
        assert done.returncode == 0, done.stderr[-2000:]
        read = yaml.safe_load(done.stdout)
        assert set(read["services"]) == set(SERVICES)
        for name, secret in read["secrets"].items():
            assert (folder / secret["file"]).is_file(), name
        assert read["services"]["airflow-triggerer"]["read_only"] is True


class TestTheSecrets:
    @pytest.fixture
    def folder(self, tmp_path):
        """A copy of the script's surroundings with the secrets made."""
        (tmp_path / "deploy").mkdir()
        (tmp_path / "deploy" / "secrets.sh").write_bytes((PROJECT / "deploy" / "secrets.sh").read_bytes())
        self.make(tmp_path)
        return tmp_path

    def make(self, folder: Path) -> str:
        done = subprocess.run(["sh", folder / "deploy" / "secrets.sh"], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout

    def read(self, folder: Path) -> dict[str, str]:
        return {path.name: path.read_text() for path in (folder / "secrets").iterdir()}

    def test_they_are_those_that_compose_asks_for(self, folder):
        assert set(self.read(folder)) == set(COMPOSE["secrets"])
        assert (folder / ".env").read_text() == "GROUNDSWELL_SECRETS=./secrets\n"
        for name, secret in COMPOSE["secrets"].items():
            assert re.fullmatch(r"\$\{GROUNDSWELL_SECRETS:\?[^}]*make secrets[^}]*\}/" + name, secret["file"])

    def test_they_are_their_owners_alone_and_never_in_git(self, folder):
        assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700
        ignored = subprocess.run(
            ["git", "check-ignore", "secrets/postgres_password", ".env"], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert ignored.stdout.split() == ["secrets/postgres_password", ".env"]

    def test_they_are_long_different_and_usable(self, folder):
        made = self.read(folder)
        assert len(set(made.values())) == len(made)
        assert min(map(len, made.values())) >= 24
        assert len(made["airflow_jwt_secret"]) >= 64
        for name in ("airflow_fernet_key", "mlflow_webhook_key"):
            Fernet(made[name])
        for name in ("airflow", "mlflow"):
            assert made[f"{name}_database_url"] == f"{DRIVER}{name}:{made[f'{name}_database_password']}@postgres:5432/{name}"

    def test_serving_knows_the_pipelines_key_by_its_hash(self, folder):
        presented = self.read(folder)["groundswell_serving_key"]
        [key] = keys.read(folder / "secrets" / "serving_keys")
        assert (key.name, key.sha256) == ("pipeline", keys.digest(presented))
        assert presented.startswith(f"{keys.PREFIX}_{key.id}_")
        assert presented not in self.read(folder)["serving_keys"]

    def test_a_second_run_changes_none(self, folder):
        before = self.read(folder)
        (folder / "secrets" / "airflow_jwt_secret").unlink()
        assert self.make(folder).split() == ["made", "./secrets/airflow_jwt_secret"]
        after = self.read(folder)
        assert {name for name in after if after[name] != before[name]} == {"airflow_jwt_secret"}
        assert (folder / ".env").read_text().count("GROUNDSWELL_SECRETS") == 1

    def test_settings_read_them(self, folder, monkeypatch):
        secrets = folder / "secrets"
        assert Settings(_secrets_dir=secrets).pseudonym_key.get_secret_value() == self.read(folder)["groundswell_pseudonym_key"]
        hook = ServingSettings(topic="games", _secrets_dir=secrets).serving_webhook_secret
        assert hook.get_secret_value() == self.read(folder)["groundswell_serving_webhook_secret"]
        assert ServingSettings.model_config["secrets_dir"] == Settings.model_config["secrets_dir"]
        monkeypatch.setenv("GROUNDSWELL_PSEUDONYM_KEY", "the environment comes first")
        assert Settings(_secrets_dir=secrets).pseudonym_key.get_secret_value() == "the environment comes first"
