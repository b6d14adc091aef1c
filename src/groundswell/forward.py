"""A DistilBERT classifier's forward pass for fine-tuning: the function that transformers computes, with less work.

Reads a model of transformers', or one that peft put adapters into, and runs its own modules; writes nothing. Three things are different:
the last layer answers only for the first token, which is all that the head reads; what passes between layers is cast once a layer; on a
CPU dropout draws two bytes a number, not a Bernoulli variable. Refuses a model without a DistilBERT classifier in it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from groundswell.errors import ModelError


class Network(torch.nn.Module):
    """``model`` as the training loop calls it: ids (n, length) and is_read (n, length) give logits (n, classes), float32.

    ``dtype`` is what layers compute in (under autocast, if it is not float32), ``seed`` that of dropout on a CPU.
    """

    answered = 1
    """Positions that the last layer answers for: the head reads the first."""

    def __init__(self, model: torch.nn.Module, *, dtype: torch.dtype, seed: int):
        from transformers import DistilBertForSequenceClassification

        super().__init__()
        self.model = model
        found = [module for module in model.modules() if isinstance(module, DistilBertForSequenceClassification)]
        if not found:
            raise ModelError(f"fine-tuning: expected a DistilBERT classifier, found a {type(model).__name__}: load it by groundswell.encoder")
        object.__setattr__(self, "_core", found[0])  # part of the model already: its weights are not to be counted twice
        self._dtype = dtype
        self._drop = Dropout(seed)

    @property
    def words(self) -> torch.nn.Embedding:
        """The table of word pieces."""
        return self._core.distilbert.embeddings.word_embeddings

    def forward(self, ids, is_read, rows=None):
        """With ``rows`` (m, width), ``ids`` are places in it: the embeddings of the batch's own word pieces, not the whole table."""
        embeddings = self._core.distilbert.embeddings
        hidden = functional.embedding(ids, self.words.weight if rows is None else rows)
        hidden = embeddings.LayerNorm(hidden + embeddings.position_embeddings.weight[: ids.shape[1]])
        hidden = self._dropped(hidden.to(self._dtype), embeddings.dropout)
        unread = torch.zeros(is_read.shape, dtype=self._dtype, device=ids.device).masked_fill_(~is_read, torch.finfo(self._dtype).min)
        *layers, last = self._core.distilbert.transformer.layer
        for layer in layers:
            hidden = self._layer(layer, hidden, hidden, unread[:, None, None, :])
        hidden = self._layer(last, hidden[:, : self.answered], hidden, unread[:, None, None, :])
        return self._head(hidden[:, 0])

    def _layer(self, layer, asking, hidden, unread):
        """One layer's answer for ``asking``, the first positions of ``hidden`` or all of them."""
        attention, shape = layer.attention, (len(hidden), -1, layer.attention.n_heads, layer.attention.attention_head_size)
        query = attention.q_lin(asking).view(shape).transpose(1, 2)
        key, value = (project(hidden).view(shape).transpose(1, 2) for project in (attention.k_lin, attention.v_lin))
        weights = torch.matmul(query * attention.scaling, key.transpose(2, 3)) + unread
        weights = self._dropped(weights.softmax(dim=-1).to(self._dtype), attention.dropout)
        seen = torch.matmul(weights, value).transpose(1, 2).flatten(2)
        middle = layer.sa_layer_norm(attention.out_lin(seen) + asking).to(self._dtype)
        answer = layer.ffn.lin2(layer.ffn.activation(layer.ffn.lin1(middle)))
        return layer.output_layer_norm(self._dropped(answer, layer.ffn.dropout) + middle).to(self._dtype)

    def _head(self, first):
        pooled = functional.relu(self._core.pre_classifier(first))
        return self._core.classifier(self._dropped(pooled, self._core.dropout)).float()

    def _dropped(self, values, module):
        return self._drop(values, module.p) if self.training and module.p else values


class Dropout:
    """Inverted dropout (Srivastava et al. 2014) whose masks come from a counter of its own on a CPU, from torch elsewhere.

    torch draws its Bernoulli variables one after the other on one core; 16 random bits a number are as good, to 1/65,536 of the share.
    """

    def __init__(self, seed: int):
        self._bits = np.random.SFC64(seed)

    def __call__(self, values: torch.Tensor, share: float) -> torch.Tensor:
        """``values`` with about ``share`` of them 0 and the others larger by as much, so that their mean stays."""
        if values.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(values, share)
        dropped = round(share * 65_536)
        return values * self._kept(values.shape, dropped).to(values.dtype).mul_(65_536 / (65_536 - dropped))

    def _kept(self, shape: torch.Size, dropped: int) -> torch.Tensor:
        count = shape.numel()
        drawn = self._bits.random_raw(-(-count // 4)).view(np.int16)[:count]
        return (torch.from_numpy(drawn) >= dropped - 32_768).view(shape)
