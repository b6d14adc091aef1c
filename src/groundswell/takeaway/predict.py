"""Sentiment of texts by ONNX Runtime, as the serving process answers: python predict.py "a text" … (or a text a line on stdin).

Needs numpy, onnxruntime and tokenizers, and the files beside it.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else the runtime reports to its makers
import onnxruntime  # noqa: E402
from text import normalise  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

HERE = Path(__file__).parent
CONFIG = json.loads((HERE / "config.json").read_text(encoding="utf-8"))
tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))
tokenizer.enable_truncation(CONFIG["max_length"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(str(HERE / "model.int8.onnx"), options, providers=["CPUExecutionProvider"])


def predict(text: str) -> dict:
    """Padded as the serving process pads, to the next multiple of 4: another width may change the last bit, and nothing else does."""
    ids = tokenizer.encode(normalise(text)).ids
    tokens = np.zeros((1, min(-(-len(ids) // 4) * 4, CONFIG["max_length"])), dtype=np.int64)
    tokens[0, : len(ids)] = ids
    mask = (np.arange(tokens.shape[1]) < len(ids)).astype(np.int64)[None]
    logits = session.run(["logits"], {"input_ids": tokens, "attention_mask": mask})[0]
    scaled = logits / np.float32(CONFIG["temperature"])
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    chances = dict(zip(CONFIG["labels"], (powers / powers.sum(axis=1, keepdims=True))[0].tolist(), strict=True))
    return {"label": max(chances, key=chances.get), "probabilities": chances}


if __name__ == "__main__":
    for line in sys.argv[1:] or sys.stdin:
        print(json.dumps(predict(line)))
