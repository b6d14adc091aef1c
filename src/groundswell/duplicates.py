"""Which texts say the same: equal keys, and near duplicates by MinHash, verified on what the texts really share.

A near duplicate is a text whose set of character 5-grams (of its skeleton, so script and spacing do not matter) overlaps
another's with a Jaccard similarity of at least ``similarity``. Candidates come from banded MinHash signatures (Broder 1997;
bands as in Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4); every pair is verified before it counts, so a
signature's luck can miss a pair (under 1 in 1,000 at the threshold) but never make one. The answer does not hang on the order of the texts.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np

logger = logging.getLogger(__name__)

SHINGLE = 5
"""Characters in a shingle; a shorter text is one shingle."""

_PERMUTATIONS = 128
_SEED = 20_261_019
_BLOCK = 20_000  # texts hashed at a time: bounds the memory at some 200 MB
_KNOWN = 4_096  # texts whose shingles are kept: pairs come sorted, so that one's are used again at once
_SMALL = 12  # texts of one bucket of which all pairs are listed at once; in larger ones most are in one cluster after a few
_MISSED = 1e-3
_ESTIMATE_SLACK = 0.15  # four standard deviations of a 128-number estimate
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Forest:
    """Disjoint sets over ``0 … size-1``; the root of a set is its smallest member."""

    def __init__(self, size: int):
        self.parent = list(range(size))

    def find(self, member: int) -> int:
        parent = self.parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    def join(self, one: int, other: int) -> None:
        one, other = sorted((self.find(one), self.find(other)))
        self.parent[other] = one

    def roots(self) -> list[int]:
        """For every member the smallest member of its set."""
        return [self.find(member) for member in range(len(self.parent))]


def firsts(keys: Iterable[Hashable]) -> list[int]:
    """For every key the place of its first appearance; ``None`` is equal to nothing, itself included."""
    seen: dict = {}
    return [place if key is None else seen.setdefault(key, place) for place, key in enumerate(keys)]


def connected(size: int, *keyings: Sequence[Hashable]) -> list[int]:
    """For each of ``size`` rows the first row that it hangs together with: by an equal key in any of ``keyings``, step by step."""
    forest = Forest(size)
    for keys in keyings:
        for place, first in enumerate(firsts(keys)):
            if first != place:
                forest.join(first, place)
    return forest.roots()


def near_clusters(skeletons: Sequence[str], similarity: float) -> list[int]:
    """For every text the place of the first text in its cluster: equal skeletons, near duplicates, and theirs in turn.

    ``skeletons`` are `text.skeleton`'s; ``similarity`` in (0, 1]. An empty skeleton is like nothing, itself included.
    """
    unique = sorted({text for text in skeletons if text})
    forest = Forest(len(unique))
    if unique:
        _join_near(unique, similarity, forest)
    root_of = dict(zip(unique, forest.roots(), strict=True))
    return firsts(root_of.get(text) for text in skeletons)


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard similarity of two sets, not both empty."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def shingles(text: str) -> frozenset[str]:
    """Every run of `SHINGLE` characters of ``text``; a shorter text is one shingle."""
    return frozenset(text[place : place + SHINGLE] for place in range(max(len(text) - SHINGLE, 0) + 1))


def _join_near(unique: list[str], similarity: float, forest: Forest) -> None:
    rows = _rows_per_band(similarity)
    signatures = _signatures(unique)
    floor = similarity - _ESTIMATE_SLACK
    known = lru_cache(maxsize=_KNOWN)(lambda place: shingles(unique[place]))

    def is_near(one: int, other: int) -> bool:
        return jaccard(known(one), known(other)) >= similarity

    refused: set[tuple[int, int]] = set()
    pairs = []
    for start in range(0, _PERMUTATIONS - rows + 1, rows):
        small, larger = _buckets(signatures[:, start : start + rows])
        pairs.append(small)
        for bucket in larger:
            _join_bucket(bucket, signatures, floor, is_near, forest, refused)
    for one, other in _likely(np.concatenate(pairs), signatures, floor):
        if forest.find(one) != forest.find(other) and (one, other) not in refused and is_near(one, other):
            forest.join(one, other)
    logger.debug("near duplicates: %d different texts, %d clusters", len(unique), len(set(forest.roots())))


def _likely(pairs: np.ndarray, signatures: np.ndarray, floor: float) -> Iterator[tuple[int, int]]:
    """Each of ``pairs`` once whose signatures estimate a similarity of at least ``floor``."""
    keys = np.unique(pairs[:, 0] * len(signatures) + pairs[:, 1])
    for start in range(0, len(keys), _BLOCK):
        one, other = np.divmod(keys[start : start + _BLOCK], len(signatures))
        is_likely = (signatures[one] == signatures[other]).mean(axis=1) >= floor
        yield from zip(one[is_likely].tolist(), other[is_likely].tolist(), strict=True)


def _join_bucket(bucket: np.ndarray, signatures: np.ndarray, floor: float, is_near, forest: Forest, refused: set) -> None:
    """Compare every two texts of one bucket that are not in one cluster yet."""
    roots = np.array([forest.find(member) for member in bucket.tolist()])
    for place, member in enumerate(bucket[:-1].tolist()):
        if (roots == roots[0]).all():
            return
        rest = place + 1 + np.flatnonzero(roots[place + 1 :] != roots[place])
        rest = rest[(signatures[bucket[rest]] == signatures[member]).mean(axis=1) >= floor]
        for other in rest.tolist():
            pair = (member, int(bucket[other]))
            if roots[other] == roots[place] or pair in refused:
                continue
            if is_near(*pair):
                forest.join(*pair)
                roots[(roots == roots[other]) | (roots == roots[place])] = forest.find(member)
            else:
                refused.add(pair)


def _rows_per_band(similarity: float) -> int:
    """The longest band with which two texts of just ``similarity`` still share one, but for `_MISSED`."""
    fitting = [rows for rows in range(1, 33) if (1 - similarity**rows) ** (_PERMUTATIONS // rows) <= _MISSED]
    return max(fitting, default=1)


def _buckets(band: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The texts with the same numbers in one band, in ascending order: small sets as rows of pairs in one array, and the larger ones."""
    key = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        key = (key ^ column) * _FACTOR
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=~key[order[:1]]))
    sizes = np.diff(starts, append=len(band))
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for size in range(2, _SMALL + 1):
        one, other = np.triu_indices(size, 1)
        members = order[starts[sizes == size][:, None] + np.arange(size)]
        pairs.append(np.stack([members[:, one].ravel(), members[:, other].ravel()], axis=1))
    larger = [order[start : start + size] for start, size in zip(starts[sizes > _SMALL], sizes[sizes > _SMALL], strict=True)]
    return np.concatenate(pairs), larger


def _signatures(texts: list[str]) -> np.ndarray:
    """MinHash signatures, uint32 (texts, `_PERMUTATIONS`)."""
    from rensa import RMinHash

    blocks = []
    for start in range(0, len(texts), _BLOCK):
        hashes, offsets = _hashes(texts[start : start + _BLOCK])
        digests = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, _PERMUTATIONS, _SEED)
        blocks.append(np.array(digests.to_rows(), dtype=np.uint32))
    return np.concatenate(blocks)


def _hashes(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """All shingle hashes one after the other (uint64, repeats included), and where each text's begin, with the end (uint64)."""
    padded = [text.ljust(SHINGLE, "\0") for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    ends = np.cumsum(lengths)
    hashes = np.zeros(codes.size - SHINGLE + 1, dtype=np.uint64)
    for place in range(SHINGLE):
        hashes = (hashes ^ codes[place : codes.size - SHINGLE + 1 + place]) * _FACTOR
    hashes ^= hashes >> np.uint64(29)
    is_whole = np.ones(codes.size, dtype=bool)  # a shingle that begins in a text's last characters would reach into the next
    for place in range(1, SHINGLE):
        is_whole[ends - place] = False
    return hashes[is_whole[: hashes.size]], np.concatenate([[0], np.cumsum(lengths - SHINGLE + 1)]).astype(np.uint64)
