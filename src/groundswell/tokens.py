"""Texts as word pieces: the tokenised cache that prepare leaves beside each split.

The vocabulary is the packaged encoder's, which is DistilBERT's; train compares the vocabulary's sha256 in the manifest with its base's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa

TOKENS = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),  # with [CLS] and [SEP], at most max_length
        pa.field("label", pa.int64(), nullable=False),
    ]
)
"""A row of tokens/<split>.parquet, in the order of the split's own rows."""

_BATCH = 2_000


def encode(texts: Sequence[str]) -> list[list[int]]:
    """The piece numbers of every text, ``[CLS]`` first and ``[SEP]`` last, nothing cut."""
    tokenizer = _tokenizer()
    return [encoding.ids for start in range(0, len(texts), _BATCH) for encoding in tokenizer.encode_batch(list(texts[start : start + _BATCH]))]


def cut(pieces: list[int], max_length: int) -> list[int]:
    """At most ``max_length`` of ``pieces``, the closing ``[SEP]`` kept: what a tokenizer's own truncation gives."""
    return pieces if len(pieces) <= max_length else [*pieces[: max_length - 1], pieces[-1]]


@lru_cache(maxsize=1)
def vocabulary_sha256() -> str:
    """The sha256 of the vocabulary: its pieces in the order of their numbers, a line each."""
    pieces = sorted(_tokenizer().get_vocab().items(), key=lambda item: item[1])
    return hashlib.sha256("".join(f"{piece}\n" for piece, _ in pieces).encode()).hexdigest()


@lru_cache(maxsize=1)
def _tokenizer():
    from tokenizers import Tokenizer

    from groundswell.encoder import packaged_file

    tokenizer = Tokenizer.from_file(str(packaged_file("tokenizer.json")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
