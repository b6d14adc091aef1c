"""The one way from texts to probabilities: training's evaluation, batch scoring, MLflow's pyfunc and serving all call it.

Reads an export folder (config.json, tokenizer.json, model.onnx, model.int8.onnx, manifest.json). Refuses a folder whose files
are not what its manifest says, or that was trained with another version of the text rules. Needs numpy, onnxruntime and
tokenizers only. A predictor may be shared by threads: truncation is set once, padding is done here.

A text is padded to a width that its own length gives, and shares a batch only with texts of that width. The int8 network quantises each
token's row by itself, so the same text has the same answer to the last bit, alone or in a batch, on one thread or two. The fp32
network's answers move by 1e-6 at most.
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
_WIDTH_STEP = 4
TOKENS_PER_BATCH = 512
"""What one batch holds at most, padding included: more gains nothing, because rows then no longer fit in a core's cache."""


class Predictor:
    """A sentiment model ready to answer: ``predict(texts)`` gives calibrated probabilities in the order of ``labels``."""

    def __init__(self, folder: Path, config: dict, *, precision: str = "int8", threads: int = 1, alone_threads: int = 1):
        """From files that somebody else has verified; everybody but export calls `load`."""
        self.config = config
        self.labels: tuple[str, ...] = tuple(config["labels"])
        self.max_length: int = config["max_length"]
        self._threads = threads
        self._tokenizer = _tokenizer(folder / "tokenizer.json", self.max_length)
        self._session = _session(folder / MODEL_FILES[precision])
        self._alone = _session(folder / MODEL_FILES[precision], alone_threads) if alone_threads > 1 else self._session

    @classmethod
    def load(cls, folder: Path, *, precision: str = "int8", threads: int = 1, alone_threads: int = 1) -> Predictor:
        """The model of an export ``folder`` as ``precision`` (int8 or fp32); `ModelError` when it can't be trusted or loaded.

        ``threads`` batches are computed at once. With ``alone_threads`` a batch that has the machine to itself may use so many (`run`).
        """
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
            return cls(folder, config, precision=precision, threads=threads, alone_threads=alone_threads)
        except Exception as error:  # noqa: BLE001 - onnxruntime and tokenizers raise classes of their own, some of them bare
            raise ModelError(f"{folder}: its files are what the manifest says but can't be loaded ({error}): export it again") from error

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, float32 (n, labels), one row a text in the order given; each row sums to 1."""
        return self.probabilities(self.logits(texts))

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """The network's raw answers, float32 (n, labels); texts are normalised here, as `text.normalise` does."""
        return self.logits_of([encoding.ids for encoding in self.encode(texts)])

    def encode(self, texts: Sequence[str]) -> list:
        """The `tokenizers.Encoding` of each text, normalised and cut to the model's longest length: ids, and the offsets of each in the text."""
        return self._tokenizer.encode_batch([normalise(text) for text in texts])

    def logits_of(self, pieces: Sequence[Sequence[int]]) -> np.ndarray:
        """The raw answers, float32 (n, labels), to texts given as token ids."""
        answers = np.empty((len(pieces), len(self.labels)), dtype=np.float32)

        def answer(rows: list[int]) -> None:
            answers[rows] = self.run([pieces[row] for row in rows])

        batches = list(self._batches([self.width(len(ids)) for ids in pieces]))
        if self._threads == 1 or len(batches) < 2:
            for rows in batches:
                answer(rows)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(answer, batches))
        return answers

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float32 (n, labels), of raw answers; each row by itself."""
        return softmax(logits / np.float32(self.config["temperature"]))

    def width(self, length: int) -> int:
        """The tokens that a text of ``length`` tokens is padded to: its length and nothing else decides it."""
        return min(-(-length // _WIDTH_STEP) * _WIDTH_STEP, self.max_length)

    def run(self, pieces: Sequence[Sequence[int]], *, is_alone: bool = False) -> np.ndarray:
        """The raw answers, float32 (n, labels), to texts of one `width`, as one batch: on the calling thread, or on all of them if it is alone."""
        width = self.width(len(pieces[0]))
        tokens = np.zeros((len(pieces), width), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for place, ids in enumerate(pieces):
            tokens[place, : len(ids)] = ids
            mask[place, : len(ids)] = 1
        session = self._alone if is_alone else self._session
        return session.run(["logits"], {"input_ids": tokens, "attention_mask": mask})[0]

    @staticmethod
    def _batches(widths: list[int]) -> Iterator[list[int]]:
        """Row numbers in batches of one width, none over the budget of tokens; the widest first, so that threads end together."""
        rows_of: dict[int, list[int]] = {}
        for row, width in enumerate(widths):
            rows_of.setdefault(width, []).append(row)
        for width in sorted(rows_of, reverse=True):
            rows, fit = rows_of[width], max(1, TOKENS_PER_BATCH // width)
            yield from (rows[start : start + fit] for start in range(0, len(rows), fit))


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


def _tokenizer(path: Path, max_length: int):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(max_length)
    tokenizer.no_padding()
    return tokenizer


def _session(path: Path, threads: int = 1):
    """A session that many threads may use at once; of one thread each as a rule, since two batches at once gain more than two cores at one."""
    from groundswell.onnx_runtime import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # or it spins on, on the core of whoever hands the answer over
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
