"""A registry in a folder: what the keeper needs of MLflow, in a few lines, with a switch to take it away."""

from __future__ import annotations

import shutil
from pathlib import Path

from groundswell.errors import RegistryError
from serving.registry import ALIAS, Version


class FolderRegistry:
    """Versions are export folders; ``alias`` is the number of the champion, or None; ``others`` are further aliases and their numbers."""

    def __init__(self):
        self.exports: dict[str, Path] = {}
        self.alias: str | None = None
        self.others: dict[str, str] = {}
        self.is_down = False
        self.downloads: list[str] = []

    def aliases(self) -> dict[str, Version]:
        self._require_up()
        numbers = {**self.others, **({ALIAS: self.alias} if self.alias else {})}
        return {alias: self.named(number) for alias, number in numbers.items()}

    def named(self, number: str) -> Version:
        return Version(number, f"run-{number}", f"models:/m-{self.exports[number].parent.name}")

    def download(self, version: Version, folder: Path) -> Path:
        self._require_up()
        self.downloads.append(version.version)
        return Path(shutil.copytree(self.exports[version.version], folder / "artifacts" / "export"))

    def _require_up(self) -> None:
        if self.is_down:
            raise RegistryError("the registry is down")
