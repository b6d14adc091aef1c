"""Further pretraining: a DistilBERT reads a topic's own texts before it learns labels, by guessing the words that are hidden from it.

Reads texts without their labels; writes nothing; changes the encoder's weights in place, and leaves the classifier's head as it was. Gururangan
et al. 2020, Don't Stop Pretraining: on the texts of the task, and on others of its domain. The head that guesses (DistilBERT's: a layer, a norm, the
word embeddings as output weights) is the base's where its checkpoint has one; a fresh one learns alone first, so that its first gradients spoil
nothing. Refuses texts without a word. Every process of accelerate launch does the same work, and comes to the same weights.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from groundswell.approaches.base import Labelled, Observe, held_out, unheard
from groundswell.batches import Rows, Tokenised, by_length, course
from groundswell.encoder import PACKAGED
from groundswell.errors import DatasetError, ModelError
from groundswell.finetune import uses_bf16, uses_compile
from groundswell.forward import Network
from groundswell.masks import Masks, places
from groundswell.optimiser import Optimiser
from groundswell.recipe import parameter_groups, rate_factor

_HELD_OUT_SHARE, _MOST_HELD_OUT = 0.05, 1_000
"""Of the texts, so many say how well it guesses, and are not learnt from."""
_HEAD_STEPS, _HEAD_RATE = 300, 1e-3
"""Steps of a fresh head alone, the encoder as it came, and its learning rate, then and afterwards."""
_LOGS = 20
_EVALUATED_AT_ONCE = 4096
"""Word pieces, padding counted."""
_HEAD = ("vocab_transform.", "vocab_layer_norm.", "vocab_projector.bias")

log = logging.getLogger(__name__)


def pretrain(model, tokenizer, learn: Labelled, *, params, observe: Observe = unheard) -> dict | None:
    """Adapt ``model``'s encoder to the texts of ``learn`` as ``params`` (the train section) say; None where they want none of it.

    Else what was done: texts learnt, texts held out (whole groups), steps, and the mean cross-entropy of the pieces guessed in those held out, in
    nats, with its exponential, the perplexity, before the encoder learnt (a fresh head has by then) and after. ``observe`` hears (step, numbers).
    `DatasetError` without two texts of words, `ModelError` for a loss that is no number.
    """
    return Pretraining(model, tokenizer, learn, params=params, observe=observe).run() if params.further_pretraining_epochs else None


class Pretraining:
    """One of them: the texts, the network, its head, and how far it is."""

    def __init__(self, model, tokenizer, learn: Labelled, *, params, observe: Observe):
        from accelerate import Accelerator

        self.model, self.params, self.observe = model, params, observe
        self.device = Accelerator(cpu=not torch.cuda.is_available()).device
        model.to(self.device)
        self.masks = Masks(tokenizer, share=params.mask_share, seed=params.seed, device=self.device)
        self.same_masks = lambda: Masks(tokenizer, share=params.mask_share, seed=params.seed + 1, device=self.device)
        parts = held_out(learn, min(_HELD_OUT_SHARE, _MOST_HELD_OUT / max(1, len(learn))), params.seed)
        self.rows, self.aside = (self._rows(part.texts, tokenizer) for part in parts)
        dtype = torch.bfloat16 if uses_bf16(params) else torch.float32
        self.computing = lambda: torch.autocast(self.device.type, dtype) if dtype != torch.float32 else nullcontext()
        self.network = Guessing(model, dtype=dtype, seed=params.seed)
        self.head, self.is_fresh = head_for(model, params, self.rows.counts)
        self.head.to(self.device)
        if uses_compile(params):
            self.network.compile(dynamic=True)

    def _rows(self, texts: list[str], tokenizer) -> _Texts:
        ids = tokenizer(texts, truncation=True, max_length=self.params.max_length)["input_ids"] if texts else []
        ids = [row for row in ids if self.masks.is_word[row].any()]
        if not ids:
            raise DatasetError("masked-language training: expected two texts with words in them at least: collect and prepare more")
        pieces, special = self.model.get_input_embeddings().num_embeddings, tokenizer.all_special_ids
        return _Texts(ids, padding=tokenizer.pad_token_id, device=self.device, pieces=pieces, special=special)

    def run(self) -> dict:
        params = self.params
        head = [{"params": list(self.head.parameters()), "lr": _HEAD_RATE if self.is_fresh else params.further_pretraining_learning_rate}]
        if self.is_fresh:
            batches = self._course(math.ceil(_HEAD_STEPS * params.batch_size / len(self.rows)), params.seed + 1)[:_HEAD_STEPS]
            self._walk(batches, head, "the head alone", is_encoder_still=True)
        before = self._measured()
        told = params.model_copy(update={"learning_rate": params.further_pretraining_learning_rate, "layer_decay": 1.0})
        batches = self._course(params.further_pretraining_epochs, params.seed)
        self._walk(batches, [*parameter_groups(self.model.distilbert, told), *head], "further pretraining")
        after = self._measured()
        self.model.float().cpu().eval()
        log.info("train: masked-language loss %.3f before, %.3f after, on %d texts held out", before, after, len(self.aside))
        counts = {"texts": len(self.rows), "held_out": len(self.aside), "steps": len(batches)}
        return {**counts, **_numbers("before", before), **_numbers("after", after)}

    def _course(self, epochs: float, seed: int) -> list[np.ndarray]:
        found = course(self.rows.lengths, batch_size=self.params.batch_size, epochs=epochs, seed=seed)
        return [batch for each in found for batch in each]

    def _walk(self, batches: list[np.ndarray], groups: list[dict], what: str, *, is_encoder_still: bool = False) -> None:
        """A step a batch, rates up and down as in fine-tuning."""
        optimiser = Optimiser([{"weight_decay": self.params.weight_decay, **group} for group in groups])
        started, since = time.monotonic(), []
        self.network.train()
        for step, rows in enumerate(batches, start=1):
            with self.computing():
                loss = self._loss(self.rows.batch(rows), self.masks, is_encoder_still).mean()
            loss.backward()
            optimiser.step(rate_factor(step - 1, len(batches), self.params))
            since.append(loss.detach())
            if step % max(1, len(batches) // _LOGS) == 0 or step == len(batches):
                seconds = time.monotonic() - started
                left = (len(batches) - step) * seconds / step
                self._say(what, step, len(batches), float(torch.stack(since).mean()), left, is_heard=not is_encoder_still)
                since = []

    def _loss(self, batch, masks: Masks, is_encoder_still: bool = False):
        """The cross-entropy of every piece that must be guessed, (m,), float32."""
        read, is_chosen = masks(batch.ids)
        at, is_asked = places(is_chosen)
        words = self.network.words.weight
        with torch.no_grad() if is_encoder_still else nullcontext():
            states = self.network(read, batch.is_read, at)[is_asked]
        logits = self.head(states, words.detach() if is_encoder_still else words)
        return functional.cross_entropy(logits.float(), batch.ids.gather(1, at)[is_asked], reduction="none")

    def _measured(self) -> float:
        """Mean loss of the texts held out, the same pieces hidden each time."""
        masks, losses = self.same_masks(), []
        self.network.eval()
        with torch.no_grad(), self.computing():
            for rows in by_length(self.aside.lengths, _EVALUATED_AT_ONCE):
                losses.append(self._loss(self.aside.batch(rows), masks))
        return float(torch.cat(losses).mean())

    def _say(self, what: str, step: int, steps: int, loss: float, left: float, *, is_heard: bool) -> None:
        if not math.isfinite(loss):
            raise ModelError(f"{what}: the loss is {loss} at step {step}: expected a number: lower train.further_pretraining_learning_rate")
        log.info("train: %s, step %d/%d, masked-language loss %.3f, %.0f s left", what, step, steps, loss, left)
        if is_heard:
            self.observe(step, {"masked_language_loss": loss})


class Guessing(Network):
    """The network of fine-tuning, asked at other places than the first token: ids (n, length), is_read (n, length) and at (n, m) give what the
    last layer says there, (n, m, width)."""

    def forward(self, ids, is_read, at):
        embeddings, (*layers, last) = self._core.distilbert.embeddings, self._core.distilbert.transformer.layer
        hidden = functional.embedding(ids, self.words.weight) + embeddings.position_embeddings.weight[: ids.shape[1]]
        hidden = self._dropped(embeddings.LayerNorm(hidden).to(self._dtype), embeddings.dropout)
        unread = torch.zeros(is_read.shape, dtype=self._dtype, device=ids.device).masked_fill_(~is_read, torch.finfo(self._dtype).min)
        for layer in layers:
            hidden = self._layer(layer, hidden, hidden, unread[:, None, None, :])
        asking = hidden.gather(1, at[:, :, None].expand(-1, -1, hidden.shape[2]))
        return self._layer(last, asking, hidden, unread[:, None, None, :])


class Head(nn.Module):
    """DistilBertForMaskedLM's, its parts by the same names: states (m, width) and the word embeddings (pieces, width) give logits (m, pieces)."""

    def __init__(self, config, pieces: int):
        from transformers.activations import get_activation

        super().__init__()
        self.vocab_transform, self.vocab_layer_norm = nn.Linear(config.dim, config.dim), nn.LayerNorm(config.dim, eps=1e-12)
        self.bias, self._activation = nn.Parameter(torch.zeros(pieces)), get_activation(config.activation)
        nn.init.normal_(self.vocab_transform.weight, std=config.initializer_range)
        nn.init.zeros_(self.vocab_transform.bias)

    def forward(self, states, words):
        return functional.linear(self.vocab_layer_norm(self._activation(self.vocab_transform(states))), words, self.bias)


def head_for(model, params, counts: np.ndarray) -> tuple[Head, bool]:
    """(head, is_fresh): the base's own, or a fresh one that begins with how frequent each piece is (``counts`` in the texts)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        head = Head(model.config, len(counts))
    own = _head_of(params.base)
    head.bias.data.copy_(torch.from_numpy(np.log(_frequencies(counts))))
    if own:
        bias = own.pop("vocab_projector.bias")
        head.bias.data[: len(bias)] = bias  # pieces of emoji came later
        head.load_state_dict(own, strict=False)
    return head, not own


def _frequencies(counts: np.ndarray) -> np.ndarray:
    """How frequent each piece is, one in a hundred being some piece that was not counted; the sum is 1."""
    return 0.99 * counts / max(1, counts.sum()) + 0.01 / len(counts)


def _head_of(base: str) -> dict:
    """The weights of the head that the checkpoint ``base`` was pretrained with; none where it has none."""
    if base == PACKAGED:
        return {}
    from transformers import DistilBertForMaskedLM

    whole, found = DistilBertForMaskedLM.from_pretrained(base, use_safetensors=True, output_loading_info=True)
    if any(name.startswith(_HEAD) for name in found["missing_keys"]):
        return {}
    return {name: weight.float() for name, weight in whole.state_dict().items() if name.startswith(_HEAD)}


class _Texts(Rows):
    """Token ids as `batches.Rows`, nobody's labels, and how often each of so many ``pieces`` is there, but the ``special`` ones."""

    def __init__(self, ids: list[list[int]], *, padding: int, device, pieces: int, special: list[int]):
        super().__init__(Tokenised(ids, np.zeros(len(ids), dtype=np.int64)), padding=padding, device=device)
        self.counts = np.bincount(np.concatenate(ids), minlength=pieces)
        self.counts[special] = 0  # nobody has to guess them


def _numbers(when: str, loss: float) -> dict[str, float]:
    return {f"loss_{when}": round(loss, 4), f"perplexity_{when}": round(math.exp(min(loss, 700.0)), 2)}
