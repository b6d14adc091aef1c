"""docs/serving.md names every setting, address, metric, file and problem; the compose file names only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from groundswell.config import Settings
from serving.app import create_app
from serving.config import ServingSettings
from tests.serving.folder_registry import FolderRegistry

PROJECT = Path(__file__).parent.parent.parent
PAGE = (PROJECT / "docs" / "serving.md").read_text()
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILES = {name: (PROJECT / service["build"]["dockerfile"]).read_text() for name, service in SERVICES.items()}


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
    for metric in app.state.metrics.registry.collect():
        if metric.name.startswith("groundswell_"):
            name = metric.name + ("_total" if metric.type == "counter" else "")
            assert re.search(rf"`{name}[{{`]", PAGE), name


def test_the_page_names_every_file_and_problem():
    folder = PROJECT / "serving"
    for file in [*folder.glob("*.py"), *folder.glob("*.html"), *folder.glob("Dockerfile")]:
        assert file.name in PAGE or file.name == "__init__.py", file.name
    for name in re.findall(r'problem\("([a-z-]+)"', (folder / "problems.py").read_text()):
        assert f"`{name}`" in PAGE, name


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_a_service_is_on_loopback_healthy_bounded_and_nobody_special(service):
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["healthcheck"]["test"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert not service["image"].endswith(":latest")
    assert ":" in service["image"]


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_a_service_names_settings_that_exist_and_holds_no_secret(service):
    known = {f"GROUNDSWELL_{name.upper()}" for settings in (Settings, ServingSettings) for name in settings.model_fields}
    for name, value in service["environment"].items():
        assert not name.startswith("GROUNDSWELL_") or name in known, name
        assert not re.search("SECRET|KEY|PASSWORD", name) or re.fullmatch(r"\$\{[A-Z_]+:-\}", value), f"{name} holds a value"


def test_volumes_and_dependencies_are_named():
    for service in SERVICES.values():
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)


@pytest.mark.parametrize("dockerfile", DOCKERFILES.values(), ids=DOCKERFILES.keys())
def test_an_image_is_pinned_and_runs_as_nobody_special(dockerfile):
    bases = re.findall(r"^(?:ARG \w+=|FROM )(\S+)", dockerfile, re.M)
    assert "docker.io/library/python:3.11-slim-bookworm" in bases
    assert ":latest" not in dockerfile
    assert re.search(r"^USER \d{4,}:\d{4,}$", dockerfile, re.M)
    assert "HEALTHCHECK" not in dockerfile or "CMD" in dockerfile


def test_the_serving_image_copies_what_serving_imports():
    from tests.serving.test_serving_config import OURS

    copied = set(re.findall(r"src/groundswell/(\w+)\.py", DOCKERFILES["serving"]))
    assert copied == {"__init__"} | {name.partition(".")[2] for name in OURS if "." in name}
