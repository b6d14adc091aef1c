import numpy as np
import pytest

from groundswell.approaches.vocabulary import FIRST_WORD, PADDING, UNKNOWN, Vocabulary, padded, shuffled_batches, sorted_batches

LENGTHS = np.random.default_rng(3).integers(1, 60, size=1000)


def test_a_vocabulary_keeps_the_frequent_words_and_leaves_rare_ones_unknown():
    rows = [["b", "a", "c"], ["b", "a"], ["b", "d", "d"]]
    learnt = Vocabulary.learn(rows, max_words=2, min_count=2)
    assert learnt.words == ("b", "a")  # d is as frequent as a, and behind it in the alphabet
    assert len(learnt) == 2 + FIRST_WORD
    assert learnt.numbers(["a", "c", "b"], 10).tolist() == [FIRST_WORD + 1, UNKNOWN, FIRST_WORD]


def test_a_text_is_cut_and_one_without_words_is_one_unknown_word():
    learnt = Vocabulary(["a"])
    assert learnt.numbers(["a"] * 9, 4).tolist() == [FIRST_WORD] * 4
    assert learnt.numbers([], 4).tolist() == [UNKNOWN]


def test_padding_stands_behind_and_is_no_word():
    numbers, lengths = padded([np.array([2, 3, 4]), np.array([5])])
    assert numbers.tolist() == [[2, 3, 4], [5, PADDING, PADDING]]
    assert lengths.tolist() == [3, 1]
    assert PADDING not in Vocabulary(["a", "b"]).numbers(["a", "b", "c"], 3)


@pytest.mark.parametrize("batches", [list(sorted_batches(LENGTHS, 300)), list(shuffled_batches(LENGTHS, 32, np.random.default_rng(1)))])
def test_every_row_is_in_one_batch(batches):
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(LENGTHS)))


def test_batches_hold_rows_of_nearly_one_length():
    batches = list(shuffled_batches(LENGTHS, 32, np.random.default_rng(1)))
    computed = sum(len(batch) * LENGTHS[batch].max() for batch in batches)
    assert computed < 1.1 * LENGTHS.sum()


def test_an_epoch_is_drawn_anew_and_the_same_by_seed():
    def epochs():
        chance = np.random.default_rng(1)
        return [[batch.tolist() for batch in shuffled_batches(LENGTHS, 32, chance)] for _ in range(2)]

    first, second = epochs()
    assert first != second
    assert {*map(frozenset, first)} != {*map(frozenset, second)}  # rows meet others, not the same ones in another order
    assert epochs() == [first, second]


def test_a_batch_keeps_to_its_budget_padding_counted():
    batches = list(sorted_batches(np.array([500, 3, 2, 2, 1]), 6))
    assert [batch.tolist() for batch in batches] == [[0], [1, 2], [3, 4]]
    assert list(sorted_batches(np.array([], dtype=np.int64), 6)) == []
