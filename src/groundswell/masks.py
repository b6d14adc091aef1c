"""Masks for masked-language training: which word pieces a network must guess, and what it reads in their place.

Reads token ids in memory; writes nothing. Devlin et al. 2019, BERT, section 3.1: of the pieces chosen 80 % are masked, 10 % are another piece,
10 % stay. Chosen are whole words, all their pieces or none (the authors' later models; for DistilBERT's kind of vocabulary, ``##``), and anew each
time (Liu et al. 2019, RoBERTa, section 4.1). Refuses a tokenizer without a mask. What is no word is never chosen: [CLS], [SEP], padding, [UNK].
"""

from __future__ import annotations

import numpy as np
import torch

from groundswell.errors import ModelError

_MASKED, _OTHER = 0.8, 0.1
_NEVER = 2.0  # above every draw


class Masks:
    """Chooses ``share`` of the words, on ``device``. The same seed and the same batches, in order, give the same masks on one machine."""

    def __init__(self, tokenizer, *, share: float, seed: int, device="cpu"):
        if tokenizer.mask_token_id is None:
            raise ModelError("masked-language training: the tokenizer of train.base has no mask token: expected a DistilBERT's own tokenizer")
        vocabulary, special = tokenizer.get_vocab(), set(tokenizer.all_special_ids)
        size = max(vocabulary.values()) + 1
        continues = np.zeros(size, dtype=bool)
        continues[[place for piece, place in vocabulary.items() if piece.startswith("##")]] = True
        words = np.array(sorted(set(vocabulary.values()) - special))
        self.is_word = np.zeros(size, dtype=bool)
        self.is_word[words] = True
        self._share, self._mask = share, tokenizer.mask_token_id
        self._continues, self._words, self._is_word = (torch.from_numpy(array).to(device) for array in (continues, words, self.is_word))
        self._chance = torch.Generator(device).manual_seed(seed)

    def __call__(self, ids):
        """(what is read, is_chosen) of a batch's ``ids`` (n, length): int64 and bool, (n, length); at least a word, where there is one."""
        is_word = self._is_word[ids]
        word = (~self._continues[ids]).cumsum(dim=1) - 1
        drawn = self._drawn(ids.shape).gather(1, word.clamp_(min=0)).masked_fill_(~is_word, _NEVER)
        is_chosen = is_word & (drawn <= drawn.min().clamp(min=self._share))
        fate = self._drawn(ids.shape)
        others = self._words[torch.randint(len(self._words), ids.shape, generator=self._chance, device=ids.device)]
        read = torch.where(is_chosen & (fate < _MASKED), self._mask, ids)
        return torch.where(is_chosen & (fate >= _MASKED) & (fate < _MASKED + _OTHER), others, read), is_chosen

    def _drawn(self, shape):
        return torch.rand(shape, generator=self._chance, device=self._chance.device)


def places(is_chosen):
    """(at, is_asked) of is_chosen (n, length): where each row's chosen pieces are, int64 (n, most), in order, and which of these places count."""
    counts = is_chosen.sum(dim=1)
    most = int(counts.max())
    at = is_chosen.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]
    return at, torch.arange(most, device=at.device) < counts[:, None]
