"""The nouns that every stage shares: the canonical post, the label set, where a label came from."""

from __future__ import annotations

import pyarrow as pa

LABELS = ("negative", "neutral", "positive")
"""The label set, in the order of the classes: a class's number is its place here."""

PROVENANCES = ("human", "dataset", "native", "weak", "synthetic")
"""Where a label came from, the most trusted first; where two meet on one post, the first wins."""

JUDGING_PROVENANCES = ("human", "dataset")
"""The only provenances that may enter validation and test."""

_TIME = pa.timestamp("us", tz="UTC")

POST = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("topic", pa.string(), nullable=False),
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("author", pa.string()),  # HMAC-SHA256 pseudonym, 32 hex digits; null where the platform names none
        pa.field("created_at", _TIME, nullable=False),
        pa.field("edited_at", _TIME),
        pa.field("text", pa.string()),  # as written; cleaning is prepare's
        pa.field("lang", pa.string()),  # BCP 47, as the platform says; null where it says nothing
        pa.field("kind", pa.string()),  # story, comment, review, post …
        pa.field("parent_id", pa.string()),
        pa.field("hashtags", pa.list_(pa.string())),
        pa.field("likes", pa.int64()),
        pa.field("reposts", pa.int64()),
        pa.field("replies", pa.int64()),
        pa.field("score", pa.float64()),
        pa.field("native_label", pa.string()),  # the platform's own word for it, e.g. voted_up=true
        pa.field("label", pa.string()),  # one of LABELS, or a corpus's own word that prepare maps; null: not labelled
        pa.field("label_provenance", pa.string()),  # one of PROVENANCES; null exactly where label is
        pa.field("url", pa.string()),
        pa.field("raw", pa.string()),  # the platform's record as JSON, author ids replaced by pseudonyms
        pa.field("fetched_at", _TIME),  # the window's end: the time as of which it is complete, not a clock's
        pa.field("connector_version", pa.string()),
    ]
)
"""A post of any platform. Key: (source, topic, post_id)."""

OUTSIDE_CONTENT_HASH = ("likes", "reposts", "replies", "score", "fetched_at", "raw")
"""Columns that move without the post having changed."""

ANNOTATION = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("topic", pa.string(), nullable=False),
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("label_provenance", pa.string(), nullable=False),
        pa.field("annotator", pa.string()),
        pa.field("labelled_at", _TIME),
    ]
)
"""A label that somebody gave to a post after it was collected; joined by prepare on the post's key."""

QUARANTINE = POST.append(pa.field("reason", pa.string(), nullable=False))
"""A post that broke row rules, and which (``;`` between them)."""

SCORED = pa.schema(
    [
        *(POST.field(name) for name in ("source", "topic", "post_id", "author", "created_at")),
        pa.field("label", pa.string(), nullable=False),  # the likeliest of LABELS
        *(pa.field(label, pa.float32(), nullable=False) for label in LABELS),  # its calibrated probability
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ]
)
"""What a model said of a valid post; the text stays where it is."""

EXAMPLE = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),  # source/topic/post_id
        pa.field("source", pa.string(), nullable=False),
        pa.field("post_id", pa.string(), nullable=False),
        pa.field("created_at", _TIME, nullable=False),
        pa.field("lang", pa.string()),
        pa.field("text", pa.string(), nullable=False),  # text.normalise of the post's text
        pa.field("label", pa.int64(), nullable=False),  # place in LABELS
        pa.field("label_provenance", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),  # the smallest row_id of the group that must not be split
        pa.field("tokens", pa.int64(), nullable=False),  # word pieces with the two special ones, before truncation
    ]
)
"""A row of train, validation or test."""


def registered_model(topic: str) -> str:
    """The MLflow registered model of ``topic``."""
    return f"groundswell-sentiment-{topic}"
