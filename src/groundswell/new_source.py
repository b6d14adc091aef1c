"""new-source: the beginning of a source, for a network that Groundswell does not read yet.

Writes, in a checkout of Groundswell, the source's module, its line in the registry, and its case in the contract's tests; or, as a package
of its own, a folder with the module, its entry point and the contract's tests. What is written works and passes the contract: it reads an
API that takes a start and an end and pages by cursor. Refuses a name that is no module's, or that a source has; a folder that is not empty.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from groundswell.errors import UsageError
from groundswell.files import replacing, replacing_folder
from groundswell.sources import known

_SCAFFOLD = Path(__file__).parent / "scaffold"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_REGISTRY, _CASES = Path("src/groundswell/sources/__init__.py"), Path("tests/sources/cases.py")


def new_source(name: str, *, project: Path) -> dict:
    """Add the source ``name`` to the checkout ``project``; the report names what was written and what is left to do."""
    _require_name(name)
    registry, cases = project / _REGISTRY, project / _CASES
    module = registry.with_name(f"{name}.py")
    if not (registry.is_file() and cases.is_file()):
        raise UsageError(
            f"{project}: expected a checkout of Groundswell with {_REGISTRY} and {_CASES}: run there, or make a package with --package FOLDER"
        )
    if module.exists():
        raise UsageError(f"{module} is there already: choose another name, or go on with that file")
    texts = {module: _filled("source.py", name), registry: _with_line(registry, name), cases: _with_case(cases, name)}
    for path, text in texts.items():
        _write(path, text)
    todo = [
        f"make {module.name} speak as the platform does, and its case in {_CASES} as it answers",
        f"name it in a topic of params.yaml: {name}: {{url: …, query: …}}, and describe its keys in docs/configuration.md and docs/sources.md",
        "python -m pytest tests/sources",
    ]
    return {"source": name, "written": [path.relative_to(project).as_posix() for path in texts], "next": todo}


def new_package(name: str, folder: Path) -> dict:
    """Write a package that brings the source ``name`` into the empty or new ``folder``; the report as of `new_source`."""
    _require_name(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty: name a new folder")
    texts = {
        "pyproject.toml": _filled("pyproject.toml", name),
        "README.md": _filled("README.md", name),
        f"groundswell_{name}.py": _filled("source.py", name),
        "tests/test_contract.py": _filled("test_contract.py", name),
    }
    with replacing_folder(folder) as beside:
        for path, text in texts.items():
            (beside / path).parent.mkdir(exist_ok=True)
            _write(beside / path, text)
    return {"source": name, "written": [str(folder / path) for path in texts], "next": [f"cd {folder} && pip install -e . && pytest"]}


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > 40:
        raise UsageError(f"source {name!r}: expected a module's name: small letters, digits and single underscores, e.g. my_forum")
    if name in known():
        raise UsageError(f"source {name!r} is there already ({known()[name].value}): choose another name")


def _filled(file: str, name: str) -> str:
    words = name.split("_")
    template = (_SCAFFOLD / f"{file}.txt").read_text(encoding="utf-8")
    template = template.replace("${case}", (_SCAFFOLD / "case.py.txt").read_text(encoding="utf-8"))
    return Template(template).substitute(
        name=name, dashed="-".join(words), title=" ".join(words).capitalize(), class_name="".join(map(str.capitalize, words))
    )


def _with_line(registry: Path, name: str) -> str:
    """The registry with the source's line in its place among the others."""
    text = registry.read_text(encoding="utf-8")
    lines = re.findall(r'^    "\w+": "groundswell\.sources\.\w+:SOURCE",\n', text, re.MULTILINE)
    block = "".join(lines)
    if not lines or block not in text:
        raise UsageError(f"{registry}: expected the lines of SOURCES, one a source: add {name!r} by hand")
    return text.replace(block, "".join(sorted([*lines, f'    "{name}": "groundswell.sources.{name}:SOURCE",\n'])))


def _with_case(cases: Path, name: str) -> str:
    """The cases with the source's, and its topic imported."""
    text, class_name = cases.read_text(encoding="utf-8"), "".join(map(str.capitalize, name.split("_")))
    imports = re.findall(r"^from groundswell\.sources\.\w+ import [^\n]+\n", text, re.MULTILINE)
    listed = re.search(r"^CASES = \((.*?)\)$", text, re.MULTILINE | re.DOTALL)
    if not imports or "".join(imports) not in text or not listed:
        raise UsageError(f"{cases}: expected imports of sources and a tuple CASES: add the case of {name!r} by hand")
    known_cases = listed[1].rstrip().rstrip(",")
    added = f"{known_cases},\n    {class_name}(),\n" if "\n" in listed[1] else f"{known_cases}, {class_name}()"
    text = text.replace(listed[0], f"{_filled('case.py', name)}\n\nCASES = ({added})")
    ordered = sorted([*imports, f"from groundswell.sources.{name} import {class_name}Topic\n"])
    return text.replace("".join(imports), "".join(ordered))


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
