"""A bug, planted: a module of ours with one line of its source changed, beside the real one."""

import importlib
import sys
import types
from pathlib import Path


def planted(name: str, line: str, bug: str) -> types.ModuleType:
    """The module ``name`` with ``line`` of its source, which stands there once, changed to ``bug``."""
    real = Path(importlib.import_module(f"groundswell.{name}").__file__)
    source = real.read_text(encoding="utf-8")
    assert source.count(line) == 1, f"{line!r} stands {source.count(line)} times in {name}.py: plant the bug anew"
    module = types.ModuleType(f"planted_{name}")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(source.replace(line, bug), str(real), "exec"), module.__dict__)  # noqa: S102 - our own source
    return module
