"""Fine-tuning a DistilBERT: a training loop of our own, on one processor, one GPU, or several by `accelerate launch`.

Reads token ids and labels, writes the best weights so far into a folder that its caller throws away, leaves those of the best validation
macro-F1 in the model. Refuses to go on when the loss is no number any more. The same rows, parameters, seed and number of threads give the
same weights on one machine; several processes take the steps that one would take, each computing a part of every batch.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from groundswell.batches import Rows, Tokenised, by_length, course
from groundswell.errors import ModelError
from groundswell.metrics import measure
from groundswell.objective import Objective
from groundswell.predictor import softmax
from groundswell.recipe import Averaged, parameter_groups, rate_factor

__all__ = ["Tokenised", "finetune", "prepare_torch", "process_number", "uses_bf16", "uses_compile"]

_TRACKED = ("macro_f1", "macro_recall", "accuracy", "log_loss")
_LOGS_PER_EPOCH = 10
_EVALUATED_AT_ONCE = 4096
"""Word pieces, padding counted: an evaluation's batches need no memory for gradients."""
_GPU_LENGTHS = 8
"""On a GPU a batch's length is a multiple of it: tensor cores want that, and a compiled network sees fewer shapes."""

log = logging.getLogger(__name__)

Observer = Callable[[int, dict[str, float]], None]
"""Is told (step, numbers) as training goes."""


def finetune(model, tokenizer, train: Tokenised, validation: Tokenised, *, params, folder: Path, observe: Observer) -> list[dict]:
    """Train ``model`` in place as ``params`` (the train section) say; returns the history, one record a log or evaluation.

    A record is ``{"step", "epoch"}`` with loss, learning_rate and gradient_norm since the one before, or with validation_loss (cross-entropy,
    nothing weighed), validation_macro_f1 …. `ModelError` when the loss is no number; `DatasetError` for a split without rows.
    """
    return Training(model, tokenizer.pad_token_id, train, validation, params=params, folder=folder, observe=observe).run()


def prepare_torch(params) -> dict:
    """Seed torch and set its threads before a model is made; what was chosen: ``{"threads", "bf16", "cuda"}``."""
    # threads that wait by spinning starve whoever else computes here, and then themselves: 6 x slower beside one busy neighbour
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, when torch loads
    import torch

    threads = params.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    torch.manual_seed(params.seed)
    return {"threads": threads, "bf16": uses_bf16(params), "cuda": torch.cuda.is_available()}


def process_number() -> int:
    """This process's place among those that `accelerate launch` started; 0 for the first, and for one alone."""
    return int(os.environ.get("RANK", 0)) if int(os.environ.get("WORLD_SIZE", 1)) > 1 else 0


def uses_bf16(params) -> bool:
    """Whether to train in bfloat16: as told, or by itself where the processor multiplies in it (elsewhere it is slower than fp32)."""
    import torch

    if params.bf16 != "auto":
        return params.bf16 == "on"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def uses_compile(params) -> bool:
    """Whether the network is compiled: as told, or by itself on a GPU."""
    import torch

    return torch.cuda.is_available() if params.compile == "auto" else params.compile == "on"


class Training:
    """One training: the rows, the network, the optimiser, and how far it is."""

    def __init__(self, model, padding: int, train: Tokenised, validation: Tokenised, *, params, folder: Path, observe: Observer):
        import torch
        from accelerate import Accelerator

        from groundswell.forward import Network
        from groundswell.optimiser import Optimiser

        if params.distillation and train.taught is None:
            raise ModelError("fine-tuning: train.distillation is above 0, and nobody asked the teachers: expected rows from approaches.teachers")
        self.params, self.model, self.observe = params, model, observe
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        device = self.accelerator.device
        model.to(device)
        self.rows, self.validation = (Rows(part, padding=padding, device=device) for part in (train, validation))
        self.expected = np.asarray(validation.labels)
        self.course = course(self.rows.lengths, batch_size=params.batch_size, epochs=params.epochs, seed=params.seed)
        self.steps = sum(map(len, self.course))
        self.objective, self.averaged = Objective(train.labels, params), Averaged(model, params, self.steps)
        self.best = _Best(model, folder / f"best-{self.accelerator.process_index}.safetensors")
        dtype = torch.bfloat16 if uses_bf16(params) else torch.float32
        self.network = Network(model, dtype=dtype, seed=params.seed + self.accelerator.process_index)
        groups, table = parameter_groups(model, params), self.network.words.weight
        self.optimiser = Optimiser(groups, table if device.type == "cpu" and table.requires_grad else None)
        if uses_compile(params):
            self.network.compile(dynamic=True)
        self.answer = self.accelerator.prepare(self.network)
        self.computing = lambda: torch.autocast(device.type, dtype) if dtype != torch.float32 else nullcontext()
        self.multiple = _GPU_LENGTHS if device.type == "cuda" else 1
        self.history: list[dict] = []
        self.step, self.posts = 0, 0
        self.since = _Since()

    def run(self) -> list[dict]:
        """Take every step, or those until it gets no better; the history."""
        self.started = time.monotonic()
        log.info("train: %d steps of %d posts, %s", self.steps, self.params.batch_size, "bf16" if uses_bf16(self.params) else "fp32")
        for batches in self.course:
            if not self._epoch(batches):
                break
        self.optimiser.release()
        self.best.restore()
        self.model.float().cpu().eval()
        return self.history

    def _epoch(self, batches: list[np.ndarray]) -> bool:
        """One pass over the rows; whether another one may make it better."""
        logged, evaluated = (max(1, math.ceil(len(batches) / times)) for times in (_LOGS_PER_EPOCH, self.params.evaluations_per_epoch))
        self.answer.train()
        for number, places in enumerate(batches, start=1):
            self.take(places)
            if number % logged == 0 or number == len(batches):
                self._say(self.since.numbers())
            if (number % evaluated == 0 or number == len(batches)) and not self._evaluate():
                return False
        return True

    def take(self, places: np.ndarray) -> None:
        """One step: the rows at ``places``, of which this process computes its share.

        Every row weighs the same, in a batch of many as in one of few: the loss is the rows' sum over ``batch_size``.
        """
        processes, process = self.accelerator.num_processes, self.accelerator.process_index
        mine = places[process::processes]
        share = len(mine) * processes / self.params.batch_size  # gradients of several processes are averaged
        batch = self.rows.batch(mine if len(mine) else places[:1], multiple=self.multiple)
        with self.computing():
            loss = self.objective(self._answering(batch, places), batch.labels, batch.taught)
        (loss * share).backward()
        self._share_rows()
        factor = rate_factor(self.step, self.steps, self.params)
        norm = self.optimiser.step(factor)
        self.step += 1
        self.posts += len(places)
        self.since.add(loss.detach(), len(mine), norm, self.params.learning_rate * factor)
        if self.averaged.takes(self.step):
            self.optimiser.settle()
            self.averaged.after(self.step)

    def _answering(self, batch, places: np.ndarray) -> Callable:
        """What gives the batch's logits, as often as it is asked."""
        rows = self.optimiser.rows
        if rows is None:
            return lambda: self.answer(batch.ids, batch.is_read)
        import torch

        everyones = batch.ids if self.accelerator.num_processes == 1 else self.rows.batch(places).ids
        pieces = torch.unique(everyones)
        leaf, at = rows.read(pieces), torch.searchsorted(pieces, batch.ids)
        return lambda: self.answer(at, batch.is_read, leaf)

    def _share_rows(self) -> None:
        """The word pieces' gradient, which torch's own averaging over processes does not know of."""
        if self.optimiser.rows is not None and self.accelerator.num_processes > 1:
            self.optimiser.rows.average(self.accelerator)

    def _evaluate(self) -> bool:
        """Measure the weights as they would be kept, keep them if they are the best; False when patience is at its end.

        Patience waits for the mean of weights, where there will be one: it has nothing to do with what comes before.
        """
        self.optimiser.settle()
        with self.averaged.shown():
            found = self._measured()
            self.best.offer(found["validation_macro_f1"], is_counted=not self.averaged.is_awaited)
        self._say(found)
        self.answer.train()
        return not self.params.early_stopping_patience or self.best.refused < self.params.early_stopping_patience

    def _measured(self) -> dict[str, float]:
        import torch

        self.answer.eval()
        logits = np.empty((len(self.validation), self.model.config.num_labels))
        with torch.no_grad(), self.computing():
            for places in by_length(self.validation.lengths, _EVALUATED_AT_ONCE):
                batch = self.validation.batch(places, multiple=self.multiple)
                logits[places] = self.network(batch.ids, batch.is_read).cpu().numpy()
        found = measure(self.expected, softmax(logits))
        numbers = {f"validation_{name}": float(found[name][0]) for name in _TRACKED}
        return {"validation_loss": numbers["validation_log_loss"], **numbers}

    def _say(self, numbers: dict[str, float]) -> None:
        if not math.isfinite(numbers.get("loss", 0)):
            raise ModelError(f"fine-tuning: the loss is {numbers['loss']} at step {self.step}: expected a number: lower train.learning_rate")
        self.history.append({"step": self.step, "epoch": self.step * len(self.course) / self.steps, **numbers})
        if not self.accelerator.is_main_process:
            return
        self.observe(self.step, numbers)
        seconds = max(1e-9, time.monotonic() - self.started)
        said = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items() if name in ("loss", "validation_loss", "validation_macro_f1"))
        left = (self.steps - self.step) * seconds / self.step
        log.info("train: step %d/%d, %s, %.0f posts/s, %.0f s left", self.step, self.steps, said, self.posts / seconds, left)


class _Since:
    """What happened since the last log; sums stay where they were computed until somebody asks, so that a GPU is not waited for."""

    def __init__(self):
        self.loss, self.norm, self.rows, self.steps, self.rate = 0, 0, 0, 0, 0.0

    def add(self, loss, rows: int, norm, rate: float) -> None:
        self.loss, self.norm = self.loss + loss * rows, norm
        self.rows, self.steps, self.rate = self.rows + rows, self.steps + 1, rate

    def numbers(self) -> dict[str, float]:
        """Mean loss of a row, the last norm and learning rate; and it begins again."""
        found = {"loss": float(self.loss) / max(1, self.rows), "learning_rate": self.rate, "gradient_norm": float(self.norm)}
        self.__init__()
        return found


class _Best:
    """The weights that learn, as they were when they were best, in a file."""

    def __init__(self, model, path: Path):
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.path, self.score, self.refused = path, -math.inf, 0

    def offer(self, score: float, *, is_counted: bool = True) -> None:
        """Keep the weights if ``score`` is better than any before; ``is_counted``: patience counts those that are not."""
        from safetensors.torch import save_file

        if not score > self.score:
            self.refused += is_counted
            return
        self.score, self.refused = score, 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: weight.detach().contiguous() for name, weight in self.weights.items()}, self.path)

    def restore(self) -> None:
        """Put the best ones back."""
        from safetensors.torch import load_file

        for name, weight in load_file(self.path).items():
            self.weights[name].data.copy_(weight)
