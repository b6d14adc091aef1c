"""The documentation is an interface: every command, key and setting is in it, and every link leads somewhere."""

import re
from pathlib import Path

import pytest
import typer

from groundswell.cli import app
from groundswell.params import CompareParams, Params
from groundswell.settings import Settings

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def keys():
    for name, section in Params.model_fields.items():
        fields = getattr(section.annotation, "model_fields", {})
        yield from (f"{section.alias or name}.{key}" for key in fields)


def test_every_key_of_params_is_described_with_its_default():
    page = (PROJECT / "docs" / "configuration.md").read_text()
    for key in keys():
        section, name = key.split(".")
        field = next(each for each_name, each in Params.model_fields.items() if (each.alias or each_name) == section)
        default = field.annotation.model_fields[name].default
        assert f"| `{key}` | `{default}` | " in page, key


def test_every_setting_is_described():
    page = (PROJECT / "docs" / "configuration.md").read_text()
    for name in Settings.model_fields:
        assert f"| `GROUNDSWELL_{name.upper()}` |" in page, name


def test_every_subcommand_is_somewhere():
    text = "\n".join(page.read_text() for page in PAGES)
    for command in typer.main.get_command(app).commands:
        assert re.search(rf"(groundswell|make) {command}\b", text), command


def test_the_rows_of_a_comparison_are_those_that_its_page_lists():
    page = (PROJECT / "docs" / "stages" / "compare.md").read_text()
    usual = [
        f"| `{row.name}` | {row.cleaning} | {row.features} | {row.model} | {row.augmentation} | {'yes' if row.is_seeded else ''} |"
        for row in CompareParams().wanted
    ]
    assert "\n".join(["|---|---|---|---|---|---|", *usual, ""]) in page


def test_every_package_asked_for_has_its_reason():
    page = (PROJECT / "docs" / "dependencies.md").read_text()
    for file in ("pipeline.in", "dev.in", "serving.in"):
        for line in (PROJECT / "requirements" / file).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                name = re.split(r"[=<>\[]", line)[0]
                assert re.search(rf"\b{re.escape(name)}\b", page), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target
