"""Masks: about the share of the words that is asked for, whole ones, no special piece, and the same again by the same seed."""

import numpy as np
import pytest

from groundswell.encoder import PACKAGED, load_tokenizer
from groundswell.errors import ModelError

pytestmark = pytest.mark.slow  # torch

WORDS = ["wonderful", "unbelievableness", "servers", "today", "crashlooping", "patch", "monday", "gamification"]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(PACKAGED)


@pytest.fixture(scope="module")
def ids(tokenizer):
    """Texts of several lengths, padded, a few characters that no piece stands for among them."""
    import torch

    chance = np.random.default_rng(5)
    texts = [" ".join(chance.choice(WORDS, size=chance.integers(4, 30))) + " \U0001f9a4" for _ in range(400)]
    return torch.from_numpy(tokenizer(texts, padding=True, return_tensors="np")["input_ids"].astype(np.int64))


def masks(tokenizer, share=0.15, seed=1):
    from groundswell.masks import Masks

    return Masks(tokenizer, share=share, seed=seed)


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_the_share_is_chosen_and_most_of_it_is_hidden(tokenizer, ids, share):
    read, is_chosen = masks(tokenizer, share)(ids)
    is_special = np.isin(ids, tokenizer.all_special_ids)
    assert tokenizer.unk_token_id in ids
    assert is_chosen.numpy()[~is_special].mean() == pytest.approx(share, abs=0.015)
    assert not is_chosen.numpy()[is_special].any()
    assert read[~is_chosen].equal(ids[~is_chosen])
    hidden, kept = read[is_chosen] == tokenizer.mask_token_id, read[is_chosen] == ids[is_chosen]
    assert float(hidden.float().mean()) == pytest.approx(0.8, abs=0.04)
    assert float(kept.float().mean()) == pytest.approx(0.1, abs=0.03)
    assert not set(read[is_chosen][~hidden].tolist()) & set(tokenizer.all_special_ids)


def test_words_are_chosen_whole(tokenizer, ids):
    _, is_chosen = masks(tokenizer)(ids)
    pieces = np.array(tokenizer.convert_ids_to_tokens(ids.flatten().tolist())).reshape(ids.shape)
    goes_on = np.char.startswith(pieces[:, 1:].astype(str), "##")
    assert goes_on.sum() > 1000
    both = is_chosen.numpy()
    assert (both[:, 1:] == both[:, :-1])[goes_on].all()


def test_the_seed_says_which_and_every_pass_hides_others(tokenizer, ids):
    one, same, other = masks(tokenizer), masks(tokenizer), masks(tokenizer, seed=2)
    first, again = one(ids), one(ids)
    assert all(found.equal(wanted) for found, wanted in zip(same(ids), first, strict=True))
    assert not again[1].equal(first[1])
    assert not other(ids)[1].equal(first[1])


def test_a_batch_of_one_word_hides_it(tokenizer):
    import torch

    word = torch.tensor([tokenizer("gamification")["input_ids"]])
    for seed in range(20):
        assert masks(tokenizer, 0.01, seed)(word)[1].sum() == word.shape[1] - 2
    assert not masks(tokenizer)(torch.tensor([tokenizer("")["input_ids"]]))[1].any()


def test_places_are_those_chosen_in_order():
    import torch

    from groundswell.masks import places

    is_chosen = torch.tensor([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)
    at, is_asked = places(is_chosen)
    assert is_asked.tolist() == [[True, True], [False, False], [True, False]]
    assert at[is_asked].tolist() == [1, 3, 0]


def test_a_tokenizer_without_a_mask_is_refused(tokenizer):
    other = load_tokenizer(PACKAGED)
    other.mask_token = None
    with pytest.raises(ModelError, match="no mask token"):
        masks(other)
