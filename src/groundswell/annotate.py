"""Annotate: the labels that people gave to a window's posts, into ``lake/labels``.

Reads which posts a window has (``lake/raw``) and asks the annotator service for their labels, keys only, page by page. Writes
one partition a source and window. Posts that a person or a data set has labelled already are not asked about. Where no
annotator is set, nothing is written and the report says so.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from groundswell.errors import LakeError, SourceError
from groundswell.files import write_json
from groundswell.http import Http
from groundswell.lake import Lake, Partition
from groundswell.params import AnnotateParams
from groundswell.schema import ANNOTATION, JUDGING_PROVENANCES, LABELS
from groundswell.settings import Settings
from groundswell.tombstones import Tombstones
from groundswell.window import Window

if TYPE_CHECKING:
    from httpx2 import BaseTransport

log = logging.getLogger(__name__)

POSTS_PER_PAGE = 500


def annotate(topic: str, windows: list[Window], *, settings: Settings, params: AnnotateParams, transport: BaseTransport | None = None) -> dict:
    """Fetch labels into ``lake/labels``; the report counts posts asked about and labels got, a source and window each.

    `LakeError` where a window has no posts' partition at all or a damaged one; `SourceError` where the annotator can't be understood.
    """
    if not settings.annotator_url:
        return {
            "stage": "annotate",
            "topic": topic,
            "annotator": None,
            "labels": 0,
            "windows": {},
            "note": "GROUNDSWELL_ANNOTATOR_URL is not set: nobody annotates",
        }
    lake, tombstones, written = Lake(settings.lake), Tombstones(settings), {}
    with Http(transport=transport) as http:
        for window, partitions in _posts(lake, topic, windows).items():
            written[window.key] = {posts.source: _annotate_one(lake, posts, http, settings, params, tombstones) for posts in partitions}
            log.info("%s/%s: %d labels", topic, window.key, sum(part["labels"] for part in written[window.key].values()))
            write_json(written[window.key], settings.report("annotate", topic, window.key))
    labels = sum(part["labels"] for parts in written.values() for part in parts.values())
    return {"stage": "annotate", "topic": topic, "annotator": settings.annotator_url, "labels": labels, "windows": written, "requests": http.requests}


def _posts(lake: Lake, topic: str, windows: list[Window]) -> dict[Window, list[Partition]]:
    """The raw partition of each source, a window each; never the valid one, which is there the second time only."""
    found: dict[Window, list[Partition]] = {window: [] for window in windows}
    for partition in lake.partitions("raw", topic=topic):
        if partition.window in found:
            found[partition.window].append(partition)
    for window, partitions in found.items():
        if not partitions:
            raise LakeError(f"no posts of {topic}/{window.key} are in the lake ({lake.root}): collect the window first")
    return found


def _annotate_one(lake: Lake, posts: Partition, http: Http, settings: Settings, params: AnnotateParams, tombstones: Tombstones) -> dict:
    asked = _unlabelled(tombstones.without(lake.read(posts), posts.source))
    rows = []
    for start in range(0, len(asked), POSTS_PER_PAGE):
        rows += _page(posts, asked[start : start + POSTS_PER_PAGE], http, settings, params)
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: row["post_id"]), schema=ANNOTATION)
    partition = lake.partition("labels", posts.source, posts.topic, posts.window)
    described = tombstones.publish(lake, partition, table, {"window": posts.window.key, "status": "complete", "connector_version": "annotate-1"})
    return {
        "asked": len(asked),
        "labels": described["rows"],
        "sha256": described["sha256"],
        "by_label": dict(sorted(Counter(row["label"] for row in rows).items())),
    }


def _unlabelled(table: pa.Table) -> list[str]:
    """Ids of the posts that no person and no data set has labelled."""
    pairs = zip(table.column("post_id").to_pylist(), table.column("label_provenance").to_pylist(), strict=True)
    return [post_id for post_id, provenance in pairs if provenance not in JUDGING_PROVENANCES]


def _page(posts: Partition, ids: list[str], http: Http, settings: Settings, params: AnnotateParams) -> list[dict]:
    question = {
        "topic": posts.topic,
        "start": posts.window.start.isoformat(),
        "end": posts.window.end.isoformat(),
        "posts": [{"source": posts.source, "post_id": post_id} for post_id in ids],
        **params.model_dump(include={"share", "error_rate", "seed"}),
    }
    answer = http.post(settings.annotator_url, question).get("annotations")
    if not isinstance(answer, list):
        raise SourceError(f"{settings.annotator_url}: expected a list 'annotations': does GROUNDSWELL_ANNOTATOR_URL name an annotator service?")
    wanted = set(ids)
    return list({row["post_id"]: row for row in (_row(posts, given, wanted) for given in answer)}.values())


def _row(posts: Partition, given: dict, wanted: set[str]) -> dict:
    try:
        post_id, label, labelled_at = given["post_id"], given["label"], datetime.fromisoformat(given["labelled_at"])
        if given["source"] != posts.source or post_id not in wanted or label not in LABELS or labelled_at.tzinfo is None:
            raise ValueError(f"label {label!r} for a post that was not asked about, or not one of {', '.join(LABELS)}, or without a time zone")
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"annotator: an annotation of {posts.key} can't be used: {error!r}") from None
    return {
        "source": posts.source,
        "topic": posts.topic,
        "post_id": post_id,
        "label": label,
        "label_provenance": "human",
        "annotator": given.get("annotator"),
        "labelled_at": labelled_at,
    }
