"""The one way from texts to probabilities: training's evaluation, batch scoring, MLflow's pyfunc and serving all call it.

Reads an export folder (config.json, tokenizer.json, model.onnx, model.int8.onnx, manifest.json). Refuses a folder whose files
are not what its manifest says, or that was trained with another version of the text rules. Needs numpy, onnxruntime and
tokenizers only. A predictor may be shared by threads: truncation is set once, padding is done here.

The int8 network measures its activations over the whole batch, so a text's answer would depend on its neighbours. It is asked one text
at a time, ``threads`` of them at once: the same text has the same answer everywhere, to the last bit. The fp32 network, whose
answers move by 1e-6 at most, is asked in batches of similar length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from groundswell.errors import ModelError
from groundswell.files import sha256_of
from groundswell.text import TEXT_VERSION, normalise

MODEL_FILES = {"int8": "model.int8.onnx", "fp32": "model.onnx"}
MANIFEST = "manifest.json"

_NEEDED = ("config.json", "tokenizer.json", *MODEL_FILES.values())
_TOKENS_PER_BATCH = 2048
_TEXTS_PER_BATCH = {"int8": 1, "fp32": 32}


class Predictor:
    """A sentiment model ready to answer: ``predict(texts)`` gives calibrated probabilities in the order of ``labels``."""

    def __init__(self, folder: Path, config: dict, *, precision: str = "int8", threads: int = 1):
        """From files that somebody else has verified; everybody but export calls `load`."""
        self.config = config
        self.labels: tuple[str, ...] = tuple(config["labels"])
        self._at_once = _TEXTS_PER_BATCH[precision]
        self._workers = threads if self._at_once == 1 else 1
        self._tokenizer = _tokenizer(folder / "tokenizer.json", config["max_length"])
        self._session = _session(folder / MODEL_FILES[precision], threads // self._workers)

    @classmethod
    def load(cls, folder: Path, *, precision: str = "int8", threads: int = 1) -> Predictor:
        """The model of an export ``folder`` as ``precision`` (int8 or fp32); `ModelError` when it can't be trusted or loaded."""
        folder = Path(folder)
        if precision not in MODEL_FILES:
            raise ModelError(f"precision {precision!r}: expected one of {', '.join(MODEL_FILES)}")
        verify(folder)
        config = _read_json(folder / "config.json")
        if config.get("text_version") != TEXT_VERSION:
            raise ModelError(
                f"{folder}: trained with text rules version {config.get('text_version')}, this code has {TEXT_VERSION}: "
                "train again, or use the matching code"
            )
        try:
            return cls(folder, config, precision=precision, threads=threads)
        except Exception as error:  # noqa: BLE001 - onnxruntime and tokenizers raise classes of their own, some of them bare
            raise ModelError(f"{folder}: its files are what the manifest says but can't be loaded ({error}): export it again") from error

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float32 (n, labels), one row a text in the order given; each row sums to 1."""
        return softmax(self.logits(texts) / np.float32(self.config["temperature"]))

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """The network's raw answers, float32 (n, labels); texts are normalised here, as `text.normalise` does."""
        answers = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        encodings = self._tokenizer.encode_batch_fast([normalise(text) for text in texts])
        ids = [encoding.ids for encoding in encodings]

        def answer(rows: np.ndarray) -> None:
            answers[rows] = self._run([ids[row] for row in rows])

        batches = _batches([len(row) for row in ids], self._at_once)
        if self._workers == 1 or len(ids) < 2:
            for rows in batches:
                answer(rows)
        else:
            with ThreadPoolExecutor(self._workers) as pool:
                list(pool.map(answer, batches))
        return answers

    def _run(self, ids: list[list[int]]) -> np.ndarray:
        width = max(len(row) for row in ids)
        tokens = np.zeros((len(ids), width), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for place, row in enumerate(ids):
            tokens[place, : len(row)] = row
            mask[place, : len(row)] = 1
        return self._session.run(["logits"], {"input_ids": tokens, "attention_mask": mask})[0]


def verify(folder: Path) -> dict[str, str]:
    """File name → sha256 of an export folder, each checked; `ModelError` naming what is missing or differs."""
    files = _read_json(Path(folder) / MANIFEST).get("files", {})
    unlisted = [name for name in _NEEDED if name not in files]
    if unlisted:
        raise ModelError(f"{folder}: {MANIFEST} does not list {', '.join(unlisted)}: not an export, or an unfinished one; train again")
    for name, expected in files.items():
        path = Path(folder) / name
        if not path.is_file():
            raise ModelError(f"{folder}: {name} is in {MANIFEST} but not in the folder: fetch or export it again")
        found = sha256_of(path)
        if found != expected:
            raise ModelError(
                f"{folder}: {name} has sha256 {found[:12]}…, {MANIFEST} says {expected[:12]}…: damaged or changed, fetch or export it again"
            )
    return files


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of ``logits`` as probabilities, same dtype and shape."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _batches(lengths: list[int], at_once: int) -> Iterator[np.ndarray]:
    """Row numbers in batches of similar length: little padding, and no batch over the budget of tokens."""
    order = np.argsort(np.asarray(lengths, dtype=np.int64), kind="stable")[::-1]
    start = 0
    while start < len(order):
        fit = max(1, min(at_once, _TOKENS_PER_BATCH // max(1, lengths[order[start]])))
        yield order[start : start + fit]
        start += fit


def _tokenizer(path: Path, max_length: int):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(max_length)
    tokenizer.no_padding()
    return tokenizer


def _session(path: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _read_json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path} is not there: expected an export folder, as train writes it") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} can't be read ({error}): fetch or export the model again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
