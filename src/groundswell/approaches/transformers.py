"""DistilBERT in three ways: its encoder frozen and a head trained, low-rank adapters trained (LoRA), or all of it.

Reads ``train.base`` and the train section; a row's options are keys of that section which hold for it alone. A part of the groups of `fit`
is held out to stop by. Each is at the end one DistilBertForSequenceClassification: adapters are merged into the weights that they adapt.
Refuses options that it does not have, and a base that can't be had.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from groundswell.approaches import teachers, vocabulary
from groundswell.approaches.base import Approach, Labelled, Surroundings, held_out
from groundswell.approaches.cleaning import cleaned
from groundswell.approaches.options import Option, Value, taken
from groundswell.errors import ParamsError, nearest
from groundswell.metrics import macro_f1
from groundswell.params import CompareRow, TrainParams
from groundswell.predictor import softmax
from groundswell.schema import LABELS

HELD_OUT = {"held_out_share": Option(0.1, above=0, most=0.5)}
FROZEN = {
    "dropout": Option(0.2, least=0, most=0.95),
    "pooling": Option("mean", choices=("mean", "first")),  # first: as DistilBERT's classifier reads; an encoder nobody tuned says less there
}
ADAPTED = {
    "rank": Option(8, least=1),
    "alpha": Option(16.0, above=0),  # the adapters' share in the sum is alpha / rank
    "adapter_dropout": Option(0.05, least=0, most=0.95),
    "targets": Option("q_lin, v_lin"),  # linear layers of each block, between commas: q_lin, k_lin, v_lin, out_lin, lin1, lin2
}
_LAYERS = ("q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2")

OWN_DEFAULTS = {
    "distilbert_frozen": {"learning_rate": 3e-4, "epochs": 40.0, "early_stopping_patience": 5, "class_weights": "balanced"},
    "distilbert_lora": {"learning_rate": 1e-3},
    "distilbert": {},
}
"""Where a way of training wants another value of the train section than params.yaml has for full fine-tuning."""

_OF_RETRAINING = ("warm_start", "warm_start_epochs", "warm_starts")
_OF_THE_LAKE = ("augmentation", "further_pretraining_posts")  # a comparison adds rows itself, and what is guessed in are the rows learnt
_NOT_OF_A_ROW = ("seed", "threads", "min_fp32_agreement", "min_int8_agreement", "teachers", "teacher_folds", *_OF_THE_LAKE, *_OF_RETRAINING)
_OF_A_HEAD = ("base", "max_length", "learning_rate", "batch_size", "epochs", "weight_decay", "early_stopping_patience", "class_weights")
_TOKENS_PER_BATCH = 2048


def make(row: CompareRow, seed: int, surroundings: Surroundings) -> Approach:
    """The DistilBERT of ``row``, untrained; `ParamsError` for an option that is none of its own nor of the train section."""
    options = values_of(row, surroundings.train)
    params = _train_params(row, surroundings.train, {**options, "seed": seed, "threads": surroundings.threads})
    kind = {"distilbert_frozen": Frozen, "distilbert_lora": Adapted, "distilbert": Whole}[row.model]
    return kind(row, params, options, surroundings)


def values_of(row: CompareRow, train: TrainParams) -> dict[str, Value]:
    """Every option of ``row`` with its value: its own, and the keys of the train section."""
    own = {"distilbert_frozen": FROZEN, "distilbert_lora": ADAPTED}.get(row.model, {})
    options = taken(row, HELD_OUT, own, _train_options(row, train))
    _train_params(row, train, options)
    if "targets" in options:
        _targets(row, options["targets"])
    return options


def _train_options(row: CompareRow, train: TrainParams) -> dict[str, Option]:
    """The keys of the train section that this way of training obeys, as options: each with the value that it has there, or here."""
    values = {**train.model_dump(), **OWN_DEFAULTS[row.model]}
    if row.model != "distilbert_frozen":
        return {name: Option(values[name]) for name in values if name not in _NOT_OF_A_ROW}
    # a head has a loss of its own: it weighs rows, and does not adjust logits
    return {name: Option(values[name]) for name in _OF_A_HEAD} | {"class_weights": Option(values["class_weights"], choices=("none", "balanced"))}


def _train_params(row: CompareRow, train: TrainParams, values: dict[str, Value]) -> TrainParams:
    told = {name: value for name, value in values.items() if name in TrainParams.model_fields}
    try:
        return TrainParams.model_validate({**train.model_dump(), "warm_start": "none", **told})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ParamsError(f"compare.rows: {row.name}: option {first['loc'][0]!r}: {first['msg']}, found {first['input']!r}") from None


class Whole:
    """An `Approach`: every weight is trained, as `groundswell train` does it."""

    def __init__(self, row: CompareRow, params: TrainParams, options: dict[str, Value], surroundings: Surroundings):
        self._row, self._params, self._options = row, params, options
        self._scratch, self._observe = surroundings.scratch, surroundings.observe

    def fit(self, train: Labelled) -> None:
        from groundswell.encoder import load
        from groundswell.finetune import prepare_torch

        prepare_torch(self._params)
        self._tokenizer, self._model = load(self._params)
        rest, aside = held_out(train, self._options["held_out_share"], self._params.seed)
        self._read(rest)
        self._learn(rest, aside)
        self._model.eval()

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return softmax(self._logits(self._pieces(texts)))

    def size_bytes(self) -> int:
        """The whole network and its tokenizer: a head or an adapter answers nothing without the encoder that it was trained on."""
        return len(self._tokenizer.backend_tokenizer.to_str()) + sum(value.nbytes for value in self._model.state_dict().values())

    def _read(self, train: Labelled) -> None:
        """Further pretraining, where it is wanted, on what is learnt and nothing else."""
        from groundswell import further

        further.pretrain(self._model, self._tokenizer, replace(train, texts=cleaned(self._row.cleaning, train.texts)), params=self._params)

    def _learn(self, train: Labelled, aside: Labelled) -> None:
        from groundswell.finetune import Tokenised, finetune

        # rows of one group only leave none to stop by: then training's own must do
        rows = [Tokenised(self._pieces(part.texts), part.labels) for part in (train, aside or train)]
        rows[0] = teachers.taught(rows[0], train, self._params, self._scratch)
        self._scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="finetune-", dir=self._scratch))
        try:
            finetune(self._model, self._tokenizer, *rows, params=self._params, folder=folder, observe=self._hear)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _hear(self, step: int, numbers: dict[str, float]) -> None:
        """What training calls its validation rows are here those held out."""
        self._observe(step, {name.replace("validation_", "held_out_"): value for name, value in numbers.items()})

    def _pieces(self, texts: Sequence[str]) -> list[list[int]]:
        texts = cleaned(self._row.cleaning, texts)
        return self._tokenizer(texts, truncation=True, max_length=self._params.max_length)["input_ids"] if texts else []

    def _batches(self, pieces: list[list[int]]) -> Iterator[tuple[np.ndarray, dict]]:
        """(places, what the network is given), rows of nearly one length together."""
        for places in vocabulary.sorted_batches(np.array([len(row) for row in pieces]), _TOKENS_PER_BATCH):
            yield places, self._tokenizer.pad({"input_ids": [pieces[place] for place in places]}, return_tensors="pt")

    def _logits(self, pieces: list[list[int]]) -> np.ndarray:
        """float64 (rows, 3), in the order given."""
        import torch

        logits = np.empty((len(pieces), len(LABELS)))
        with torch.inference_mode():
            for places, given in self._batches(pieces):
                logits[places] = self._model(**given).logits.numpy()
        return logits


class Adapted(Whole):
    """An `Approach`: the head, and low-rank changes of the weights that ``targets`` name (LoRA: Hu et al. 2022), merged afterwards."""

    def _learn(self, train: Labelled, aside: Labelled) -> None:
        options = self._options
        targets = _targets(self._row, options["targets"])
        adapt(self._model, targets, rank=options["rank"], alpha=options["alpha"], dropout=options["adapter_dropout"])
        super()._learn(train, aside)
        merge(self._model)


class Frozen(Whole):
    """An `Approach`: DistilBERT's own head, trained on what the encoder says as it comes; each text is read once.

    By default the head reads the mean of a text's states instead of the first: what one token's state tells of a text, fine-tuning teaches it.
    """

    def _read(self, train: Labelled) -> None:
        """Nothing: the encoder stays as it came."""

    def _learn(self, train: Labelled, aside: Labelled) -> None:
        import torch
        from torch import nn

        from groundswell.approaches.descent import balance, descend

        params, chance = self._params, np.random.default_rng(self._params.seed)
        self._model.requires_grad_(False).eval()
        model, dropout = self._model, nn.Dropout(self._options["dropout"])
        self._head = head = nn.Sequential(model.pre_classifier, nn.ReLU(), dropout, model.classifier).requires_grad_(True)
        states, judged = self._states(self._pieces(train.texts)), self._states(self._pieces(aside.texts))
        labels = torch.from_numpy(train.labels.astype(np.int64))

        def epoch() -> Iterator:
            for places in torch.from_numpy(chance.permutation(len(train))).split(params.batch_size):
                yield (states[places],), labels[places]

        def quality() -> float:
            with torch.inference_mode():
                return macro_f1(aside.labels, softmax(head(judged).double().numpy()))

        descend(
            head,
            epoch,
            quality if len(aside) else None,
            epochs=math.ceil(params.epochs),
            patience=params.early_stopping_patience,
            learning_rate=params.learning_rate,
            weight_decay=params.weight_decay,
            weight=balance(train.labels) if params.class_weights == "balanced" else None,
            observe=self._observe,
        )

    def _logits(self, pieces: list[list[int]]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return self._head(self._states(pieces)).double().numpy()

    def _states(self, pieces: list[list[int]]):
        """What the head reads of each text: float32 (rows, width)."""
        import torch

        states = torch.empty(len(pieces), self._model.config.dim)
        with torch.no_grad():
            for places, given in self._batches(pieces):
                found, known = self._model.distilbert(**given).last_hidden_state, given["attention_mask"].unsqueeze(2)
                states[places] = found[:, 0] if self._options["pooling"] == "first" else (found * known).sum(dim=1) / known.sum(dim=1)
        return states


def adapt(model, targets: Sequence[str], *, rank: int, alpha: float, dropout: float) -> None:
    """Put adapters beside the encoder's layers that ``targets`` name; of the encoder only they learn from here on, and the head as before.

    Names stay as they are, since whoever trains tells a layer by its name. Before a step is made the answers are what they were.
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets))
    inject_adapter_in_model(config, model.distilbert)


def merge(model) -> None:
    """Add every adapter to the weights it stands beside: the same answers, from a network of the shape that it had."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in [*model.named_modules()]:
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            model.set_submodule(name, layer.get_base_layer())


def _targets(row: CompareRow, told: str) -> list[str]:
    names = [name.strip() for name in told.split(",") if name.strip()]
    for name in names or [""]:
        if name not in _LAYERS:
            raise ParamsError(f"compare.rows: {row.name}: option 'targets': a block has no layer {name!r}{nearest(name, _LAYERS)}")
    return names
