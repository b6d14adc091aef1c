"""A survey of a topic's posts before any is read whole: how many there are, which have a label, and which of those prepare will take.

Reads keys and labels of ``lake/valid`` and ``lake/labels``, of every post eight bytes and a few bits; then whole rows of the chosen
posts only, so that memory is bounded by ``most``, not by the lake. Keys are compared by 64-bit hashes (two of ten million
posts have the same one once in 400,000 lakes): a clash could make a count one too small, and mix up nothing, since rows are
joined by their keys.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from groundswell.lake import Lake, Partition
from groundswell.schema import JUDGING_PROVENANCES

log = logging.getLogger(__name__)

_COLUMNS = ["source", "post_id", "author", "created_at", "edited_at", "text", "lang", "label", "label_provenance"]
_JUDGING, _TRAINING, _UNUSED, _NONE = range(4)
"""What may be done with a post's label, the best first."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Survey:
    """What is there: ``chosen`` are the hashes of the posts that have a label and are taken, sorted."""

    posts: int
    sources: dict[str, int]
    repeated: int
    """Rows that are an earlier or a later form of a post."""
    unlabelled: int
    beyond_most: int
    annotations_without_post: int
    chosen: np.ndarray


def survey(lake: Lake, valid: list[Partition], labels: list[Partition], *, training: Sequence[str], most: int) -> Survey:
    """Look at every post of ``valid`` and every annotation of ``labels``; of more than ``most`` labelled posts choose so many.

    First those that a person or a data set has labelled, then those with a label of the provenances ``training``; among equals by the
    hash of their key: the same lake gives the same choice.
    """
    keys = [(hashes, ranks, partition.source) for partition in valid for hashes, ranks in _keys(lake, partition, training)]
    annotated = [_hashes(batch) for partition in labels for batch in lake.batches(partition, ["source", "post_id"])]
    names = sorted({source for *_, source in keys})
    every = np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, *_ in keys)])
    ranks = np.concatenate([np.empty(0, np.uint8), *(ranks for _, ranks, _ in keys)])
    source = np.concatenate([np.empty(0, np.uint16), *(np.full(len(hashes), names.index(name), np.uint16) for hashes, _, name in keys)])
    del keys
    posts, first = np.unique(every, return_index=True)
    of_source = np.bincount(source[first], minlength=len(names))
    rank = np.full(len(posts), _NONE, np.uint8)
    is_labelled = ranks < _NONE
    np.minimum.at(rank, np.searchsorted(posts, every[is_labelled]), ranks[is_labelled])
    notes = np.concatenate([np.empty(0, np.uint64), *annotated])
    has_post = np.isin(notes, posts)
    rank[np.searchsorted(posts, notes[has_post])] = _JUDGING
    labelled = np.flatnonzero(rank < _NONE)
    taken = labelled[np.argsort(rank[labelled], kind="stable")[:most]]  # the hashes are sorted, so equal ranks stay by hash
    log.info("%d posts, %d of them labelled, %d chosen", len(posts), len(labelled), len(taken))
    return Survey(
        posts=len(posts),
        sources={name: int(count) for name, count in zip(names, of_source, strict=True)},
        repeated=len(every) - len(posts),
        unlabelled=len(posts) - len(labelled),
        beyond_most=len(labelled) - len(taken),
        annotations_without_post=int((~has_post).sum()),
        chosen=posts[np.sort(taken)],
    )


def _keys(lake: Lake, partition: Partition, training: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each batch of rows the hashes of their keys, and how far their labels are to be trusted."""
    for batch in lake.batches(partition, ["source", "post_id", "label", "label_provenance"]):
        is_labelled = batch.column("label").is_valid().to_numpy(zero_copy_only=False)
        judging, usable = (_is_in(batch.column("label_provenance"), names) for names in (JUDGING_PROVENANCES, training))
        ranks = np.select([~is_labelled, judging, usable], [_NONE, _JUDGING, _TRAINING], _UNUSED)
        yield _hashes(batch), ranks.astype(np.uint8)


def _is_in(column: pa.Array, names: Sequence[str]) -> np.ndarray:
    return pc.is_in(column, pa.array(names, pa.string())).to_numpy(zero_copy_only=False)


def _hashes(batch: pa.RecordBatch) -> np.ndarray:
    source, post_id = (
        pd.util.hash_array(batch.column(name).to_numpy(zero_copy_only=False), categorize=name == "source") for name in ("source", "post_id")
    )
    return post_id ^ (source * _MIX)


def chosen_posts(lake: Lake, partitions: list[Partition], chosen: np.ndarray) -> list[dict]:
    """Every chosen post once, in its latest form, with the ``opinions`` that came along with that text."""
    forms: dict[tuple[str, str], list[tuple]] = {}
    for partition in partitions:
        for batch in lake.batches(partition, _COLUMNS):
            for post in _only(batch, chosen).to_pylist():
                forms.setdefault((post["source"], post["post_id"]), []).append((partition.window.start, post))
    log.info("%d posts read", len(forms))
    return [_latest(seen) for seen in forms.values()]


def _latest(forms: list[tuple]) -> dict:
    if len(forms) > 1:
        aged = [((post["edited_at"] or post["created_at"], start, repr(post)), post) for start, post in forms]
        forms = sorted(aged, key=itemgetter(0))
    latest = forms[-1][1]
    same = [post for _, post in forms if post["text"] == latest["text"] and post["label"] is not None]
    return {**latest, "opinions": [(post["label"], post["label_provenance"]) for post in same]}


def chosen_annotations(lake: Lake, partitions: list[Partition], chosen: np.ndarray) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(source, post id) of chosen posts → what annotators said of it: (label word, provenance)."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for partition in partitions:
        for batch in lake.batches(partition, ["source", "post_id", "label", "label_provenance"]):
            for note in _only(batch, chosen).to_pylist():
                found.setdefault((note["source"], note["post_id"]), []).append((note["label"], note["label_provenance"]))
    log.info("annotations of %d posts in %d partitions", len(found), len(partitions))
    return found


def _only(batch: pa.RecordBatch, chosen: np.ndarray) -> pa.RecordBatch:
    return batch.filter(pa.array(np.isin(_hashes(batch), chosen), pa.bool_()))
