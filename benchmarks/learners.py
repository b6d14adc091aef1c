"""What the benchmarks of quality let learn: the platform's network and its linear baseline, and how their answers are measured.

Reads and writes answers (probabilities, never texts) under ``var/benchmarks``, one file a training, so that what a kill leaves is
found again. Another row, parameter, seed or line of the code that trains makes another file; an option that came later and is at its
default does not.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from corpora import digest
from harness import PROJECT, RESULTS, commit, shared

from groundswell import grid
from groundswell.approaches import Labelled
from groundswell.approaches.base import held_out
from groundswell.machine import machine
from groundswell.metrics import measure, resamples
from groundswell.params import Params, TrainParams
from groundswell.predictor import softmax
from groundswell.schema import LABELS

KEPT = PROJECT / "var" / "benchmarks"
STOP_SHARE, STOP_ROWS, MOST_SHARE = 0.05, 1_000, 0.2
"""Of the rows to learn from, so many choose the evaluation whose weights are kept: a share, but no fewer rows, and no more than a fifth.

With 400 rows the choice is mostly luck: their macro-F1 moves by 2.5 points by itself. What judges is never asked.
"""
MEASURES = ("macro_recall", "macro_f1", "accuracy")
SAMPLES = 2000
CODE = ("finetune.py", "forward.py", "objective.py", "recipe.py", "batches.py", "optimiser.py", "encoder.py", "emoji.py", "quantise.py", "text.py")
_LINEAR_CODE = tuple(f"approaches/{name}.py" for name in ("classical", "features", "cleaning", "lexicon", "near_words", "options"))
_TEACHERS_CODE = (*_LINEAR_CODE, "approaches/teachers.py", "folds.py")
_FURTHER_CODE = ("further.py", "masks.py")

log = logging.getLogger(__name__)


_NUMBERS = {
    "rows": "rows to learn from; where the default is 0: all",
    "judged": "other rows, to judge on",
    "folds": "parts, cut by group, each judged by what learnt from the others",
    "seeds": "trainings of each network",
    "threads": "0: all cores",
}
"""What a benchmark of quality may be told on its command line, by name."""


def asked(doc: str, words: Sequence[str] | None, *, corpus: Sequence[str] = (), only: Sequence[str] = (), **defaults: int) -> argparse.Namespace:
    """What the command line ``words`` (None: this process's) says: a number for each of ``defaults``, named as in `_NUMBERS`.

    With ``corpus``, its parts below the shared data, also ``path``, another place to read it from; with ``only`` a choice of these names.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    if corpus:
        parser.add_argument("path", nargs="?", type=Path)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{_NUMBERS[name]} (default: {default})")
    if only:
        parser.add_argument("--only", type=lambda text: text.split(","), default=list(only), help="names, between commas")
    found = parser.parse_args(words)
    if corpus:
        found.path = found.path or shared(*corpus)
    return found


def shipped() -> TrainParams:
    """The train section as params.yaml has it."""
    import yaml

    return Params.model_validate(yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))).train


def network(
    learn: Labelled, texts: Sequence[str], params: TrainParams, precisions: Sequence[str] = ("int8",), unlabelled: Labelled | None = None
) -> dict:
    """What a DistilBERT fine-tuned on ``learn`` says to ``texts``: precision (int8, fp32, torch) → probabilities (n, 3); ``seconds`` of training.

    Of ``learn`` whole groups are held out to stop by (`STOP_SHARE`). Further pretraining, where ``params`` want it, reads the texts of the others
    and those of ``unlabelled``, the first ``params.further_pretraining_posts``; what `further.pretrain` says is there too then, as ``further_…``.
    On how many threads it learnt makes no other answer of it.
    """
    asked = Labelled(list(texts), np.zeros(len(texts), dtype=int), [""] * len(texts))
    code = CODE + (_TEACHERS_CODE if params.distillation else ()) + (_FURTHER_CODE if params.further_pretraining_epochs else ())
    most = params.further_pretraining_posts if unlabelled and params.further_pretraining_epochs else 0
    others = unlabelled.part(range(min(most, len(unlabelled)))) if most else None
    told = f"{digest(learn, asked)} {params.model_dump_json(exclude_defaults=True, exclude={'threads'})} {sorted(precisions)} {code_of(code)}"
    told += f" {digest(others)}" if others else ""
    return kept(f"network-{hashlib.sha256(told.encode()).hexdigest()[:16]}", lambda: _network(learn, texts, params, precisions, others))


def baseline(learn: Labelled, texts: Sequence[str], seed: int = 1) -> np.ndarray:
    """What the platform's floor, TF-IDF and logistic regression, says to ``texts``."""
    from groundswell.baseline import fit

    return fit(learn.texts, learn.labels, seed=seed).predict(texts)


def linear_rows(learn: Labelled, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Name → what it says to ``texts``: the platform's baseline, and every linear model on counts of n-grams that `compare` has by default."""
    from groundswell.params import CompareParams

    rows = [row for row in CompareParams().wanted if row.model in grid.LINEAR and row.features in grid.COUNTED and row.augmentation == "none"]
    asked = Labelled(list(texts), np.zeros(len(texts), dtype=int), [""] * len(texts))
    found = {"baseline": baseline(learn, texts)}
    for row in rows:
        told = f"{digest(learn, asked)} {row.model_dump_json()} {code_of(_LINEAR_CODE)}"
        name = f"{row.name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
        found[row.name] = kept(name, lambda row=row: {"said": _linear(row, learn, texts)})["said"]
    return found


def _linear(row, learn: Labelled, texts: Sequence[str]) -> np.ndarray:
    from groundswell.approaches import Surroundings, make

    with tempfile.TemporaryDirectory() as scratch:
        approach = make(row, 1, Surroundings(threads=1, train=TrainParams(), scratch=Path(scratch)))
        approach.fit(learn)
        log.info("%s: %d rows learnt", row.name, len(learn))
        return approach.predict(texts)


def kept(name: str, make: Callable[[], dict]) -> dict:
    """What ``make`` gave (arrays and numbers) when it was called for ``name`` before, here or in a run that was killed later."""
    path = KEPT / f"{name}.npz"
    if not path.exists():
        made = make()
        KEPT.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part.npz")
        np.savez(beside, **made)
        os.replace(beside, path)
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] if arrays[key].ndim else arrays[key].item() for key in arrays.files}


def summary(labels: np.ndarray, answers: Sequence[np.ndarray]) -> dict:
    """Measure → {"mean", "low", "high"} over ``answers``, one array (n, 3) a seed: the mean of the seeds, 95 % by resampled rows (Efron 1979)."""
    points = [measure(labels, said) for said in answers]
    drawn: dict[str, list] = {name: [] for name in MEASURES}
    for weights in resamples(len(labels), SAMPLES, seed=1):
        each = [measure(labels, said, weights=weights) for said in answers]
        for name in MEASURES:
            drawn[name].append(np.mean([one[name] for one in each], axis=0))
    found = {}
    for name in MEASURES:
        low, high = np.percentile(np.concatenate(drawn[name]), [2.5, 97.5])
        by_seed = [float(point[name][0]) for point in points]
        found[name] = {"mean": round(float(np.mean(by_seed)), 4), "low": round(float(low), 4), "high": round(float(high), 4)}
        found[name]["by_seed"] = [round(value, 4) for value in by_seed]
    return found


def reweighed(answers: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Probabilities (n, 3) as they are where a class is more frequent by its factor."""
    found = answers * factors
    return found / found.sum(axis=1, keepdims=True)


def difference(labels: np.ndarray, one: Sequence[np.ndarray], other: Sequence[np.ndarray], name: str = "macro_recall") -> dict:
    """{"estimate", "low", "high"}: measure ``name`` of ``one``'s seeds' mean less ``other``'s, on the same resampled rows."""

    def mean(answers, weights=None):
        return np.mean([measure(labels, said, weights=weights)[name] for said in answers], axis=0)

    draws = [mean(one, weights) - mean(other, weights) for weights in resamples(len(labels), SAMPLES, seed=1)]
    low, high = np.percentile(np.concatenate(draws), [2.5, 97.5])
    return {"estimate": round(float((mean(one) - mean(other))[0]), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def page(name: str, title: str, sections: dict[str, list[Sequence[str]]]) -> None:
    """Write ``results/<name>.md``: ``title``, and for each section its words and its table, the first row of which is the head."""
    lines = [f"# {title}", "", f"Written by `make bench-{name}` on {machine()['processor']}, {machine()['cores']} cores, commit {commit()[:10]}."]
    for words, (head, *rows) in sections.items():
        lines += ["", words, "", _line(head), _line(["---"] * len(head)), *(_line(row) for row in rows)]
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def cells(row: dict, names: Sequence[str] = MEASURES) -> list[str]:
    """A `summary` as cells of a table: mean and 95 % of each of ``names``."""
    return [f"{row[name]['mean']:.3f} ({row[name]['low']:.3f} to {row[name]['high']:.3f})" for name in names]


def points(apart: dict) -> str:
    """A `difference` in points of a hundred, with its 95 %."""
    return f"{100 * apart['estimate']:+.1f} ({100 * apart['low']:+.1f} to {100 * apart['high']:+.1f})"


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(row)} |"


def speaks() -> None:
    """Progress to standard error: lines with counts and seconds, no text."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", stream=sys.stderr)


def _network(learn: Labelled, texts: Sequence[str], params: TrainParams, precisions: Sequence[str], unlabelled: Labelled | None) -> dict:
    from groundswell import further
    from groundswell.approaches import teachers
    from groundswell.encoder import load
    from groundswell.finetune import Tokenised, finetune, prepare_torch

    prepare_torch(params)
    rest, stop = held_out(learn, min(MOST_SHARE, max(STOP_SHARE, STOP_ROWS / len(learn))), seed=1)
    tokenizer, model = load(params)
    rows = [Tokenised(tokenizer(part.texts, truncation=True, max_length=params.max_length)["input_ids"], part.labels) for part in (rest, stop)]
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.monotonic()
        read = further.pretrain(model, tokenizer, joined(rest, unlabelled), params=params) or {}
        rows[0] = teachers.taught(rows[0], rest, params, Path(scratch))
        finetune(model, tokenizer, *rows, params=params, folder=Path(scratch), observe=lambda step, numbers: None)
        seconds = time.monotonic() - begun
        log.info("%d rows learnt in %.0f s", len(rest), seconds)
        return {
            **answers(model, tokenizer, texts, params, precisions),
            "seconds": seconds,
            **{f"further_{name}": value for name, value in read.items()},
        }


def joined(rows: Labelled, more: Labelled | None) -> Labelled:
    """``rows``, and after them ``more``."""
    return Labelled(rows.texts + more.texts, np.concatenate([rows.labels, more.labels]), rows.groups + more.groups) if more else rows


def answers(model, tokenizer, texts: Sequence[str], params: TrainParams, precisions: Sequence[str]) -> dict[str, np.ndarray]:
    """Precision → probabilities (n, 3) of ``texts``: int8 and fp32 through the serving code's networks, torch by the model itself."""
    from groundswell.export import tokenizer_file, torch_probabilities, write_networks
    from groundswell.predictor import Predictor

    config = {"labels": LABELS, "max_length": params.max_length, "temperature": 1.0}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        write_networks(model, Path(folder))
        tokenizer_file(tokenizer, Path(folder) / "tokenizer.json")
        for precision in precisions:
            if precision == "torch":
                order = sorted(range(len(texts)), key=lambda at: len(texts[at]))  # torch is slow enough without padding
                said = torch_probabilities(model, tokenizer, [texts[at] for at in order], 1.0, params.max_length)
                found[precision] = said[np.argsort(order)]
            else:
                found[precision] = softmax(Predictor(Path(folder), config, precision=precision).logits(texts))
    return found


def code_of(names: Sequence[str]) -> str:
    """The sha256 of the modules that a training goes through."""
    files = [PROJECT / "src" / "groundswell" / name for name in names]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
