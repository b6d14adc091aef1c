"""ONNX Runtime driven in-process: what a server could at best be, and what the processor could at best do.

``raw.py texts EXPORT TEXTS.json FIRST COUNT`` prints texts/s in batches of 32 sorted by length over the whole set, tokenisation included,
by one session over all cores and by one session a core; ``raw.py lone …`` the median seconds of a batch of one, by threads, one after the
other and with a client's pauses between them;
``raw.py peak GEMM.onnx`` int8 operations a second. Each is one line of JSON. Texts come normalised: that is not counted.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as for every peer
import onnxruntime  # noqa: E402

BATCH = 32
CORES = len(os.sched_getaffinity(0))
PEAK_SECONDS = 3
PAUSE_SECONDS = 0.0005
"""About what passes between a server's answer to a lone client and its next text; other tenants' data then takes the caches' place."""


def session_of(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def tokenizer_of(export: Path) -> Tokenizer:
    """The export's tokenizer, cut at its model's longest length."""
    tokenizer = Tokenizer.from_file(str(export / "tokenizer.json"))
    tokenizer.enable_truncation(json.loads((export / "config.json").read_text(encoding="utf-8"))["max_length"])
    tokenizer.no_padding()
    return tokenizer


def logits(session: onnxruntime.InferenceSession, rows: list[list[int]]) -> np.ndarray:
    """float32 (len(rows), labels), the rows padded to the longest of them."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]


def texts_a_second(export: Path, texts: list[str], sessions: int, threads: int) -> float:
    tokenizer = tokenizer_of(export)
    made = [session_of(export / "model.int8.onnx", threads) for _ in range(sessions)]
    for session in made:
        logits(session, [tokenizer.encode(text).ids for text in texts[:BATCH]])
    began = time.perf_counter()
    rows = sorted((encoding.ids for encoding in tokenizer.encode_batch_fast(texts)), key=len)
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    with ThreadPoolExecutor(sessions) as pool:
        for done in [pool.submit(work, session, batches) for session in made]:
            done.result()
    return len(texts) / (time.perf_counter() - began)


def work(session: onnxruntime.InferenceSession, batches: list) -> None:
    """Take batches from the end, the longest first, until there are none."""
    while True:
        try:
            rows = batches.pop()
        except IndexError:
            return
        logits(session, rows)


def lone_seconds(export: Path, texts: list[str], threads: int, pause_seconds: float = 0) -> float:
    """Median time of one text, tokenisation included, pauses not."""
    tokenizer, session = tokenizer_of(export), session_of(export / "model.int8.onnx", threads)
    took = []
    for text in texts:
        time.sleep(pause_seconds)
        began = time.perf_counter()
        logits(session, [tokenizer.encode(text).ids])
        took.append(time.perf_counter() - began)
    return float(np.median(took[len(took) // 10 :]))


def peak_operations(path: Path) -> float:
    """Multiplications and additions a second of the matrix product in ``path``, the fastest of as many as fit in `PEAK_SECONDS`."""
    session = session_of(path, CORES)
    rows, width = 1024, session.get_inputs()[0].shape[1]
    left = np.random.default_rng(1).integers(0, 255, (rows, width), dtype=np.uint8)
    best, until = float("inf"), time.perf_counter() + PEAK_SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        (product,) = session.run(None, {"left": left})
        best = min(best, time.perf_counter() - began)
    return 2 * rows * width * product.shape[1] / best


def main(what: str, path: str, *rest: str) -> dict[str, float]:
    if what == "peak":
        return {"operations_per_second": peak_operations(Path(path))}
    name, first, count = rest
    texts = json.loads(Path(name).read_text(encoding="utf-8"))
    texts = [texts[(int(first) + place) % len(texts)] for place in range(int(count))]
    if what == "lone":
        pauses = {"without pauses": 0, "with pauses": PAUSE_SECONDS}
        return {name: min(lone_seconds(Path(path), texts, threads, pause) for threads in (1, CORES)) for name, pause in pauses.items()}
    return {
        f"one session, {CORES} threads": texts_a_second(Path(path), texts, 1, CORES),
        f"{CORES} sessions, 1 thread each": texts_a_second(Path(path), texts, CORES, 1),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
