"""Every kind of candidate that must not get in, made from a good one."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from groundswell.errors import ModelError
from serving.loading import TRIAL, load_model
from serving.registry import Version

VERSION = Version("1", "run-1", "models:/m-1")


def admit(folder: Path, topic: str = "games"):
    return load_model(folder, VERSION, name="groundswell-sentiment-games", topic=topic)


def reseal(folder: Path) -> None:
    """Make the manifest true of what lies there: what an honest exporter of a bad model would have written."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


@pytest.fixture
def candidate(exports, tmp_path) -> Path:
    return Path(shutil.copytree(exports["1"], tmp_path / "candidate"))


def configure(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    reseal(folder)


def with_nan_weights(folder: Path) -> None:
    """A network whose last bias is no number."""
    model = onnx.load(folder / "model.int8.onnx")
    bias = next(tensor for tensor in model.graph.initializer if list(tensor.dims) == [3])
    bias.CopyFrom(numpy_helper.from_array(np.full(3, np.nan, dtype=np.float32), bias.name))
    onnx.save(model, folder / "model.int8.onnx")
    reseal(folder)


def with_external_data(folder: Path, location: str = "../weights.bin") -> None:
    """A network that would read its weights from wherever it likes; onnx itself would not write such a one any more."""
    onnx.save(onnx.load(folder / "model.int8.onnx"), folder / "model.int8.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    (folder / "weights.bin").rename((folder / location).resolve())
    model = onnx.load(folder / "model.int8.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    (folder / "model.int8.onnx").write_bytes(model.SerializeToString())
    reseal(folder)


def test_a_good_one_gets_in(candidate):
    model = admit(candidate)
    assert model.digest == hashlib.sha256((candidate / "manifest.json").read_bytes()).hexdigest()
    assert model.predictor.predict(TRIAL).shape == (len(TRIAL), 3)


BAD = {
    "a file cut off": (lambda folder: (folder / "model.int8.onnx").write_bytes(b"\x08\x07"), "damaged or changed"),
    "a file missing": (lambda folder: (folder / "tokenizer.json").unlink(), "not in the folder"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json can't be read"),
    "a manifest of another shape": (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json can't be read"),
    "a file that nobody listed": (lambda folder: (folder / "weights.bin").write_bytes(b"x"), "weights.bin not listed"),
    "a link": (lambda folder: ((folder / "card.md").unlink(), (folder / "card.md").symlink_to("/etc/hostname")), "card.md not listed"),
    "labels in another order": (
        lambda folder: configure(folder, labels=["positive", "neutral", "negative"]),
        "expected the labels negative, neutral, positive",
    ),
    "another topic": (lambda folder: configure(folder, topic="music"), "expected a model of topic 'games', found one of 'music'"),
    "another text version": (lambda folder: configure(folder, text_version=0), "text rules version 0"),
    "a temperature of nought": (lambda folder: configure(folder, temperature=0.0), "NaN or infinity"),
    "a network that is no number": (with_nan_weights, "NaN or infinity"),
    "a network that is no network": (lambda folder: ((folder / "model.int8.onnx").write_bytes(b"rubbish"), reseal(folder)), "can't be loaded"),
    "weights elsewhere": (with_external_data, "can't be loaded"),
    "weights beside it": (lambda folder: with_external_data(folder, "weights.bin"), "weights.bin: expected only files of the kinds"),
    "a pickle": (lambda folder: ((folder / "model.pkl").write_bytes(b"x"), reseal(folder)), "model.pkl: expected only files of the kinds"),
    "a tokenizer that is none": (lambda folder: ((folder / "tokenizer.json").write_text("{}"), reseal(folder)), "can't be loaded"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("spoil", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_one_does_not(candidate, spoil, reason):
    spoil(candidate)
    with pytest.raises(ModelError, match=reason):
        admit(candidate)
