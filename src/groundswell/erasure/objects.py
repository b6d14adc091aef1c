"""Erasure in DVC: objects of cache and remote that hold erased rows, by md5, whatever version they belong to.

Reads every Parquet object that the cache has, and those that only the remote has; deletes the ones with erased rows in both. Listings of
folders stay: they name files and md5s. A version that had such an object can't be restored any more, and `checkout` says so.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from groundswell.encryption import Encryption, reading
from groundswell.erasure.subjects import Targets
from groundswell.lake import Partition
from groundswell.tombstones import Tombstones
from groundswell.versions import Versions

log = logging.getLogger(__name__)

_COLUMNS = ("source", "post_id", "author", "row_id", "text")


def find(versions: Versions, targets: Targets, encryption: Encryption | None) -> int:
    """Learn the posts of authors from old versions of the lake; how many objects were looked at."""
    looked = 0
    for _, table in _tables(versions, encryption):
        looked += 1
        if "author" in table.column_names and "post_id" in table.column_names:
            for source in targets.sources:
                own = table.filter(pc.equal(table.column("source"), source))
                targets.learn(own.filter(targets.mask(own, source)), source)
    return looked


def holding(versions: Versions, tombstones: Tombstones, encryption: Encryption | None) -> dict[str, int]:
    """md5 → erased rows in that object."""
    found = {}
    for md5, table in _tables(versions, encryption):
        rows = table.num_rows - tombstones.without(_keyed(table)).num_rows
        traces = "raw" in table.column_names and not tombstones.without(table).equals(table)
        if rows or traces:
            found[md5] = rows
    return found


def revisions(versions: Versions, partitions: Iterable[Partition], encryption: Encryption | None) -> set[str]:
    """md5s of all that was ever sealed of ``partitions``: those of their earlier revisions too. An empty one may be another's as well, and stays."""
    layers: dict[str, set[str]] = {}
    for partition in partitions:
        layer, _, name = partition.name.partition("/")
        layers.setdefault(name, set()).add(layer)
    named = {md5: layers[name] for listing in versions.listings() for name, md5 in listing.items() if name in layers}
    return {md5 for md5, wanted in named.items() if _layer_of(versions.content(md5), encryption) in wanted}


def _layer_of(content: bytes | None, encryption: Encryption | None) -> str | None:
    """Of which sealed layer a file is, by its columns, for both call their files alike; None for an object that is gone, and for no rows."""
    if content is None:
        return None
    file = pq.ParquetFile(io.BytesIO(content), decryption_properties=reading(io.BytesIO(content), encryption))
    if not file.metadata.num_rows:
        return None
    return "labels" if "annotator" in file.schema_arrow.names else "valid"


def _keyed(table: pa.Table) -> pa.Table:
    """With source and post_id, also where they are only the parts of a row_id ``source/topic/post_id`` (the token cache)."""
    if "post_id" in table.column_names:
        return table
    parts = [row_id.split("/", 2) for row_id in table.column("row_id").to_pylist()]
    return pa.table({"source": [part[0] for part in parts], "post_id": [part[2] for part in parts]})


def _tables(versions: Versions, encryption: Encryption | None) -> Iterator[tuple[str, pa.Table]]:
    for md5, content in versions.objects():
        if content[:4] not in (b"PAR1", b"PARE"):
            continue
        try:
            content = io.BytesIO(content)
            file = pq.ParquetFile(content, decryption_properties=reading(content, encryption))
        except pa.ArrowException as error:
            log.warning("DVC object %s can't be read as Parquet (%s): it is left", md5, error)
            continue
        names = file.schema_arrow.names
        if {"source", "post_id"} <= set(names) or "row_id" in names:
            yield md5, file.read(columns=[name for name in (*_COLUMNS, "raw") if name in names])
