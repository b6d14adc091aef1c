"""From an export folder to a model that may answer: verified, of the right topic and labels, and tried on texts of every kind.

Reads the folder; writes nothing. Refuses, with `ModelError` and the reason: what `Predictor.load` refuses (a file that is missing or
differs from the manifest, another version of the text rules, an ONNX file that does not load), files that the manifest does not
list, other labels, another topic, and answers that are no probabilities.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from groundswell.errors import ModelError
from groundswell.files import sha256_of
from groundswell.predictor import MANIFEST, Predictor
from serving.messages import LABELS
from serving.registry import Version

KINDS = (".json", ".md", ".npy", ".onnx", ".parquet")
"""The kinds of files that an export may hold: nothing that needs unpickling, no weights outside of the ONNX file."""

TRIAL = (
    "The new patch is wonderful, best update in years",
    "Servers down again. I want my money back 😡",
    "",
    "😂" * 300,
    "מדהים. 素晴らしい. \u202eabc\x00\ud800",
    "https://example.org @somebody " * 200,
)
"""What every candidate is asked before it may answer anybody: good, bad, nothing, emoji only, other scripts and rubbish, too long."""


@dataclass(frozen=True)
class LoadedModel:
    """A champion in memory. The predictor may be used by several threads at once; whoever holds this object finishes on it."""

    name: str
    version: Version
    predictor: Predictor
    digest: str
    loaded_at: datetime


def load_model(folder: Path, version: Version, *, name: str, topic: str) -> LoadedModel:
    """The model of the export in ``folder``, admitted: loaded as it will be served and queried with `TRIAL`."""
    _refuse_strangers(folder)
    predictor = Predictor.load(folder)
    _refuse_other_config(folder, predictor, topic)
    _refuse_bad_answers(folder, predictor)
    return LoadedModel(name, version, predictor, sha256_of(folder / MANIFEST), datetime.now(UTC))


def _refuse_strangers(folder: Path) -> None:
    """A file that nobody vouches for, or of a kind that an export has none of (a pickle, external weights), does not come in."""
    try:
        listed = set(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]) | {MANIFEST}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder}: {MANIFEST} can't be read ({type(error).__name__}): fetch or export the model again") from error
    files = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    unlisted = sorted(path.name for path in files if path.is_symlink() or path.relative_to(folder).as_posix() not in listed)
    if unlisted:
        raise ModelError(f"{folder}: {', '.join(unlisted)} not listed in {MANIFEST}: expected the files of the export and no others")
    strange = sorted(name for name in listed if not str(name).endswith(KINDS))
    if strange:
        raise ModelError(f"{folder}: {', '.join(strange)}: expected only files of the kinds {', '.join(KINDS)}")


def _refuse_other_config(folder: Path, predictor: Predictor, topic: str) -> None:
    if predictor.labels != LABELS:
        raise ModelError(f"{folder}: expected the labels {', '.join(LABELS)} in this order, found {', '.join(map(str, predictor.labels))}")
    found = predictor.config.get("topic")
    if found != topic:
        raise ModelError(f"{folder}: expected a model of topic {topic!r}, found one of {found!r}")


def _refuse_bad_answers(folder: Path, predictor: Predictor) -> None:
    try:
        probabilities = predictor.predict(TRIAL)
    except Exception as error:  # noqa: BLE001 - whatever an unknown model does when it is asked, it is not admitted
        raise ModelError(f"{folder}: loads, but can't answer ({type(error).__name__}: {error})") from error
    if probabilities.shape != (len(TRIAL), len(LABELS)) or not np.isfinite(probabilities).all():
        raise ModelError(
            f"{folder}: expected finite probabilities of shape {(len(TRIAL), len(LABELS))}, found {probabilities.shape} with NaN or infinity in it"
        )
    if (probabilities < 0).any() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise ModelError(f"{folder}: its answers are no probabilities: negative, or not summing to 1")
