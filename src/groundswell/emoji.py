"""Emoji as word pieces of their own, begun from what they are called.

A BERT's vocabulary has hardly any: 😍 and 😡 are the same [UNK], and so is a whole word with one stuck to it. Changes a tokenizer and a
DistilBERT in memory, before fine-tuning; writes nothing. Which characters have a name is the running Python's Unicode; what was taught is in
the export's tokenizer.json. An emoji that no training row has answers by its name's word pieces.
"""

from __future__ import annotations

import unicodedata

_BLOCKS = ((0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F300, 0x1FAFF))
"""Miscellaneous symbols to dingbats, stars among arrows, and the emoji proper."""
_JOINERS = "[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]"
"""What joins, or paints in a tone of skin: it says nothing of its own, and would be an [UNK] beside its emoji."""
_WORDS_ABOUT_WORDS = {"sign", "symbol", "with", "of", "and", "heavy", "black", "white"}
"""Of a Unicode name: what tells of the drawing, not of what it says."""


def teach(tokenizer, model) -> int:
    """Give ``tokenizer`` and ``model`` (a DistilBERT classifier, on the CPU) a piece for every emoji that they lack; how many there are.

    Its embedding begins as the mean of those of its name's word pieces.
    """
    import torch
    from tokenizers import AddedToken, Regex, normalizers

    known = tokenizer.get_vocab()
    names = {emoji: name for emoji, name in _names().items() if emoji not in known}
    pieces = tokenizer(list(names.values()), add_special_tokens=False)["input_ids"]
    words = model.get_input_embeddings().weight.detach()
    rows = torch.stack([words[ids].mean(dim=0) for ids in pieces])
    tokenizer.add_tokens([AddedToken(emoji, normalized=False) for emoji in names])
    inner = tokenizer.backend_tokenizer
    inner.normalizer = normalizers.Sequence([normalizers.Replace(Regex(_JOINERS), ""), inner.normalizer])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.get_input_embeddings().weight.data[-len(names) :] = rows
    return len(names)


def is_emoji(character: str) -> bool:
    """Whether it is one of those that are taught: a symbol of the emoji's blocks."""
    return any(first <= ord(character) <= last for first, last in _BLOCKS) and unicodedata.category(character) == "So"


def _names() -> dict[str, str]:
    """Emoji → its Unicode name in lower case, without words about the drawing."""
    characters = (chr(code) for first, last in _BLOCKS for code in range(first, last + 1))
    return {each: _said(unicodedata.name(each)) for each in characters if is_emoji(each)}


def _said(name: str) -> str:
    words = name.lower().replace("-", " ").split()
    return " ".join(word for word in words if word not in _WORDS_ABOUT_WORDS) or name.lower()
