"""Erasure in data sets: rows out of the splits, the token cache and the table of kin, numbers and digests of the manifest made anew.

Reads and replaces ``dataset/<topic>/`` as a whole. The rows that stay are the same, in the same splits: a new split would show a
model rows that it was judged on. A group that was called after an erased row gets the name of the first that stays.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from groundswell.errors import DatasetError
from groundswell.examples import SPLITS, read_manifest
from groundswell.files import alone_in, replacing_folder, write_json
from groundswell.lake import Partition, write_parquet
from groundswell.rows import described
from groundswell.tombstones import Tombstones


def clean(folder: Path, changed: dict[Partition, dict], tombstones: Tombstones) -> dict[str, int]:
    """Rows taken out of each split. ``changed``: what `erasure.lake.clean` did, for the manifest to name the lake as it is now."""
    with alone_in(folder.parent):  # who makes a new data set meanwhile would be replaced by the old one
        return _cleaned(folder, changed, tombstones)


def _cleaned(folder: Path, changed: dict[Partition, dict], tombstones: Tombstones) -> dict[str, int]:
    tables = {split: _read(folder / f"{split}.parquet") for split in SPLITS}
    masks = {split: tombstones.kept(table) for split, table in tables.items()}
    removed = {split: pc.sum(pc.invert(masks[split])).as_py() or 0 for split, table in tables.items()}
    manifest = read_manifest(folder)
    topic = manifest["topic"]
    partitions = _renewed(manifest["partitions"], {partition: found for partition, found in changed.items() if partition.topic == topic})
    kin = _read(folder / "kin.parquet") if (folder / "kin.parquet").exists() else None
    known = tombstones.kept(kin) if kin is not None else None
    if not any(removed.values()) and (kin is None or pc.all(known).as_py() is not False) and partitions == manifest["partitions"]:
        return removed
    kept = _regrouped({split: table.filter(masks[split]) for split, table in tables.items()})
    gone = Counter(source for split, table in tables.items() for source in table.filter(pc.invert(masks[split])).column("source").to_pylist())
    sources = {source: max(0, rows - gone[source]) for source, rows in manifest.get("sources", {}).items()}
    splits = {split: {**manifest["splits"].get(split, {}), **described(kept[split])} for split in SPLITS}
    with replacing_folder(folder) as beside:
        shutil.copytree(folder, beside, dirs_exist_ok=True)
        for split in SPLITS:
            write_parquet(kept[split], beside / f"{split}.parquet")
            tokens = folder / "tokens" / f"{split}.parquet"
            if tokens.exists():
                write_parquet(_read(tokens).filter(masks[split]), beside / "tokens" / f"{split}.parquet")
        if kin is not None:
            write_parquet(kin.filter(known), beside / "kin.parquet")
        write_json({**manifest, "partitions": partitions, "sources": sources, "splits": splits}, beside / "manifest.json")
    return removed


def _read(path: Path) -> pa.Table:
    try:
        return pq.ParquetFile(path).read().replace_schema_metadata(None)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} can't be read ({error}): remove its folder and run prepare, then erase again") from None


def _renewed(partitions: dict[str, dict], changed: dict[Partition, dict]) -> dict[str, dict]:
    """The manifest's partitions, those that it had read and that lost rows as they are now."""
    renewed = dict(partitions)
    for partition, found in changed.items():
        key = partition.key if partition.layer == "valid" else f"{partition.layer}/{partition.key}"
        if renewed.get(key, {}).get("sha256") == found["before"]["sha256"]:
            renewed[key] = found["after"]
    return renewed


def _regrouped(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """A group is called after its smallest row_id (`prepare`): of those that stay."""
    smallest: dict[str, str] = {}
    for table in tables.values():
        for group, row_id in zip(table["group"].to_pylist(), table["row_id"].to_pylist(), strict=True):
            smallest[group] = min(smallest.get(group, row_id), row_id)
    place = {split: table.column_names.index("group") for split, table in tables.items()}
    return {
        split: table.set_column(place[split], table.schema.field("group"), pa.array(map(smallest.get, table["group"].to_pylist()), pa.string()))
        for split, table in tables.items()
    }
