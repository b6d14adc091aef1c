"""docs/serving.md names every setting, address, metric, file and problem; the image has what serving imports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from serving.app import create_app
from serving.config import ServingSettings
from tests.serving.folder_registry import FolderRegistry

PROJECT = Path(__file__).parent.parent.parent
PAGE = (PROJECT / "docs" / "serving.md").read_text()
DOCKERFILE = (PROJECT / "serving" / "Dockerfile").read_text()


@pytest.fixture
def app(settings):
    return create_app(settings, FolderRegistry())


def test_the_page_names_every_setting_and_no_other():
    ours = {f"GROUNDSWELL_{name.upper()}" for name in ServingSettings.model_fields}
    assert set(re.findall(r"GROUNDSWELL_[A-Z_]+", PAGE)) == ours


def test_the_page_names_every_address(app):
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in PAGE


def test_the_page_names_every_metric(app):
    for metric in app.state.service.metrics.registry.collect():
        if metric.name.startswith("groundswell_"):
            name = metric.name + ("_total" if metric.type == "counter" else "")
            assert re.search(rf"`{name}[{{`]", PAGE), name


def test_the_page_names_every_file_and_problem():
    folder = PROJECT / "serving"
    for file in [*folder.glob("*.py"), *folder.glob("*.html"), *folder.glob("Dockerfile")]:
        assert file.name in PAGE or file.name == "__init__.py", file.name
    for name in re.findall(r'problem\("([a-z-]+)"', (folder / "problems.py").read_text()):
        assert f"`{name}`" in PAGE, name


def test_the_serving_image_copies_what_serving_imports():
    from tests.serving.test_serving_config import OURS

    copied = set(re.findall(r"src/groundswell/(\w+)\.py", DOCKERFILE))
    assert copied == {"__init__"} | {name.partition(".")[2] for name in OURS if "." in name}
