"""A tiny but real model for tests: a DistilBERT of width 32 with the packaged vocabulary, exported as train exports.

`tiny_export(folder)` takes about a second once torch is imported. It has learnt `WORDS` (great → positive …); with ``steps=0`` it
answers by its seed: a test can have a good model and a bad one.
"""

from __future__ import annotations

import atexit
import json
import random
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from groundswell.rows import digest
from groundswell.schema import EXAMPLE, LABELS
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


def tiny_model(seed: int = 0, *, layers: int = 1, steps: int = 0, width: int = 32):
    """(DistilBertForSequenceClassification, tokenizer)."""
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    from groundswell.encoder import PACKAGED, load_tokenizer

    torch.set_num_threads(1)  # more gain nothing at this width, and starve each other on a busy machine
    torch.manual_seed(seed)
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {label: place for place, label in enumerate(LABELS)}}
    sizes = {"dim": width, "n_layers": layers, "n_heads": 2, "hidden_dim": 2 * width, "max_position_embeddings": 128}
    config = DistilBertConfig(**sizes, attn_implementation="eager", **names)
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


def tiny_export(
    folder: Path,
    *,
    seed: int = 0,
    steps: int = 60,
    run_id: str = "0" * 32,
    topic: str = "games",
    config: dict | None = None,
    layers: int = 1,
    width: int = 32,
) -> Path:
    """A whole export folder at ``folder`` (made), as `groundswell.export` writes it; returns it."""
    from groundswell.export import export, finish

    folder.mkdir(parents=True, exist_ok=True)
    model, tokenizer = tiny_model(seed, layers=layers, steps=steps, width=width)
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
        train_rows=[f"tiny/{topic}/{number}" for number in range(len(train_texts))],
        bounds={"fp32": 0.9, "int8": 0.5},
    )
    finish(folder, f"# A tiny model for tests, seed {seed}\n")
    return folder


@cache
def shared_export(seed: int = 0, steps: int = 60) -> Path:
    """`tiny_export`, made once a process, for tests that only read it."""
    box = Path(tempfile.mkdtemp(prefix="groundswell-test-tiny-"))
    atexit.register(shutil.rmtree, box, ignore_errors=True)
    return tiny_export(box / "export", seed=seed, steps=steps)


def make_champion(settings, export: Path, topic: str = "games") -> str:
    """Register ``export`` as the pyfunc that train makes, and let it be champion of ``topic``; its version."""
    import mlflow

    import groundswell
    from groundswell import registry, tracking

    tracking.client(settings)
    with tracking.run(settings, topic, "test", {}) as run_id:
        code = Path(groundswell.__file__).parent / "pyfunc.py"
        logged = mlflow.pyfunc.log_model(name="model", python_model=str(code), artifacts={"export": str(export)}, pip_requirements=[])
    made = registry.register(settings, topic, source=logged.model_uri, run_id=run_id, tags={})
    registry.set_alias(settings, topic, registry.CHAMPION, made.version)
    return made.version


def tiny_base(folder: Path, *, seed: int = 0, steps: int = 0) -> str:
    """A DistilBERT checkpoint of width 32 in ``folder`` (safetensors and tokenizer), without a head: a value for ``train.base``."""
    model, tokenizer = tiny_model(seed, steps=steps)
    model.distilbert.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def tiny_dataset(folder: Path, *, train: int = 240, validation: int = 60, test: int = 90, seed: int = 0) -> Path:
    """A data set as `prepare` leaves it, of `tiny_rows`, with token cache and manifest; returns ``folder``."""
    from groundswell.files import write_json
    from groundswell.lake import write_parquet
    from groundswell.tokens import TOKENS, encode, vocabulary_sha256

    counts = {"train": train, "validation": validation, "test": test}
    described, start = {}, 0
    for place, (split, count) in enumerate(counts.items()):
        texts, labels = tiny_rows(count, seed=10 * seed + place)
        table = _examples(texts, labels, start)
        pieces = encode(texts)
        tokens = {"row_id": table["row_id"], "input_ids": pieces, "label": labels}
        write_parquet(table, folder / f"{split}.parquet")
        write_parquet(pa.table(tokens, schema=TOKENS), folder / "tokens" / f"{split}.parquet")
        names = {label: int((labels == number).sum()) for number, label in enumerate(LABELS)}
        described[split] = {"rows": count, "labels": names, "provenances": {"human": count}, "digest": digest(table)}
        start += count
    manifest = {"topic": "games", "partitions": {}, "windows": ["2026-10-19"], "sources": {"replay": start}, "splits": described}
    write_json({**manifest, "vocabulary_sha256": vocabulary_sha256(), "params": {"max_length": 96}}, folder / "manifest.json")
    return folder


def _examples(texts: list[str], labels: np.ndarray, start: int) -> pa.Table:
    count = len(texts)
    row_ids = [f"replay/games/{start + number:06d}" for number in range(count)]
    columns = {
        "row_id": row_ids,
        "source": [("replay", "steam")[number % 2] for number in range(count)],
        "post_id": [row_id.rpartition("/")[2] for row_id in row_ids],
        "created_at": [datetime(2026, 10, 19, tzinfo=UTC) + timedelta(minutes=30 * (start + number)) for number in range(count)],
        "lang": ["en"] * count,
        "text": texts,
        "label": labels,
        "label_provenance": ["human"] * count,
        "group": row_ids,
        "tokens": [len(text.split()) + 2 for text in texts],
    }
    return pa.table(columns, schema=EXAMPLE)


if __name__ == "__main__":  # for tests that start a process: python -m tests.tiny FOLDER SEED
    import sys

    print(json.dumps({"export": str(tiny_export(Path(sys.argv[1]), seed=int(sys.argv[2])))}))
