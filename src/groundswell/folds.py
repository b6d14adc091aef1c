"""Frozen folds: the rows that a comparison learns from and is judged on, cut once for all its approaches.

Reads the train and validation splits of a data set, never test: that is the judge's. Writes ``folds.parquet``: the fold of each row, train
first, validation after it, in the data set's own order, and no word of whose rows they are. A group (duplicates, one author's posts) lies in
one fold whole; rows whose label may not judge are learnt from only. Refuses fewer groups with a label that may judge than folds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groundswell.errors import DatasetError
from groundswell.examples import read_examples
from groundswell.files import replacing
from groundswell.schema import JUDGING_PROVENANCES, LABELS

READ = ("train", "validation")
"""The splits that a comparison may see."""


@dataclass(frozen=True)
class Rows:
    """The rows of `READ`, in order: texts, class numbers (n,), groups, and whether their labels may judge (n,)."""

    texts: list[str]
    labels: np.ndarray
    groups: list[str]
    may_judge: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Folds:
    """The fold of every row (n,), and a digest of the cut that a change of any row's fold, label or group changes."""

    of_row: np.ndarray
    digest: str

    @property
    def count(self) -> int:
        return int(self.of_row.max()) + 1

    def judged(self, rows: Rows, fold: int) -> np.ndarray:
        """The places of the rows that fold ``fold`` judges by."""
        return np.flatnonzero((self.of_row == fold) & rows.may_judge)

    def learnt(self, rows: Rows, fold: int, share: float, seed: int) -> np.ndarray:
        """The places of ``share`` of the rows that may be learnt from when ``fold`` judges: whole groups, in an order drawn by ``seed``,
        so that a smaller share lies in every larger one."""
        places = np.flatnonzero(self.of_row != fold)
        if share >= 1:
            return places
        rank = np.array([_number(f"{seed}/{rows.groups[place]}") for place in places], dtype=np.uint64)
        held = np.argsort(rank, kind="stable")[: max(1, round(share * len(places)))]
        return places[rank <= rank[held[-1]]]


def read_rows(dataset: Path) -> Rows:
    """The rows of the data set at ``dataset``; `DatasetError` when it is not there."""
    parts = [read_examples(dataset, split) for split in READ]
    may_judge = [provenance in JUDGING_PROVENANCES for part in parts for provenance in part.table["label_provenance"].to_pylist()]
    groups = [group for part in parts for group in part.table["group"].to_pylist()]
    texts = [text for part in parts for text in part.texts]
    return Rows(texts, np.concatenate([part.labels for part in parts]), groups, np.array(may_judge))


def cut(rows: Rows, count: int) -> Folds:
    """``count`` folds of ``rows``: by group, each with its share of every class among the rows that judge, and of all rows.

    The largest groups first, each to the fold that is furthest from having its share (greedy, as in stratified grouped folds elsewhere);
    equals in the order of a hash of their names. A pure function of the rows.
    """
    names, number = np.unique(np.asarray(rows.groups, dtype=object).astype(str), return_inverse=True)
    kinds = np.where(rows.may_judge, rows.labels, len(LABELS))  # what only teaches is a kind of its own
    sizes = np.zeros((len(names), len(LABELS) + 1))
    np.add.at(sizes, (number, kinds), 1)
    if (judging := int((sizes[:, :-1].sum(axis=1) > 0).sum())) < count:
        raise DatasetError(
            f"{count} folds need as many groups with a label that may judge ({', '.join(JUDGING_PROVENANCES)}), found {judging}: "
            "collect or label more, or set compare.folds lower"
        )
    order = sorted(range(len(names)), key=lambda at: (-sizes[at].sum(), _number(names[at])))
    of_group = np.zeros(len(names), dtype=np.int64)
    held, whole = np.zeros((count, len(LABELS) + 1)), np.maximum(sizes.sum(axis=0), 1)
    for at in order:
        fold = int(np.argmin((held / whole) @ (sizes[at] / sizes[at].sum()) + 1e-6 * held.sum(axis=1) / len(rows)))
        of_group[at] = fold
        held[fold] += sizes[at]
    return Folds(of_group[number], _digest(rows, of_group[number]))


def write(folds: Folds, path: Path) -> None:
    """Leave the folds at ``path``."""
    with replacing(path) as beside:
        pq.write_table(pa.table({"fold": folds.of_row}).replace_schema_metadata({"digest": folds.digest}), beside)


def read(path: Path, rows: Rows) -> Folds:
    """The folds that `write` left; `DatasetError` when they are not of ``rows``."""
    table = pq.read_table(path)
    digest = (table.schema.metadata or {}).get(b"digest", b"").decode()
    of_row = table["fold"].to_numpy()
    if len(of_row) != len(rows) or _digest(rows, of_row) != digest:
        raise DatasetError(f"{path} are folds of other rows than the data set has now: run groundswell compare again")
    return Folds(of_row, digest)


def _digest(rows: Rows, of_row: np.ndarray) -> str:
    found = hashlib.sha256()
    for text, label, group, judges, fold in zip(rows.texts, rows.labels, rows.groups, rows.may_judge, of_row, strict=True):
        found.update(f"{int(fold)} {int(label)} {int(judges)} {group} {len(text)}\n{text}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
