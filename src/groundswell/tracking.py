"""Runs under way and their numbers: the adapter over MLflow, and the way in for `runs`, `nested` and `registry`.

Reads and writes the tracking store that ``settings.tracking_uri`` names: SQLite under home, or a server by http. Both ways see
the same artifacts: experiments are made with ``mlflow-artifacts:/…`` locations, which a server resolves against its destination
and, beside SQLite, this module resolves to the folder ``artifacts`` next to the database (the embedded server's destination).
Every exception of MLflow's leaves here, and from those that come in this way, as `RegistryError`.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundswell.alive import is_gone, this_process
from groundswell.errors import RegistryError

PROCESS_TAG = "groundswell.process"
"""Who a run under way belongs to: `mark_abandoned` ends those whose process is gone."""
_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
"""Of an experiment: MLflow's pages need not guess that its runs are trainings, not conversations."""

log = logging.getLogger(__name__)


def client(settings):
    """An MlflowClient on ``settings.tracking_uri``, also made the process's default; a SQLite store is created when missing."""
    uri = settings.tracking_uri
    if uri.startswith("sqlite:///"):
        artifacts_beside(uri).mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would call out at exit, and wait for an answer
    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow

    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
    _teach_mlflow_artifacts()
    with registry_errors(settings):
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def artifacts_beside(uri: str) -> Path:
    """The artifact folder of a SQLite store: ``artifacts`` next to the database, the embedded server's destination."""
    return Path(uri.removeprefix("sqlite:///")).parent / "artifacts"


def experiment_name(topic: str) -> str:
    return f"groundswell-{topic}"


def ensure_experiment(settings, topic: str) -> str:
    """The id of the topic's experiment, made when it is not there."""
    from mlflow.exceptions import MlflowException

    name = experiment_name(topic)
    with registry_errors(settings):
        mlflow_client = client(settings)
        if found := mlflow_client.get_experiment_by_name(name):
            return found.experiment_id
        try:
            return mlflow_client.create_experiment(name, artifact_location=f"mlflow-artifacts:/{name}", tags=_TRAINING)
        except MlflowException:  # somebody was faster
            if found := mlflow_client.get_experiment_by_name(name):
                return found.experiment_id
            raise


@contextmanager
def run(settings, topic: str, name: str, tags: dict[str, str], *, continued: str | None = None) -> Iterator[str]:
    """A run, its id: a new one, or the one with the id ``continued`` taken up again. FINISHED at the end, FAILED after an error, KILLED
    after Ctrl-C or SIGTERM. Runs that a dead process of this machine left RUNNING are marked KILLED first."""
    import mlflow

    experiment = ensure_experiment(settings, topic)
    with registry_errors(settings):
        mark_abandoned(settings, topic)
        active = mlflow.start_run(continued, experiment_id=experiment, run_name=name, tags={**tags, PROCESS_TAG: this_process()})
    status = "FAILED"
    try:
        with _terminated_as_exit():
            yield active.info.run_id
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        with registry_errors(settings):
            mlflow.end_run(status)


def mark_abandoned(settings, topic: str) -> list[str]:
    """Mark as KILLED the topic's RUNNING runs whose process, on this machine, is gone; their ids."""
    with registry_errors(settings):
        mlflow_client = client(settings)
        found = mlflow_client.get_experiment_by_name(experiment_name(topic))
        running = mlflow_client.search_runs([found.experiment_id], "attributes.status = 'RUNNING'") if found else []
        gone = [one.info.run_id for one in running if is_gone(one.data.tags.get(PROCESS_TAG, ""))]
        for run_id in gone:
            log.warning("tracking: run %s was left unfinished by a process that is gone: marked KILLED", run_id)
            mlflow_client.set_terminated(run_id, "KILLED")
    return gone


def log_input(settings, run_id: str, *, name: str, digest: str, source: dict, profile: dict) -> None:
    """Put a DVC-versioned data set into a run's inputs: ``digest`` its md5 (``….dir``), ``source`` where it is, ``profile`` its numbers."""
    import json

    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=name, digest=digest, source_type="dvc", source=json.dumps(source, sort_keys=True), profile=json.dumps(profile, sort_keys=True)
    )
    with registry_errors(settings):
        register_dataset_source()
        client(settings).log_inputs(run_id, [DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "training")])])


def register_dataset_source() -> None:
    """Teach MLflow what a data set of source type ``dvc`` is, so that ``mlflow.data.get_source`` reads it back."""
    from mlflow.data import dataset_source_registry
    from mlflow.data.dataset_source import DatasetSource

    if any(source._get_source_type() == "dvc" for source in dataset_source_registry._dataset_source_registry.sources):
        return

    class DvcSource(DatasetSource):
        """A directory that DVC versions: ``path`` and ``md5``."""

        def __init__(self, path: str, md5: str):
            self.path, self.md5 = path, md5

        @staticmethod
        def _get_source_type() -> str:
            return "dvc"

        def load(self) -> str:
            """The folder that holds it: `groundswell checkout MODEL_VERSION` brings this very version back there."""
            return self.path

        @staticmethod
        def _can_resolve(raw_source) -> bool:
            return False  # made by `log_input` only

        @classmethod
        def _resolve(cls, raw_source):
            # MLflow's base class demands the method; it calls it only where `_can_resolve` said yes, and that never does
            raise TypeError(f"a DVC source is made by log_input, not of {type(raw_source).__name__}")

        def to_dict(self) -> dict:
            return {"path": self.path, "md5": self.md5}

        @classmethod
        def from_dict(cls, source_dict: dict):
            return cls(**source_dict)

    dataset_source_registry.register_dataset_source(DvcSource)


def log_params(settings, run_id: str, params: dict) -> None:
    from mlflow.entities import Param

    with registry_errors(settings):
        client(settings).log_batch(run_id, params=[Param(name, str(value)) for name, value in sorted(params.items())])


def log_step(settings, run_id: str, step: int, metrics: dict[str, float]) -> None:
    """Log numbers of one step of training."""
    from mlflow.entities import Metric
    from mlflow.utils.time import get_current_time_millis

    with registry_errors(settings):
        stamp = get_current_time_millis()
        client(settings).log_batch(run_id, metrics=[Metric(name, float(value), stamp, step) for name, value in sorted(metrics.items())])


def log_metrics(settings, run_id: str, metrics: dict[str, float], *, model_id: str | None = None) -> None:
    """Log numbers of a run as a whole, which may be over; with ``model_id`` they show on its model too."""
    import mlflow

    with registry_errors(settings):
        client(settings)
        mlflow.log_metrics({name: float(value) for name, value in sorted(metrics.items())}, run_id=run_id, model_id=model_id)


def log_json(settings, run_id: str, value: dict, path: str) -> None:
    """Log ``value`` as a JSON artifact of a run, e.g. a stage's report."""
    with registry_errors(settings):
        client(settings).log_dict(run_id, value, path)


def log_file(settings, run_id: str, file: Path, path: str) -> None:
    """Log one file as an artifact of a run under ``path``."""
    with registry_errors(settings):
        client(settings).log_artifact(run_id, str(file), path)


def log_files(settings, run_id: str, folder: Path, path: str) -> None:
    """Log the files of ``folder`` as artifacts of a run under ``path``."""
    with registry_errors(settings):
        client(settings).log_artifacts(run_id, str(folder), path)


@contextmanager
def registry_errors(settings) -> Iterator[None]:
    """MLflow's, requests' and SQLAlchemy's errors as one `RegistryError` that names the registry."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except (MlflowException, RequestException, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise RegistryError(
            f"the model registry at {settings.tracking_uri} did not do what was asked ({reason}): is it up (make status)? Then run this again"
        ) from error


def _teach_mlflow_artifacts() -> None:
    """Make ``mlflow-artifacts:/…`` mean a local folder where the tracking store is SQLite; with a server it stays MLflow's own."""
    from mlflow.store.artifact import artifact_repository_registry as registry
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    def repository(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None):
        import mlflow

        store = tracking_uri or mlflow.get_tracking_uri()
        if not store.startswith("sqlite:///"):
            return MlflowArtifactsRepository(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)
        place = artifacts_beside(store) / artifact_uri.removeprefix("mlflow-artifacts:").lstrip("/")
        return LocalArtifactRepository(place.as_uri(), tracking_uri=tracking_uri, registry_uri=registry_uri)

    registry._artifact_repository_registry.register("mlflow-artifacts", repository)


@contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """SIGTERM raises SystemExit inside the block, so that what is open is closed; only the main thread may ask for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number, frame):
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
