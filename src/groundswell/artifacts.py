"""The artifacts of a topic's runs and logged models, wherever their store is: below home, at a tracking server, behind it (``s3://…``).

Reads and removes files by their paths in the topic's experiment (``RUN_ID/artifacts/…``, ``models/m-…/artifacts/…``), through MLflow.
Every exception of MLflow's leaves here as `RegistryError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from groundswell import tracking


class Artifacts:
    """Those of the topic's experiment; none where there is no such experiment."""

    def __init__(self, settings, topic: str):
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        self._settings, self._repository = settings, None
        with tracking.registry_errors(settings):
            if found := tracking.client(settings).get_experiment_by_name(tracking.experiment_name(topic)):
                self._repository = get_artifact_repository(found.artifact_location, tracking_uri=settings.tracking_uri)

    def paths(self) -> Iterator[str]:
        """Every file, folder by folder."""
        waiting: list[str | None] = [None] if self._repository else []
        while waiting:
            folder = waiting.pop()
            with tracking.registry_errors(self._settings):
                entries = self._repository.list_artifacts(folder)
            waiting += [entry.path for entry in entries if entry.is_dir]
            yield from (entry.path for entry in entries if not entry.is_dir)

    def fetch(self, path: str, folder: Path) -> Path:
        """The file at ``path``, as one below ``folder``."""
        with tracking.registry_errors(self._settings):
            return Path(self._repository.download_artifacts(path, str(folder)))

    def remove(self, path: str) -> None:
        with tracking.registry_errors(self._settings):
            self._repository.delete_artifacts(path)
