"""Two tiny real exports that answer differently, and serving's own settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serving.config import ServingSettings
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


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in [name for name in os.environ if name.startswith("GROUNDSWELL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path) -> ServingSettings:
    return ServingSettings(project=tmp_path, topic="games", serving_poll_seconds=0.05, serving_threads=2, serving_webhook_secret="told-to-nobody")


@pytest.fixture
def registry(exports) -> FolderRegistry:
    """A registry with both versions, and version 1 as champion."""
    registry = FolderRegistry()
    registry.exports.update(exports)
    registry.alias = "1"
    return registry
