"""Would serving take this version? ``python -m serving.admit --version 3`` or ``--folder PATH``: loads and queries it as serving does.

With ``--version`` the copy that it fetches stays where serving looks for it, so that the swap after the promotion is quick. Prints one
line of JSON; ends with 0 when the model is admitted, 1 when it is refused or can't be had, 2 for a wrong use.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from groundswell.errors import GroundswellError
from serving.config import ServingSettings, load_serving_settings
from serving.copies import Copies
from serving.loading import TRIAL, LoadedModel, load_model
from serving.registry import MlflowRegistry, Version
from serving.service import Answered, describe


def admit(settings: ServingSettings, *, version: str | None = None, folder: Path | None = None) -> dict:
    """What serving would say of the model: `ModelResponse` and its answers to two texts; raises as `load_model` does."""
    model = _from_folder(settings, folder) if folder else _from_registry(settings, str(version))
    answered = Answered(model, model.predictor.predict(TRIAL[:2]))
    return {**describe(model).model_dump(mode="json"), "answers": answered.predictions()}


def _from_folder(settings: ServingSettings, folder: Path) -> LoadedModel:
    return load_model(folder, Version("none", "", str(folder)), name=settings.model_name, topic=settings.topic)


def _from_registry(settings: ServingSettings, number: str) -> LoadedModel:
    registry = MlflowRegistry(settings.mlflow_uri, settings.model_name)
    version = registry.version(number)
    export = Copies(settings.folder).fetch(version, registry.download)
    return load_model(export, version, name=settings.model_name, topic=settings.topic)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m serving.admit", description="Load and query a model version as serving does.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--version", help="a version of the registered model")
    which.add_argument("--folder", type=Path, help="an export folder")
    wanted = parser.parse_args()
    logging.basicConfig(level="WARNING", stream=sys.stderr)
    try:
        print(json.dumps(admit(load_serving_settings(), version=wanted.version, folder=wanted.folder), sort_keys=True))
    except GroundswellError as error:
        print(f"serving.admit: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
