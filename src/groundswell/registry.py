"""The model registry: versions of a topic's model, their aliases and tags, and the export that each of them is.

Reads and writes MLflow's registry through `tracking`, and fetches exports into folders that it is given. Refuses an export that is not what its
manifest says. "No such version" and "no such alias" are answers (None); a registry that can't be asked is a `RegistryError`.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from groundswell.errors import ModelError, RegistryError, UnknownName, nearest
from groundswell.files import alone_in, beside
from groundswell.predictor import verify
from groundswell.schema import registered_model
from groundswell.tracking import client, registry_errors

CHALLENGER, CHAMPION = "challenger", "champion"
EXPORT_PATH = "artifacts/export"
"""Where the export folder lies inside a registered model."""

_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model, as the registry knows it."""

    name: str
    version: str
    run_id: str
    source: str
    created_ms: int
    tags: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def model_id(self) -> str | None:
        """MLflow's logged model behind the version (its own ``model_id`` is always None): the last part of ``models:/m-…``."""
        return self.source.removeprefix("models:/") if self.source.startswith("models:/m-") else None


def version_by_alias(settings, topic: str, alias: str) -> ModelVersion | None:
    """What ``alias`` points to; None when the model or the alias does not exist; `RegistryError` when the registry can't be asked."""
    with registry_errors(settings):
        return _or_none(lambda: client(settings).get_model_version_by_alias(registered_model(topic), alias))


def version_numbered(settings, topic: str, version: str) -> ModelVersion | None:
    """Version ``version`` of the topic's model, or None when it does not exist."""
    with registry_errors(settings):
        return _or_none(lambda: client(settings).get_model_version(registered_model(topic), str(version)))


def version_named(settings, topic: str, word: str) -> ModelVersion:
    """The version that ``word``, a number or an alias, stands for; `UnknownName` when there is none."""
    found = version_numbered(settings, topic, word) if word.isdecimal() else version_by_alias(settings, topic, word)
    if found is None:
        known = [one.version for one in versions(settings, topic)]
        raise UnknownName(f"{registered_model(topic)} has no version {word!r}{nearest(word, [*known, CHAMPION, CHALLENGER])}")
    return found


def versions(settings, topic: str) -> list[ModelVersion]:
    """Every version of the topic's model, the newest first."""
    with registry_errors(settings):
        mlflow_client = client(settings)
        found = mlflow_client.search_model_versions(f"name='{registered_model(topic)}'")
        # a search leaves the aliases out
        named = mlflow_client.get_registered_model(registered_model(topic)).aliases if found else {}
        aliases = {version: tuple(sorted(name for name, of in named.items() if str(of) == version)) for version in map(str, named.values())}
        known = [_version(one) for one in found]
        return sorted((replace(one, aliases=aliases.get(one.version, ())) for one in known), key=lambda one: -int(one.version))


def register(settings, topic: str, *, source: str, run_id: str, tags: dict[str, str]) -> ModelVersion:
    """Make the model at ``source`` (``models:/m-…``) the next version of the topic's registered model, then its challenger."""
    from mlflow.exceptions import MlflowException

    name = registered_model(topic)
    with registry_errors(settings):
        mlflow_client = client(settings)
        try:
            mlflow_client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = mlflow_client.create_model_version(name, source, run_id=run_id, tags=tags, model_id=source.removeprefix("models:/"))
        mlflow_client.set_registered_model_alias(name, CHALLENGER, made.version)
        return _version(mlflow_client.get_model_version(name, made.version))


def set_alias(settings, topic: str, alias: str, version: str) -> None:
    """Point ``alias`` to ``version`` in one call: it is never deleted first."""
    with registry_errors(settings):
        client(settings).set_registered_model_alias(registered_model(topic), alias, str(version))


def delete_alias(settings, topic: str, alias: str) -> None:
    """Take ``alias`` from whatever version has it."""
    with registry_errors(settings):
        client(settings).delete_registered_model_alias(registered_model(topic), alias)


def set_version_tag(settings, topic: str, version: str, key: str, value: str) -> None:
    with registry_errors(settings):
        client(settings).set_model_version_tag(registered_model(topic), str(version), key, value)


def delete_version_tag(settings, topic: str, version: str, key: str) -> None:
    with registry_errors(settings):
        client(settings).delete_model_version_tag(registered_model(topic), str(version), key)


def download_export(settings, topic: str, version: str, to: Path) -> Path:
    """The export folder of a model version at ``to``, whole and verified; what lies there already is kept when it is that version's.

    `RegistryError` when it can't be fetched, `ModelError` when what came is not what its manifest says.
    """
    wanted = version_numbered(settings, topic, version)
    if wanted is None:
        raise RegistryError(f"{registered_model(topic)} has no version {version}: see groundswell status, or the MLflow page")
    if _is_export_of(to, wanted.run_id):
        return to
    box = beside(to)
    box.mkdir(parents=True)
    try:
        with registry_errors(settings):
            import mlflow

            client(settings)
            folder = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{wanted.name}/{wanted.version}/{EXPORT_PATH}", dst_path=str(box))
        verify(Path(folder))
        shutil.rmtree(to, ignore_errors=True)
        os.replace(folder, to)
    finally:
        shutil.rmtree(box, ignore_errors=True)
    return to


def kept_export(settings, topic: str, version: str) -> Path:
    """`download_export` into ``champion/<topic>/version-N`` under home: fetched once for all stages that ask the champion, whatever asks at once."""
    folder = settings.root / "champion" / topic / f"version-{version}"
    with alone_in(folder.parent):
        return download_export(settings, topic, version, folder)


def _is_export_of(folder: Path, run_id: str) -> bool:
    try:
        verify(folder)
    except ModelError:
        return False
    return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("run_id") == run_id


def _or_none(ask) -> ModelVersion | None:
    from mlflow.exceptions import MlflowException

    try:
        return _version(ask())
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise


def _version(found) -> ModelVersion:
    return ModelVersion(
        name=found.name,
        version=str(found.version),
        run_id=found.run_id or "",
        source=found.source or "",
        created_ms=found.creation_timestamp,
        tags=dict(found.tags),
        aliases=tuple(found.aliases),
    )
