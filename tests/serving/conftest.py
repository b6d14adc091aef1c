"""Two tiny real exports that answer differently, and serving's own settings."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.config import ServingSettings
from tests.serving.clock import Clock
from tests.serving.folder_registry import FolderRegistry
from tests.tiny import tiny_export


@pytest.fixture(scope="session")
def exports(tmp_path_factory) -> dict[str, Path]:
    """Version number → export folder."""
    import torch

    folder, threads = tmp_path_factory.mktemp("exports"), torch.get_num_threads()
    torch.set_num_threads(1)  # for a model this small, a second thread only waits, and on a busy machine for minutes
    try:
        return {number: tiny_export(folder / number / "export", seed=int(number), steps=20, run_id=number * 32) for number in ("1", "2")}
    finally:
        torch.set_num_threads(threads)


IN_TESTS = {
    "GROUNDSWELL_SERVING_AUTH": "off",
    "GROUNDSWELL_SERVING_CACHE": "off",
    "GROUNDSWELL_SERVING_ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
}
"""For every test but those of keys and of the cache themselves, whoever makes the settings, and when."""


@pytest.fixture(scope="session", autouse=True)
def _settings_of_tests():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IN_TESTS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in [name for name in os.environ if name.startswith("GROUNDSWELL_") and name not in IN_TESTS]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path) -> ServingSettings:
    return ServingSettings(project=tmp_path, topic="games", serving_poll_seconds=0.05, serving_threads=2, serving_webhook_secret="told-to-nobody")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry(exports) -> FolderRegistry:
    """A registry with both versions, and version 1 as champion."""
    registry = FolderRegistry()
    registry.exports.update(exports)
    registry.alias = "1"
    return registry


@pytest.fixture(scope="session")
def standing(exports, tmp_path_factory):
    """A client of one service for all tests that change nothing in it; version 1 answers."""
    registry = FolderRegistry()
    registry.exports.update(exports)
    registry.alias = "1"
    settings = ServingSettings(project=tmp_path_factory.mktemp("standing"), topic="games", serving_threads=2, serving_webhook_secret="told-to-nobody")
    with TestClient(create_app(settings, registry), raise_server_exceptions=False) as client:
        deadline = time.monotonic() + 60
        while client.get("/v1/model").status_code != 200:
            assert time.monotonic() < deadline, "there is no model to answer with"
            time.sleep(0.01)
        yield client


@pytest.fixture(scope="session")
def answering(exports, tmp_path_factory):
    """A real serving process for tests that only ask it; version 1 of a real registry, at its ``mlflow_url``, answers."""
    import mlflow

    from groundswell import tracking
    from groundswell.settings import Settings
    from tests.serving.servers import NAME, start_mlflow, start_serving
    from tests.serving.test_serving_process import register

    folder = tmp_path_factory.mktemp("answering")
    registry = start_mlflow(folder)
    try:
        settings = Settings(project=folder / "pipeline", mlflow_uri=registry.wait(120).url)
        register(settings, exports["1"])
        tracking.client(settings).set_registered_model_alias(NAME, "champion", "1")
        mlflow.set_tracking_uri(None)
        serving = start_serving(folder, registry.url)
        try:
            serving.wait(120, "/readyz").mlflow_url = registry.url
            yield serving
        finally:
            serving.stop()
    finally:
        registry.stop(signal.SIGKILL)
