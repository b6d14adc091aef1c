"""Contenders: the registered versions that are compared, and the rows that are fair to both.

Reads exports fetched from the registry (weights' hashes, what they were trained on) and the data set's ``kin.parquet``. Writes nothing.
Refuses (`JudgeRefused`) an export of other labels or text rules, and when of some class no fair row is left; as `learnt` does (`ModelError`)
an export that does not tell which texts it has learnt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from groundswell.errors import JudgeRefused
from groundswell.examples import Examples
from groundswell.files import sha256_of
from groundswell.kin import kin_of, row_hashes
from groundswell.learnt import ROWS, TEXTS, hashes
from groundswell.registry import CHALLENGER, CHAMPION, ModelVersion
from groundswell.schema import LABELS
from groundswell.text import TEXT_VERSION, fingerprint


@dataclass(frozen=True)
class Contender:
    """A registered version and its export, fetched from the registry and verified."""

    version: ModelVersion
    folder: Path

    @property
    def weights(self) -> tuple[str, str]:
        files = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))["files"]
        return files["model.onnx"], files["model.int8.onnx"]

    @property
    def digest(self) -> str:
        """Of the manifest, which has every file's sha256: serving's name for the export."""
        return sha256_of(self.folder / "manifest.json")

    @property
    def dataset_md5(self) -> str | None:
        return json.loads((self.folder / "config.json").read_text(encoding="utf-8")).get("dataset_md5")

    @property
    def golden(self) -> tuple[list[str], np.ndarray]:
        """Texts, and the probabilities (n, 3) that the network gave for them where it was trained; none in an export of before that."""
        path = self.folder / "golden.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"texts": [], "probabilities": []}
        return found["texts"], np.array(found["probabilities"]).reshape(-1, len(LABELS))

    def has_seen(self, fingerprints: np.ndarray) -> np.ndarray:
        """Which of the texts it was trained on, bool (n,)."""
        return np.isin(fingerprints, hashes(self.folder, TEXTS))

    def has_met(self, row_ids: list[str], dataset: Path) -> np.ndarray | None:
        """Which of the test rows of ``dataset`` it was trained on, or on others of their author or cluster of duplicates, bool (n,).

        None: it can't be told, because export or data set is older than the files that tell it.
        """
        kin = dataset / "kin.parquet"
        if not (self.folder / ROWS).exists() or not kin.exists():
            return None
        learnt = hashes(self.folder, ROWS)
        akin = kin_of(learnt, pq.ParquetFile(kin).read())
        return np.isin(row_hashes(row_ids), learnt) | np.array([row_id in akin for row_id in row_ids], dtype=bool)


def require_rules(name: str, one: Contender, remedy: str) -> None:
    """`JudgeRefused` unless the export answers in the order of `LABELS` and reads texts by the rules of this code."""
    config = json.loads((one.folder / "config.json").read_text(encoding="utf-8"))
    for what, expected in (("labels", list(LABELS)), ("text_version", TEXT_VERSION)):
        if (found := config.get(what)) != expected:
            raise JudgeRefused(f"{name}, version {one.version.version}: its export has {what} {found}, this code {expected}: {remedy}")


def fair(rows: Examples, dataset: Path, new: Contender, old: Contender | None) -> tuple[Examples, dict[str, int | None]]:
    """The rows that neither model was trained on, nor on kin of theirs; and how many each had ``seen`` or had ``met`` (None: unknown)."""
    fingerprints = np.array([fingerprint(text) for text in rows.texts], dtype=np.uint64)
    row_ids = rows.table["row_id"].to_pylist()
    keep, excluded = np.ones(len(rows), dtype=bool), {}
    for name, one in {CHALLENGER: new, CHAMPION: old}.items():
        seen = one.has_seen(fingerprints) if one else ~keep & False
        met = one.has_met(row_ids, dataset) if one else ~keep & False
        excluded |= {f"seen_by_{name}": int(seen.sum()), f"met_by_{name}": None if met is None else int((met & ~seen).sum())}
        keep &= ~(seen if met is None else seen | met)
    excluded["rows"] = int((~keep).sum())
    left = Examples([text for text, kept in zip(rows.texts, keep, strict=True) if kept], rows.labels[keep], rows.table.filter(keep))
    lacking = [name for number, name in enumerate(LABELS) if not (left.labels == number).any()]
    if lacking:
        raise JudgeRefused(
            f"of {len(rows)} test rows {excluded['rows']} were seen in training by challenger or champion, or are akin to such; among the "
            f"{len(left)} left there is no {' and no '.join(lacking)} one: nothing fair can be said; "
            "collect and label newer posts, then prepare and train"
        )
    return left, excluded
