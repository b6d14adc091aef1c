"""What a model has learnt from: its own training rows, and those of every model whose weights it began with (`warm_start`).

Reads the hashes that exports keep, a data set's ``kin.parquet``, the tags of model versions and the manifests that their runs keep. Writes nothing.
Refuses (`ModelError`) an export that does not keep what is asked for: whoever went on without it would judge a model by what it has learnt.
A version without the tag `ANCESTORS` began with a base: it has learnt from its own data set only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from groundswell import runs
from groundswell.errors import ModelError
from groundswell.examples import Examples
from groundswell.kin import kin_of, row_hashes
from groundswell.registry import ModelVersion
from groundswell.text import fingerprint

ANCESTORS = "ancestors"
"""In config.json, and as JSON in a version's tag: the models that it began with, the nearest first, each version, run_id, dataset_md5."""
UNLABELLED = "unlabelled_partitions"
"""In the manifest that a run keeps: the lake's partitions of the posts that its model learnt from and that no data set has (`added`)."""
ROWS, TEXTS = "trained_rows.npy", "trained_on.npy"


def hashes(export: Path, name: str) -> np.ndarray:
    """The hashes that ``export`` keeps under ``name`` (`ROWS`, `TEXTS`), uint64, sorted; `ModelError` where it keeps none."""
    try:
        return np.load(export / name, allow_pickle=False)
    except FileNotFoundError:
        raise ModelError(f"{export} has no {name}: what its model has learnt can't be told; train the model again with this code") from None
    except (ValueError, EOFError) as error:
        raise ModelError(f"{export / name} can't be read ({error}): train the model again, or fetch its export again") from None


def united(parent: Path | None, name: str, own: np.ndarray) -> np.ndarray:
    """The hashes ``own`` (uint64) and those that the export ``parent`` keeps under ``name``: sorted, each once."""
    return np.unique(own) if parent is None else np.union1d(hashes(parent, name), own)


def learnt_rows(export: Path, rows: Examples) -> np.ndarray:
    """Which of ``rows`` the model of ``export`` was trained on, by their ids, bool (n,)."""
    return np.isin(row_hashes(rows.table["row_id"].to_pylist()), hashes(export, ROWS))


def met_rows(export: Path, rows: Examples, dataset: Path, split: str) -> np.ndarray:
    """Which of ``rows`` (the ``split``, validation or test, of ``dataset``) it was trained on, by id or by text, or on kin of theirs, bool (n,)."""
    return learnt_rows(export, rows) | met_in_others(export, rows, dataset, split)


def met_in_others(export: Path, rows: Examples, dataset: Path, split: str) -> np.ndarray:
    """Which of ``rows`` say what a row says that it was trained on, or are kin of one, bool (n,)."""
    learnt, texts = hashes(export, ROWS), np.array([fingerprint(text) for text in rows.texts], dtype=np.uint64)
    akin = kin_of(learnt, pq.ParquetFile(dataset / "kin.parquet").read(), split)
    is_akin = np.array([row_id in akin for row_id in rows.table["row_id"].to_pylist()], dtype=bool)
    return np.isin(texts, hashes(export, TEXTS)) | is_akin


def ancestors(version: ModelVersion) -> list[dict]:
    """The models that ``version`` began with, the nearest first."""
    return json.loads(version.tags.get(ANCESTORS, "[]"))


def dataset_md5s(version: ModelVersion) -> list[str]:
    """The md5 of every data set that ``version`` has learnt from, its own first; "" for one that is not known."""
    return list(dict.fromkeys([version.tags.get("dataset_md5", ""), *(one["dataset_md5"] for one in ancestors(version))]))


class Manifests:
    """The manifests of data sets, each read from its run once."""

    def __init__(self, settings):
        self._settings = settings
        self._known: dict[str, dict | None] = {}

    def of_run(self, run_id: str) -> dict | None:
        """What the run kept of its data set; None where it kept nothing."""
        if run_id not in self._known:
            self._known[run_id] = runs.read_json(self._settings, run_id, "dataset/manifest.json")
        return self._known[run_id]

    def partitions(self, version: ModelVersion) -> list[Mapping[str, dict]]:
        """The partitions of each data set that ``version`` has learnt from, the oldest first, its own last; those of unlabelled posts too."""
        run_ids = [version.run_id, *(one["run_id"] for one in ancestors(version))]
        manifests = [self.of_run(run_id) or {} for run_id in reversed(run_ids)]
        return [{**one.get(UNLABELLED, {}), **one.get("partitions", {})} for one in manifests]


def merged(parts: list[Mapping[str, dict]]) -> dict[str, dict]:
    """One mapping of several, the later ones winning."""
    return {key: value for part in parts for key, value in part.items()}
