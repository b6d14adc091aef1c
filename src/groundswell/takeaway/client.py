"""Sentiment of texts by a Triton server: python client.py HOST:PORT "a text" … (or a text a line on stdin).

Tokenises here, asks Triton for the calibrated probabilities. Needs numpy, tokenizers and tritonclient[http], and the files beside it.
"""

import json
import sys
from pathlib import Path

import numpy as np
from text import normalise
from tokenizers import Tokenizer
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

HERE = Path(__file__).parent
CONFIG = json.loads((HERE / "config.json").read_text(encoding="utf-8"))
tokenizer = Tokenizer.from_file(str(HERE / "tokenizer.json"))
tokenizer.enable_truncation(CONFIG["max_length"])


def predict(client: InferenceServerClient, text: str) -> dict:
    """One text a request, without padding: Triton batches requests of the same shape by itself."""
    tokens = np.array([tokenizer.encode(normalise(text)).ids], dtype=np.int64)
    inputs = []
    for name, value in (("input_ids", tokens), ("attention_mask", np.ones_like(tokens))):
        inputs.append(InferInput(name, list(value.shape), "INT64"))
        inputs[-1].set_data_from_numpy(value)
    answer = client.infer(CONFIG["model_name"], inputs, outputs=[InferRequestedOutput("probabilities")])
    chances = dict(zip(CONFIG["labels"], answer.as_numpy("probabilities")[0].tolist(), strict=True))
    return {"label": max(chances, key=chances.get), "probabilities": chances}


if __name__ == "__main__":
    server = InferenceServerClient(sys.argv[1])
    for line in sys.argv[2:] or sys.stdin:
        print(json.dumps(predict(server, line)))
