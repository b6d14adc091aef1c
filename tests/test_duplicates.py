"""Clusters are what a comparison of every pair would give, in any order of the texts, and quickly."""

import random
import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.duplicates import SHINGLE, Forest, connected, firsts, jaccard, near_clusters, shingles

pytestmark = pytest.mark.slow

WORDS = [f"{a}{b}{c}" for a in ("ka", "ro", "mi", "tu", "se") for b in ("lan", "dor", "vix", "pel") for c in ("a", "eth", "ish", "on")]


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


def perturbed(text: str, rng: random.Random) -> str:
    words = text.split()
    for _ in range(rng.randint(1, 2)):
        words[rng.randrange(len(words))] = rng.choice(WORDS)
    return " ".join(words)


def test_firsts():
    assert firsts(["b", "a", "b", None, None, "a"]) == [0, 1, 0, 3, 4, 1]


def test_connected_goes_from_key_to_key():
    assert connected(5, ["x", "x", "y", "y", "z"], [None, "anna", "anna", None, None]) == [0, 0, 0, 0, 4]
    assert connected(3) == [0, 1, 2]


def test_forest_keeps_the_smallest_as_root():
    forest = Forest(4)
    forest.join(3, 2)
    forest.join(2, 1)
    assert forest.roots() == [0, 1, 1, 1]


def test_shingles_are_of_one_text_only():
    assert shingles("abcdefg") == shingles("abcdef") | shingles("bcdefg")
    assert len(shingles("ab")) == len(shingles("")) == 1
    assert jaccard(shingles("abcdef"), shingles("abcdefg")) == pytest.approx(2 / 3)
    assert SHINGLE == 5


@pytest.mark.parametrize("similarity", [0.6, 0.8])
def test_clusters_are_those_of_every_pair_compared(similarity):
    rng = random.Random(1)
    texts = [sentence(rng, rng.randint(3, 25)) for _ in range(150)]
    texts += [perturbed(rng.choice(texts), rng) for _ in range(250)]
    every = [shingles(text) for text in texts]
    forest = Forest(len(texts))
    for one, other in combinations(range(len(texts)), 2):
        if len(every[one] & every[other]) / len(every[one] | every[other]) >= similarity:
            forest.join(one, other)
    expected, found = forest.roots(), near_clusters(texts, similarity)
    assert sum(root != place for place, root in enumerate(expected)) > 50, "the test has something to find"
    wrong = sum(one != other for one, other in zip(expected, found, strict=True))
    assert wrong <= 2, f"{wrong} of {len(texts)} texts are in another cluster"
    assert all(expected[root] == expected[place] for place, root in enumerate(found)), "none are joined that share too little"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12), st.randoms(use_true_random=False))
def test_order_does_not_matter(texts, rng):
    order = list(range(len(texts)))
    rng.shuffle(order)
    straight, shuffled = near_clusters(texts, 0.8), near_clusters([texts[place] for place in order], 0.8)
    for one, other in combinations(range(len(texts)), 2):
        assert (straight[order[one]] == straight[order[other]]) == (shuffled[one] == shuffled[other])


def test_empty_is_like_nothing_and_equal_is_like_itself():
    assert near_clusters(["", "", "so so", "so so", "\ud800"], 0.8) == [0, 1, 2, 2, 4]
    assert near_clusters([], 0.8) == []


def test_negated_and_short_texts_are_not_made_alike():
    assert len(set(near_clusters(["good", "goody", "bad", "no", "not", "no no"], 0.8))) == 6


def test_ten_thousands_of_texts_take_seconds():
    rng = random.Random(2)
    spam = " ".join(f"{rng.getrandbits(32):x}" for _ in range(30))
    texts = [" ".join(f"{rng.getrandbits(24):x}" for _ in range(12)) for _ in range(15_000)]
    texts += [f"{spam} {number}" for number in range(3_000)]  # one cluster of thousands: where comparing every pair would hurt
    begun = time.process_time()
    found = near_clusters(texts, 0.8)
    assert time.process_time() - begun < 10, "18,000 texts; 50,000 have 30 s"
    assert np.bincount(found).max() == 3_000
    assert len(set(found)) == 15_001
