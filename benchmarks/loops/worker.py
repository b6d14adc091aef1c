"""One training loop in a process of its own: ours, or Hugging Face's Trainer, answering line by line what `training.py` asks.

Reads a JSON object a line, ``{"do": "warm" | "segment" | "overhead" | "train", …}``, and tweets/tweets.csv beside the checkout; writes an
answer a line. Nothing is computed between two lines.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, when torch loads

import numpy as np
from harness import shared
from loops import levers

from groundswell.bootstrap import macro_f1

TIMED, VALIDATION, TEST = 768, 1000, 6000
"""Rows: of a timed segment, to choose an epoch by, to compare on."""
EPOCHS, RATE = 2, 1e-4
LABELS = ("negative", "neutral", "positive")


class Bench:
    """The rows, and a fresh model for each thing that is asked."""

    def __init__(self, rows: int, threads: int):
        import torch

        from groundswell.encoder import load_tokenizer
        from groundswell.finetune import Tokenised

        torch.set_num_threads(threads)
        self.threads, self.tokenizer = threads, load_tokenizer("packaged")
        texts, labels = draw(rows + VALIDATION + TEST)
        ids = self.tokenizer(texts, truncation=True, max_length=96)["input_ids"]
        cuts = {"train": (0, rows), "validation": (rows, rows + VALIDATION), "test": (rows + VALIDATION, len(ids)), "timed": (0, TIMED)}
        self.parts = {name: Tokenised(ids[start:end], labels[start:end]) for name, (start, end) in cuts.items()}
        self.box = Path(tempfile.mkdtemp(prefix="groundswell-bench-"))

    def model(self, seed: int):
        import torch

        from groundswell.encoder import load_classifier

        torch.manual_seed(seed)
        return load_classifier("packaged")

    def answer(self, task: dict) -> dict:
        """What is asked: warm, segment, overhead or train."""
        return getattr(self, task.pop("do"))(**task)

    def warm(self) -> dict:
        """Allocators and kernels are there before anything is timed."""
        self._learn(self.model(0), "timed", seed=0, steps=4)
        return {}

    def train(self, seed: int) -> dict:
        """A whole training, and what its model says to the test rows."""
        import torch

        from groundswell.batches import Rows, by_length
        from groundswell.forward import Network

        model, begun = self.model(seed), time.perf_counter()
        self._train(model, seed)
        seconds = time.perf_counter() - begun
        test = Rows(self.parts["test"], padding=self.tokenizer.pad_token_id)
        network, said = Network(model.eval(), dtype=torch.bfloat16, seed=0).eval(), np.empty(len(test), dtype=np.int64)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for places in by_length(test.lengths, 4096):
                batch = test.batch(places)
                said[places] = network(batch.ids, batch.is_read).argmax(dim=-1).numpy()
        labels = self.parts["test"].labels
        return {"seconds": seconds, "said": said.tolist(), "expected": labels.tolist(), "macro_f1": macro_f1(labels, said)}


class Ours(Bench):
    """Our loop."""

    def segment(self, seed: int, lever: str | None = None) -> dict:
        with levers.without(lever):
            return self._learn(self.model(seed), "timed", seed=seed)

    def _training(self, model, part: str, seed: int, **changes):
        from groundswell.finetune import Training
        from groundswell.params import TrainParams

        how = {
            "learning_rate": RATE,
            "epochs": EPOCHS,
            "seed": seed,
            "threads": self.threads,
            "early_stopping_patience": 0,
            **levers.CHANGES,
            **changes,
        }
        rows = self.parts[part], self.parts["validation"]
        params, silent = TrainParams(**how), lambda step, numbers: None
        return Training(model, self.tokenizer.pad_token_id, *rows, params=params, folder=self.box, observe=silent)

    def _learn(self, model, part: str, *, seed: int, steps: int | None = None) -> dict:
        training = self._training(model, part, seed, epochs=1)
        training.answer.train()
        begun = time.perf_counter()
        for places in training.course[0][:steps]:
            training.take(places)
        return {"posts": training.posts, "seconds": time.perf_counter() - begun}

    def _train(self, model, seed: int) -> None:
        self._training(model, "train", seed).run()

    def overhead(self) -> dict:
        """Of the same batches, in turns: a step of the loop, and its bare forward, backward and optimiser, made ready before."""
        training = self._training(self.model(0), "timed", 0, epochs=1)
        training.answer.train()
        loop, bare, step = 0.0, 0.0, 0.0
        for number, places in enumerate(training.course[0]):
            for is_loop in ((True, False), (False, True))[number % 2]:
                if is_loop:
                    begun = time.perf_counter()
                    training.take(places)
                    loop += time.perf_counter() - begun
                else:
                    both, last = bare_step(training, places)
                    bare, step = bare + both, step + last
        return {"loop": loop / (bare + step) - 1, "step": step / bare}


def bare_step(training, places) -> tuple[float, float]:
    """(seconds of forward and backward, of the optimiser's step) on a batch that was made before."""
    batch = training.rows.batch(places)
    answer = training._answering(batch, places)
    begun = time.perf_counter()
    with training.computing():
        loss = training.objective(answer, batch.labels)
    loss.backward()
    between = time.perf_counter()
    training.optimiser.step(0.5)
    return between - begun, time.perf_counter() - between


class Theirs(Bench):
    """Hugging Face's Trainer, as it comes or tuned."""

    tuned = False

    def segment(self, seed: int) -> dict:
        return self._learn(self.model(seed), "timed", seed=seed)

    def _learn(self, model, part: str, *, seed: int, steps: int | None = None) -> dict:
        trainer, clock = self._trainer(model, part, seed, num_train_epochs=1, max_steps=steps or -1)
        trainer.train()
        return {"posts": len(self.parts[part].ids), "seconds": clock.seconds}

    def _train(self, model, seed: int) -> None:
        best = {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True, "metric_for_best_model": "macro_f1"}
        trainer, _ = self._trainer(model, "train", seed, num_train_epochs=EPOCHS, **(best if self.tuned else {}))
        trainer.train()
        trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False).float()

    def _trainer(self, model, part: str, seed: int, **changes):
        from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

        class Clock(TrainerCallback):
            def on_train_begin(self, args, state, control, **rest):
                self.begun = time.perf_counter()

            def on_train_end(self, args, state, control, **rest):
                self.seconds = time.perf_counter() - self.begun

        clock = Clock()
        quiet = {"report_to": "none", "disable_tqdm": True, "use_cpu": True, "dataloader_pin_memory": False, "save_strategy": "no"}
        arguments = TrainingArguments(output_dir=str(self.box), seed=seed, **{**quiet, **(TUNED if self.tuned else {}), **changes})
        data = dataset(self.parts[part]), dataset(self.parts["validation"])
        trainer = Trainer(
            model, arguments, data_collator=DataCollatorWithPadding(self.tokenizer), train_dataset=data[0], eval_dataset=data[1], callbacks=[clock]
        )
        trainer.compute_metrics = lambda given: {"macro_f1": macro_f1(given.label_ids, given.predictions.argmax(axis=-1))}
        trainer.remove_callback(PrinterCallback)
        return trainer, clock


class Tuned(Theirs):
    tuned = True


TUNED = {
    "per_device_train_batch_size": 32,
    "per_device_eval_batch_size": 64,
    "learning_rate": RATE,
    "warmup_steps": 0.1,
    "weight_decay": 0.01,
    "bf16": True,
    "train_sampling_strategy": "group_by_length",
    "length_column_name": "length",
    "save_only_model": True,
    "save_total_limit": 1,
}


def dataset(rows):
    """Tokenised rows as the Trainer takes them."""
    from datasets import Dataset

    return Dataset.from_dict({"input_ids": rows.ids, "labels": rows.labels.tolist(), "length": [len(ids) for ids in rows.ids]})


def draw(count: int) -> tuple[list[str], np.ndarray]:
    """``count`` normalised texts of TweetEval's training rows and their class numbers, each text once: the same ones every time."""
    from groundswell.text import normalise

    with shared("tweets", "tweets.csv").open(encoding="utf-8", newline="") as file:
        found = {normalise(row["text"]): LABELS.index(row["label"]) for row in csv.DictReader(file) if row["split"] == "train"}
    texts = list(found)
    if count > len(texts):
        sys.exit(f"--rows: {len(texts)} texts are there, {count} are needed ({VALIDATION} and {TEST} of them to choose by and to test on)")
    chosen = np.random.default_rng(0).permutation(len(texts))[:count]
    return [texts[place] for place in chosen], np.array([found[texts[place]] for place in chosen])


def work(name: str, rows: int, threads: int) -> None:
    """Answer line by line until there is nobody to ask; standard output is for answers alone."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    bench = {"A": Theirs, "B": Tuned, "ours": Ours}[name](rows, threads)
    for line in sys.stdin:
        print(json.dumps(bench.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":  # python -m loops.worker LOOP ROWS THREADS
    work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
