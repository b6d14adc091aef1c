"""Erasure in MLflow's artifacts: what runs left of a topic, wherever the store is, looked through for traces as home is by `sweep`.

Reads every artifact of the topic's runs and logged models but `WEIGHTS`. Removes those of runs: their stage makes them again. A logged
model's file is left, for a model without it can't be loaded any more: whether it goes, or the model, is a person's to decide.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from groundswell.artifacts import Artifacts
from groundswell.erasure.sweep import contents
from groundswell.settings import Settings

log = logging.getLogger(__name__)

WEIGHTS = (".onnx", ".safetensors")
"""Numbers that a model has learnt: no row is in them, and they are most of the bytes."""
_MODELS = "models/"


def clean(topic: str, needles: list[bytes], *, settings: Settings) -> dict:
    """How many artifacts of ``topic`` were looked at, and the paths of those that held a trace: ``removed``, and ``left`` in logged models."""
    done: dict = {"looked_at": 0, "removed": [], "left": []}
    artifacts = Artifacts(settings, topic)
    for path in sorted(artifacts.paths()) if needles else []:
        if path.endswith(WEIGHTS):
            continue
        done["looked_at"] += 1
        if _holds(artifacts, path, needles):
            done["left" if path.startswith(_MODELS) else "removed"].append(path)
    for path in done["removed"]:
        artifacts.remove(path)
    log.info("erase: %d of %d artifacts of %s held traces", len(done["removed"]) + len(done["left"]), done["looked_at"], topic)
    return done


def _holds(artifacts: Artifacts, path: str, needles: list[bytes]) -> bool:
    with tempfile.TemporaryDirectory(prefix="groundswell-erase-") as box:
        return any(needle in part for part in contents(artifacts.fetch(path, Path(box))) for needle in needles)
