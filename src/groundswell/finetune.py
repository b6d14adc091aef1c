"""Fine-tuning a DistilBERT: the adapter over Hugging Face's Trainer.

Reads token ids and labels, writes checkpoints into a folder that its caller throws away, leaves the weights of the best validation
macro-F1 in the model. The same rows, parameters, seed and number of threads give the same weights on one machine.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from groundswell.metrics import measure
from groundswell.objective import Objective
from groundswell.predictor import softmax
from groundswell.recipe import Averaged, parameter_groups, rate_factor

_TRACKED = ("macro_f1", "macro_recall", "accuracy", "log_loss")
_LOGS_PER_EPOCH = 10

log = logging.getLogger(__name__)

Observer = Callable[[int, dict[str, float]], None]
"""Is told (step, numbers) as training goes."""


@dataclass(frozen=True)
class Tokenised:
    """Rows as the network reads them: token ids with the two special ones, and class numbers."""

    ids: list[list[int]]
    labels: np.ndarray

    def dataset(self):
        from datasets import Dataset

        lengths = [len(row) for row in self.ids]
        return Dataset.from_dict({"input_ids": self.ids, "labels": self.labels.tolist(), "length": lengths})


def finetune(model, tokenizer, train: Tokenised, validation: Tokenised, *, params, folder: Path, observe: Observer) -> list[dict]:
    """Train ``model`` in place as ``params`` (the train section) say; returns the history, one record a log or evaluation."""
    from transformers import DataCollatorWithPadding, EarlyStoppingCallback, PrinterCallback

    steps = math.ceil(len(train.ids) / params.batch_size)
    average = Averaged(model, params, math.ceil(steps * params.epochs))
    callbacks = [_progress(params, steps, observe, average)]
    if params.early_stopping_patience:
        callbacks.append(EarlyStoppingCallback(params.early_stopping_patience))
    trainer = _trainer(params, train.labels, average)(
        model,
        _arguments(params, folder, steps),
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=train.dataset(),
        eval_dataset=validation.dataset(),
        processing_class=tokenizer,
        compute_metrics=_validation_metrics,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)  # it prints to standard output, which is for the report
    trainer.train()
    # accelerate leaves the model's forward wrapped in autocast: exported like that, the network would be bf16
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False).float().cpu().eval()
    return trainer.state.log_history


def prepare_torch(params) -> dict:
    """Seed torch and set its threads before a model is made; what was chosen: ``{"threads", "bf16", "cuda"}``."""
    # threads that wait by spinning starve whoever else computes here, and then themselves: 6 x slower beside one busy neighbour
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, when torch loads
    import torch

    threads = params.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    torch.manual_seed(params.seed)
    return {"threads": threads, "bf16": uses_bf16(params), "cuda": torch.cuda.is_available()}


def uses_bf16(params) -> bool:
    """Whether to train in bfloat16: as told, or by itself where the processor multiplies in it (elsewhere it is slower than fp32)."""
    import torch

    if params.bf16 != "auto":
        return params.bf16 == "on"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _arguments(params, folder: Path, steps: int):
    import torch
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder),
        learning_rate=params.learning_rate,
        per_device_train_batch_size=params.batch_size,
        per_device_eval_batch_size=64,
        num_train_epochs=params.epochs,
        max_grad_norm=1.0,
        bf16=uses_bf16(params),
        use_cpu=not torch.cuda.is_available(),
        seed=params.seed,
        data_seed=params.seed,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="macro_f1",
        greater_is_better=True,
        logging_steps=max(1, steps // _LOGS_PER_EPOCH),
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=False,
    )


def _progress(params, steps_per_epoch: int, observe: Observer, average: Averaged):
    from transformers import TrainerCallback

    every = max(1, math.ceil(steps_per_epoch / params.evaluations_per_epoch))

    class Progress(TrainerCallback):
        """Says how far training is, hands on its numbers, and asks for the evaluations inside an epoch."""

        def on_train_begin(self, args, state, control, **rest):
            self.started = time.monotonic()
            log.info("train: %d steps of %d posts, %s", state.max_steps, args.train_batch_size, "bf16" if args.bf16 else "fp32")

        def on_step_end(self, args, state, control, **rest):
            average.after(state.global_step)
            within = state.global_step % steps_per_epoch
            if within and within % every == 0:
                control.should_evaluate = control.should_save = True

        def on_log(self, args, state, control, logs=None, **rest):
            numbers = _numbers(logs or {})
            if not numbers:
                return
            observe(state.global_step, numbers)
            per_second = state.global_step / max(1e-9, time.monotonic() - self.started)
            left = (state.max_steps - state.global_step) / max(1e-9, per_second)
            said = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items() if name in ("loss", "validation_loss", "validation_macro_f1"))
            log.info(
                "train: step %d/%d, %s, %.0f posts/s, %.0f s left", state.global_step, state.max_steps, said, per_second * args.train_batch_size, left
            )

    return Progress()


def _numbers(logs: dict) -> dict[str, float]:
    """The Trainer's log under our names: loss, learning_rate, gradient_norm, and validation_… for what was evaluated."""
    names = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "gradient_norm", "eval_loss": "validation_loss"}
    names |= {f"eval_{name}": f"validation_{name}" for name in _TRACKED}
    return {ours: float(logs[theirs]) for theirs, ours in names.items() if theirs in logs}


def _validation_metrics(prediction) -> dict[str, float]:
    found = measure(prediction.label_ids, softmax(np.asarray(prediction.predictions, dtype=np.float64)))
    return {name: float(found[name][0]) for name in _TRACKED}


def _trainer(params, labels: np.ndarray, average: Averaged):
    """A Trainer with our objective, parameter groups and schedule, that evaluates and keeps the mean of the last weights."""
    import torch
    from transformers import Trainer

    objective = Objective(labels, params)

    class Recipe(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            labels = inputs.pop("labels")
            if return_outputs:  # an evaluation: one pass, nothing weighed or smoothed
                outputs = model(**inputs)
                return torch.nn.functional.cross_entropy(outputs.logits.float(), labels), outputs
            return objective(lambda: model(**inputs).logits, labels)

        def create_optimizer(self, model=None):
            self.optimizer = self.optimizer or torch.optim.AdamW(parameter_groups(self.model, params), fused=True)
            return self.optimizer

        def create_scheduler(self, num_training_steps, optimizer=None):
            factor = partial(rate_factor, steps=num_training_steps, params=params)
            self.lr_scheduler = self.lr_scheduler or torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
            return self.lr_scheduler

        def evaluate(self, *arguments, **options):
            with average.shown():
                return super().evaluate(*arguments, **options)

        def _save_checkpoint(self, model, trial):
            with average.shown():
                super()._save_checkpoint(model, trial)

    return Recipe
