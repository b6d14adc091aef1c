"""Posts of the lake without a label that have nothing to do with given rows: for weak labels, and for guessing words in.

Reads ``lake/valid`` and the rows of a data set; writes nothing. A post is related to a row by being it, by its author, by an equal
post id, or by a text that is a near duplicate (`duplicates.near_clusters`, chains included, as `prepare` groups rows).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from groundswell.duplicates import near_clusters
from groundswell.examples import Examples
from groundswell.lake import Lake
from groundswell.text import normalise, skeleton

log = logging.getLogger(__name__)

LEARNT_FROM_LAKE = "learnt_from_lake"
"""The tag of a run and a model version that learnt from such posts, by a weak label or by their words: how many. They are in no data set."""

_COLUMNS = ["source", "post_id", "author", "text", "label"]
_SLACK = 4  # so many times more are read than are wanted: some turn out to be related


class Post(NamedTuple):
    """What relates one post to another: ``text`` normalised."""

    source: str
    post_id: str
    author: str | None
    text: str
    partition: str = ""
    """Of the lake, by the key that a manifest has for it."""


def unlabelled_posts(lake: Lake, topic: str, rows: Sequence[Examples], *, most: int, similarity: float) -> list[Post]:
    """At most ``most`` posts of ``topic`` that no one has labelled and that are strangers to all of ``rows``.

    ``similarity`` as prepare's ``near_duplicate_similarity``. `LakeError` for a partition that can't be read.
    """
    of_rows = {key: text for part in rows for key, text in zip(_keys(part), part.texts, strict=True)}
    annotated = _annotated(lake, topic)
    known: list[Post] = []
    found: list[Post] = []
    for post, is_labelled in _posts(lake, topic):
        key = (post.source, post.post_id)
        if key in of_rows:
            known.append(post._replace(text=of_rows.pop(key)))  # the row's own text: the post may have been edited since
        elif not is_labelled and key not in annotated and len(found) < _SLACK * most and post.text:
            found.append(post)
    known += [Post(source, post_id, None, text) for (source, post_id), text in of_rows.items()]
    others = strangers(found, known, similarity=similarity)
    log.info("%d unlabelled posts, %d of them strangers to %d rows", len(found), len(others), len(known))
    return others[:most]


def partitions_of(lake: Lake, topic: str, posts: Iterable[Post]) -> dict[str, dict]:
    """The partitions of ``topic`` that ``posts`` came from, as a data set's manifest has its own: key → ``rows``, how many came, and content hash."""
    counts = Counter(post.partition for post in posts)
    found = [partition for partition in lake.partitions("valid", topic=topic) if partition.key in counts]
    return {one.key: {"rows": counts[one.key], "content_sha256": lake.metadata(one).get("content_sha256")} for one in found}


def strangers(posts: Sequence[Post], known: Sequence[Post], *, similarity: float) -> list[Post]:
    """Those of ``posts``, in their order, that share no id, no author and no cluster of near duplicates with any of ``known``."""
    ids, authors = {post.post_id for post in known}, {post.author for post in known} - {None}
    clusters = near_clusters([skeleton(post.text) for post in (*known, *posts)], similarity)
    met = set(clusters[: len(known)])
    own = clusters[len(known) :]
    return [post for post, cluster in zip(posts, own, strict=True) if cluster not in met and post.post_id not in ids and post.author not in authors]


def _posts(lake: Lake, topic: str) -> Iterable[tuple[Post, bool]]:
    """Every post once, in the form that the latest window has, and whether it has a label."""
    seen = set()
    for partition in sorted(lake.partitions("valid", topic=topic), key=lambda one: (one.window.start, one.source), reverse=True):
        for batch in lake.batches(partition, _COLUMNS):
            for row in batch.to_pylist():
                if (key := (row["source"], row["post_id"])) not in seen:
                    seen.add(key)
                    yield Post(*key, row["author"], normalise(row["text"]), partition.key), row["label"] is not None


def _annotated(lake: Lake, topic: str) -> set[tuple[str, str]]:
    batches = (batch for partition in lake.partitions("labels", topic=topic) for batch in lake.batches(partition, ["source", "post_id"]))
    return {(row["source"], row["post_id"]) for batch in batches for row in batch.to_pylist()}


def _keys(rows: Examples) -> list[tuple[str, str]]:
    return list(zip(rows.table["source"].to_pylist(), rows.table["post_id"].to_pylist(), strict=True))
