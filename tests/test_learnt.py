"""What an export has learnt is read in one place; an export that does not tell is refused in one sentence by whoever asks."""

import json
import shutil

import numpy as np
import pytest
from dvc_project import example
from tiny import shared_export, tiny_rows

from groundswell.approaches.augmentation import augmented
from groundswell.approaches.base import Labelled, Surroundings
from groundswell.contenders import Contender, fair
from groundswell.errors import GroundswellError, ModelError
from groundswell.evaluate import _measured
from groundswell.examples import Examples
from groundswell.files import write_json
from groundswell.learnt import ROWS, TEXTS, hashes, learnt_rows, met_rows, united
from groundswell.params import CompareRow, EvaluateParams, TrainParams

pytestmark = pytest.mark.slow  # the export is a small network's


@pytest.fixture
def export(tmp_path):
    """Without trained_on.npy, of which its manifest does not know either."""
    folder = shutil.copytree(shared_export(), tmp_path / "export")
    (folder / TEXTS).unlink()
    files = json.loads((folder / "manifest.json").read_text())["files"]
    write_json({"files": {name: sha256 for name, sha256 in files.items() if name != TEXTS}}, folder / "manifest.json")
    return folder


def rows() -> Examples:
    import pyarrow as pa

    from groundswell.schema import EXAMPLE

    table = pa.Table.from_pylist([example(number, f"text {number}", number % 3) for number in range(3)], EXAMPLE)
    return Examples(table["text"].to_pylist(), table["label"].to_numpy(), table)


def _weak_labels(export, tmp_path):
    own = Labelled(["a", "b", "c"], np.arange(3), ["a", "b", "c"])
    around = Surroundings(threads=1, train=TrainParams(), scratch=tmp_path, unlabelled=tiny_rows(20, seed=3)[0], champion=export)
    return augmented(own, CompareRow(name="row", model="vader", augmentation="weak_champion"), 1, around)


READERS = {
    "judge": lambda export, box: fair(rows(), box, Contender(None, export), None),
    "evaluate": lambda export, box: _measured(rows(), np.eye(3), np.eye(3), export.parent, EvaluateParams(bootstrap_samples=100)),
    "a child of it": lambda export, box: united(export, TEXTS, np.empty(0, dtype=np.uint64)),
    "weak labels": _weak_labels,
    "hashes": lambda export, box: hashes(export, TEXTS),
}


@pytest.mark.parametrize("reader", READERS)
def test_an_export_that_does_not_tell_its_texts_is_refused_in_one_sentence(export, tmp_path, reader):
    with pytest.raises(GroundswellError, match=r"export has no trained_on\.npy: .*; train the model again") as refusal:
        READERS[reader](export, tmp_path)
    assert isinstance(refusal.value, ModelError) and "\n" not in str(refusal.value)


def test_a_file_of_something_else_is_refused_too(export):
    for damaged in (b"no numpy at all", b""):
        (export / TEXTS).write_bytes(damaged)
        with pytest.raises(ModelError, match=r"trained_on\.npy can't be read"):
            hashes(export, TEXTS)
    np.save(export / TEXTS, np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError, match=r"trained_on\.npy can't be read"):
        hashes(export, TEXTS)


def test_without_the_rows_learnt_nothing_is_said_of_them(export, tmp_path):
    (export / ROWS).unlink()
    for ask in (lambda: learnt_rows(export, rows()), lambda: met_rows(export, rows(), tmp_path, "test")):
        with pytest.raises(ModelError, match=r"has no trained_rows\.npy"):
            ask()
