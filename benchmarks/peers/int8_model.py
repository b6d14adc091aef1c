"""An export's int8 network as the peers over ONNX Runtime run it: tokenize, pad to the longest of the request, one call, softmax."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


class Model:
    """May be shared by threads: truncation is set once, padding is done here."""

    def __init__(self, export: Path, threads: int):
        config = json.loads((export / "config.json").read_text(encoding="utf-8"))
        self.labels, self.temperature = config["labels"], np.float32(config["temperature"])
        self.tokenizer = Tokenizer.from_file(str(export / "tokenizer.json"))
        self.tokenizer.enable_truncation(config["max_length"])
        self.tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(export / "model.int8.onnx"), options, providers=["CPUExecutionProvider"])

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """float32 (texts, labels)."""
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        (logits,) = self.session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / self.temperature)
        return powers / powers.sum(axis=1, keepdims=True)

    def predict(self, texts: list[str]) -> list[dict]:
        """``{"label", "probabilities": {label: probability}}`` a text."""
        found = self.probabilities(texts)
        best = found.argmax(axis=1).tolist()
        return [
            {"label": self.labels[place], "probabilities": dict(zip(self.labels, row, strict=True))}
            for place, row in zip(best, found.tolist(), strict=True)
        ]
