"""A mirror of a lake on object storage in a folder of this machine, for what reads folders: DVC.

Reads a layer's objects. Writes the changed ones below a folder under the names that they have in the lake, removes those that are
gone, and keeps beside the layer by which stamps it knows them (``.<layer>.stamps.json``, written last).
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from groundswell.errors import LakeError
from groundswell.files import replacing, write_json
from groundswell.lake import LAYERS, Lake
from groundswell.storage import Objects

log = logging.getLogger(__name__)


def mirror(lake: Lake, layer: str, folder: Path) -> int:
    """Make ``folder/layer`` what the lake's layer is, file by file; returns how many files were fetched. `LakeError` as of `Lake.read`."""
    objects = lake.storage
    if not isinstance(objects, Objects):
        raise LakeError(f"{lake.root}: a lake in a folder needs no mirror: read it where it is")
    record = folder / f".{layer}.stamps.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    stamps = {name: _mirrored(objects, name, folder / name, known.get(name)) for name in sorted(objects.names(layer))}
    for path in (folder / layer).rglob("*.parquet"):
        if path.relative_to(folder).as_posix() not in stamps:
            path.unlink()
    write_json(stamps, record)
    fetched = sum(known.get(name) != stamp for name, stamp in stamps.items())
    log.info("mirror of %s: %d files, %d fetched", layer, len(stamps), fetched)
    return fetched


def refresh(lake: Lake, folder: Path) -> int:
    """`mirror` every layer that was mirrored to ``folder`` before: rows that went out of the lake must not stay in its image. Files fetched."""
    if not isinstance(lake.storage, Objects):
        return 0
    return sum(mirror(lake, layer, folder) for layer in LAYERS if (folder / layer).is_dir())


def _mirrored(objects: Objects, name: str, path: Path, known: str | None) -> str:
    """The stamp of what lies at ``path`` now."""
    if path.exists() and known is not None and objects.stamp(name) == known:
        return known
    with replacing(path) as beside:
        return objects.fetch(name, beside)
