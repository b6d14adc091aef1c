"""Runs and registry by SQLite: what is there, what is not, and what can't be asked are three different answers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from tiny import shared_export

from groundswell import packaging, registry, tracking
from groundswell.alive import this_process
from groundswell.errors import ModelError, RegistryError
from groundswell.predictor import verify
from groundswell.settings import Settings

pytestmark = pytest.mark.slow

TAGS = {"topic": "games", "dataset_md5": "d" * 32, "git_commit": "c0ffee"}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A tracking store with one experiment: made once, its migrations take a second and a half."""
    home = tmp_path_factory.mktemp("store")
    tracking.ensure_experiment(Settings(home=home, mlflow_uri=""), "games")
    return home


@pytest.fixture
def settings(empty_store, tmp_path):
    return Settings(home=shutil.copytree(empty_store, tmp_path / "var"), mlflow_uri="")


def test_an_experiment_says_that_its_runs_are_trainings(settings):
    found = tracking.client(settings).get_experiment(tracking.ensure_experiment(settings, "games"))
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"


@pytest.fixture
def down(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return Settings(home=tmp_path, mlflow_uri="http://127.0.0.1:9")


def _register(settings, **tags):
    with tracking.run(settings, "games", "a run", TAGS) as run_id:
        source = packaging.log_model(settings, run_id, shared_export(), metrics={"validation_macro_f1": 0.5})
    return registry.register(settings, "games", source=source, run_id=run_id, tags={**TAGS, **tags})


def test_the_store_is_made_where_home_is(tmp_path):
    settings = Settings(home=tmp_path / "new" / "var", mlflow_uri="")
    tracking.client(settings)
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/new/var/mlflow/mlflow.db"
    assert (tmp_path / "new" / "var" / "mlflow" / "artifacts").is_dir()


def test_no_model_and_no_alias_are_answers(settings):
    assert registry.version_by_alias(settings, "games", registry.CHAMPION) is None
    assert registry.version_numbered(settings, "games", "7") is None
    assert registry.versions(settings, "games") == []


def test_a_registry_out_of_reach_is_an_error_that_names_it(down, tmp_path):
    for ask in (
        lambda: registry.version_by_alias(down, "games", registry.CHAMPION),
        lambda: registry.set_alias(down, "games", registry.CHAMPION, "1"),
        lambda: tracking.ensure_experiment(down, "games"),
        lambda: registry.download_export(down, "games", "1", tmp_path / "to"),
    ):
        with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:9 did not do what was asked .* is it up"):
            ask()


def test_an_experiment_is_made_once(settings):
    assert tracking.ensure_experiment(settings, "films") == tracking.ensure_experiment(settings, "films")
    assert tracking.ensure_experiment(settings, "games") != tracking.ensure_experiment(settings, "films")


@pytest.mark.parametrize(("error", "status"), [(None, "FINISHED"), (ValueError, "FAILED"), (KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED")])
def test_a_run_ends_as_its_block_does(settings, error, status):
    try:
        with tracking.run(settings, "games", "a run", {"topic": "games"}) as run_id:
            tracking.log_step(settings, run_id, 5, {"loss": 0.25})
            if error:
                raise error
    except BaseException as raised:  # noqa: BLE001 - the point of the test
        assert isinstance(raised, error)
    found = tracking.client(settings).get_run(run_id)
    assert (found.info.status, found.data.metrics, found.data.tags["topic"]) == (status, {"loss": 0.25}, "games")


def test_only_runs_of_a_process_that_is_gone_are_abandoned(settings):
    mlflow_client = tracking.client(settings)
    experiment = tracking.ensure_experiment(settings, "games")
    host, pid, started = this_process().split("/")
    processes = {
        "mine": f"{host}/{pid}/{started}",
        "reused": f"{host}/{pid}/1",
        "gone": f"{host}/999999999/1",
        "elsewhere": "other-host/1/1",
        "unknown": "",
    }
    runs = {name: mlflow_client.create_run(experiment, tags={tracking.PROCESS_TAG: tag}).info.run_id for name, tag in processes.items()}
    assert set(tracking.mark_abandoned(settings, "games")) == {runs["reused"], runs["gone"]}
    assert mlflow_client.get_run(runs["gone"]).info.status == "KILLED"
    assert mlflow_client.get_run(runs["mine"]).info.status == "RUNNING"


def test_a_data_set_is_an_input_of_its_run(settings):
    import mlflow

    with tracking.run(settings, "games", "a run", {}) as run_id:
        tracking.log_input(
            settings, run_id, name="groundswell-games", digest="a" * 32 + ".dir", source={"path": "dataset/games", "md5": "a"}, profile={"n": 1}
        )
    [found] = mlflow.get_run(run_id).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest, found.dataset.source_type) == ("groundswell-games", "a" * 32 + ".dir", "dvc")
    assert mlflow.data.get_source(found.dataset).to_dict() == {"path": "dataset/games", "md5": "a"}


@pytest.mark.slow
def test_a_version_is_challenger_then_champion_and_can_be_fetched(settings, tmp_path):
    first, second = _register(settings), _register(settings, extra="yes")
    assert (first.version, second.version) == ("1", "2")
    assert second.tags["extra"] == "yes"
    assert second.tags.items() >= TAGS.items()
    assert second.model_id.startswith("m-")
    assert registry.version_by_alias(settings, "games", registry.CHALLENGER).version == "2"
    registry.set_alias(settings, "games", registry.CHAMPION, "1")
    champion = registry.version_by_alias(settings, "games", registry.CHAMPION)
    assert (champion.version, champion.run_id) == ("1", first.run_id)
    assert [one.version for one in registry.versions(settings, "games")] == ["2", "1"]
    fetched = registry.download_export(settings, "games", "1", tmp_path / "fetched")
    assert verify(fetched) == verify(shared_export())
    with pytest.raises(RegistryError, match="no version 9"):
        registry.download_export(settings, "games", "9", tmp_path / "nothing")
    _damage(settings, second)
    with pytest.raises(ModelError, match=r"model\.onnx has sha256"):
        registry.download_export(settings, "games", "2", tmp_path / "broken")
    assert {path.name for path in tmp_path.iterdir()} == {"var", "fetched"}


def _damage(settings, version):
    [network] = (settings.root / "mlflow" / "artifacts").glob(f"**/{version.model_id}/**/export/model.onnx")
    network.write_bytes(b"damaged")


@pytest.mark.slow
def test_what_one_way_writes_the_other_reads(settings, tmp_path):
    port = _free_port()
    by_http = Settings(home=settings.home, mlflow_uri=f"http://127.0.0.1:{port}")
    by_file = _register(settings)
    with _server(settings, port):
        fetched = registry.download_export(by_http, "games", by_file.version, tmp_path / "by_http")
        assert verify(fetched) == verify(shared_export())
        by_server = _register(by_http)
        assert registry.version_by_alias(by_http, "games", registry.CHALLENGER).version == by_server.version
    fetched = registry.download_export(settings, "games", by_server.version, tmp_path / "by_file")
    assert verify(fetched) == verify(shared_export())


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class _server:  # noqa: N801 - reads as a clause: with _server(settings, port)
    """The embedded MLflow server on a SQLite store."""

    def __init__(self, settings, port):
        folder = settings.root / "mlflow"
        self.command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--serve-artifacts"]
        self.command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts")]
        self.url = f"http://127.0.0.1:{port}/health"

    def __enter__(self):
        import httpx2

        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self.process = subprocess.Popen(self.command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if httpx2.get(self.url).status_code == 200:
                    return
            except httpx2.HTTPError:
                time.sleep(0.3)
        raise AssertionError("the MLflow server did not come up")

    def __exit__(self, *raised):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)
