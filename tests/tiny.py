"""A tiny but real model for tests: a DistilBERT of width 32 with the packaged vocabulary, exported as train exports.

`tiny_export(folder)` takes about a second once torch is imported. It has learnt `WORDS` (great → positive …); with ``steps=0`` it
answers by its seed: a test can have a good model and a bad one.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from groundswell.schema import LABELS
from groundswell.text import TEXT_VERSION

WORDS = {
    "negative": ["awful", "boring", "broken", "crash", "hate", "worst", "ugly", "refund"],
    "neutral": ["today", "announced", "server", "version", "monday", "list", "table", "release"],
    "positive": ["great", "love", "wonderful", "best", "fun", "beautiful", "happy", "superb"],
}


def tiny_rows(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """``count`` invented texts and their class numbers: two telling words among fillers."""
    chance = random.Random(seed)
    labels = [chance.randrange(len(LABELS)) for _ in range(count)]
    texts = [
        " ".join(["the", chance.choice(["game", "film", "patch", "map"]), *chance.sample(WORDS[LABELS[label]], 2), "😀" if label == 2 else "it"])
        for label in labels
    ]
    return texts, np.array(labels)


def tiny_model(seed: int = 0, *, layers: int = 1, steps: int = 0):
    """(DistilBertForSequenceClassification, tokenizer), width 32."""
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    from groundswell.encoder import PACKAGED, load_tokenizer

    torch.manual_seed(seed)
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {label: place for place, label in enumerate(LABELS)}}
    config = DistilBertConfig(dim=32, n_layers=layers, n_heads=2, hidden_dim=64, max_position_embeddings=128, attn_implementation="eager", **names)
    model, tokenizer = DistilBertForSequenceClassification(config), load_tokenizer(PACKAGED)
    with torch.no_grad():  # a fresh head says 1/3 to everything: spread it, so that answers differ from text to text
        model.classifier.weight.mul_(30)
        model.pre_classifier.weight.mul_(10)
    if steps:
        _teach(model, tokenizer, seed, steps)
    return model.eval(), tokenizer


def _teach(model, tokenizer, seed: int, steps: int) -> None:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model.train()
    for step in range(steps):
        texts, labels = tiny_rows(32, seed=1000 * seed + step)
        loss = model(**tokenizer(texts, padding=True, return_tensors="pt"), labels=torch.tensor(labels)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def tiny_export(folder: Path, *, seed: int = 0, steps: int = 60, run_id: str = "0" * 32, topic: str = "games", config: dict | None = None) -> Path:
    """A whole export folder at ``folder`` (made), as `groundswell.export` writes it; returns it."""
    from groundswell.export import export, finish

    folder.mkdir(parents=True, exist_ok=True)
    model, tokenizer = tiny_model(seed, steps=steps)
    facts = {
        "labels": list(LABELS),
        "max_length": 96,
        "text_version": TEXT_VERSION,
        "base": "tiny",
        "topic": topic,
        "dataset_md5": "0" * 32,
        "run_id": run_id,
    }
    validation, (train_texts, _) = tiny_rows(60, seed=1), tiny_rows(60, seed=2)
    export(
        model,
        tokenizer,
        folder,
        config={**facts, **(config or {})},
        validation=validation,
        train_texts=train_texts,
        bounds={"fp32": 0.9, "int8": 0.5},
    )
    finish(folder, f"# A tiny model for tests, seed {seed}\n")
    return folder


if __name__ == "__main__":  # for tests that start a process: python -m tests.tiny FOLDER SEED
    import sys

    print(json.dumps({"export": str(tiny_export(Path(sys.argv[1]), seed=int(sys.argv[2])))}))
