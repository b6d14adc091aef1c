"""Runs that are over: what MLflow says of one, and what judge adds to it. The writing of a run under way is tracking's."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from groundswell import tracking


@dataclass(frozen=True)
class Run:
    """A run as MLflow has it."""

    run_id: str
    status: str
    started_ms: int
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]


def read_run(settings, run_id: str) -> Run:
    """The run of that id; `RegistryError` when it is not there or MLflow can't be asked."""
    with tracking.registry_errors(settings):
        found = tracking.client(settings).get_run(run_id)
        return Run(run_id, found.info.status, found.info.start_time, dict(found.data.tags), dict(found.data.params), dict(found.data.metrics))


def set_run_tag(settings, run_id: str, key: str, value: str) -> None:
    with tracking.registry_errors(settings):
        tracking.client(settings).set_tag(run_id, key, value)


def delete_run_tag(settings, run_id: str, key: str) -> None:
    """Take a tag away, where the run has it."""
    if key in read_run(settings, run_id).tags:
        with tracking.registry_errors(settings):
            tracking.client(settings).delete_tag(run_id, key)


def log_text(settings, run_id: str, text: str, path: str) -> None:
    """Log ``text`` as an artifact of a run."""
    with tracking.registry_errors(settings):
        tracking.client(settings).log_text(run_id, text, path)


def read_json(settings, run_id: str, path: str) -> dict | None:
    """A JSON artifact of a run, or None when the run has none under ``path``."""
    text = read_text(settings, run_id, path)
    return None if text is None else json.loads(text)


def read_text(settings, run_id: str, path: str) -> str | None:
    """A text artifact of a run, or None when the run has none under ``path``."""
    with tracking.registry_errors(settings), tempfile.TemporaryDirectory(prefix="groundswell-run-") as box:
        mlflow_client = tracking.client(settings)
        folder = path.rpartition("/")[0]
        if path not in {entry.path for entry in mlflow_client.list_artifacts(run_id, folder or None)}:
            return None
        return Path(mlflow_client.download_artifacts(run_id, path, box)).read_text(encoding="utf-8")
