"""A trained DistilBERT as the folder that is registered and served: networks, tokenizer, configuration, references, card, manifest.

Writes model.onnx (fp32), model.int8.onnx (`quantise`), tokenizer.json, config.json, profile.parquet, trained_on.npy, trained_rows.npy,
card.md and, last, manifest.json with every file's sha256. Refuses networks that do not agree with the PyTorch model. The same weights, rows and
configuration give the same bytes; ``run_id`` in config.json is the one thing that two runs do not share.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groundswell.errors import ModelError
from groundswell.files import sha256_of, write_json
from groundswell.kin import row_hashes
from groundswell.lake import write_parquet
from groundswell.learnt import ROWS, TEXTS, united
from groundswell.predictor import MANIFEST, MODEL_FILES, Predictor, softmax
from groundswell.text import fingerprint, normalise

OPSET = 17
AGREEMENT_ROWS = 500
"""At most so many validation rows, evenly spread, are asked of all three networks."""

GOLDEN_TEXTS = [
    "I love this, best update in years",
    "What a wonderful and beautiful game, so happy with it",
    "Great fun with friends tonight",
    "Superb work, thank you all 😀",
    "Worst launch ever, it will not even start",
    "I hate the new menu, ugly and broken",
    "Crash after crash, I want a refund",
    "So boring that I fell asleep 😡",
    "The release was announced on Monday",
    "Version 2.1 of the server is listed in the table",
    "The stream begins today at eight",
    "Not bad, but not good either",
]
"""Whoever loads the export asks it these: another tokenizer, or labels in another order, answers otherwise."""

log = logging.getLogger(__name__)


def export(
    model,
    tokenizer,
    folder: Path,
    *,
    config: dict,
    validation: tuple[Sequence[str], np.ndarray],
    train_texts: Sequence[str],
    train_rows: Sequence[str],
    bounds: dict[str, float],
    parent: Path | None = None,
) -> dict:
    """Write the export of ``model`` to ``folder`` (there, empty), but for card and manifest (`finish`).

    ``config`` is config.json without its temperature, ``validation`` texts and class numbers, ``train_rows`` the row ids of the training
    texts, ``bounds`` the smallest label agreement with the network before it: ``{"fp32": share, "int8": share}``, ``parent`` the export whose
    weights the training began with: what that had learnt, this has learnt too. Returns ``{"temperature", "agreement"}``; `ModelError` when
    the networks disagree more than that.
    """
    texts, labels = validation
    write_networks(model, folder)
    tokenizer_file(tokenizer, folder / "tokenizer.json")
    unscaled = {**config, "temperature": 1.0}
    predictors = {name: Predictor(folder, unscaled, precision=name, threads=_threads()) for name in MODEL_FILES}
    logits = predictors["int8"].logits(texts)
    temperature = fit_temperature(logits, labels)
    agreement = _agreement(model, tokenizer, predictors, texts, temperature, config["max_length"])
    _require(agreement, bounds)
    write_json({**config, "temperature": temperature}, folder / "config.json")
    golden = softmax(predictors["int8"].logits(GOLDEN_TEXTS) / np.float32(temperature))
    write_json({"texts": GOLDEN_TEXTS, "probabilities": golden.tolist()}, folder / "golden.json")
    from groundswell.profile import profile

    write_parquet(profile(texts, softmax(logits / np.float32(temperature))), folder / "profile.parquet")
    texts_learnt = np.array([fingerprint(normalise(text)) for text in train_texts], dtype=np.uint64)
    np.save(folder / TEXTS, united(parent, TEXTS, texts_learnt))
    np.save(folder / ROWS, united(parent, ROWS, row_hashes(train_rows)))
    return {"temperature": temperature, "agreement": agreement}


def finish(folder: Path, card: str) -> dict[str, str]:
    """Write card.md and the manifest over everything in ``folder``; returns file name → sha256."""
    (folder / "card.md").write_text(card, encoding="utf-8")
    files = {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    write_json({"files": files}, folder / MANIFEST)
    return files


def unverified_predictor(folder: Path, *, precision: str = "int8") -> Predictor:
    """The predictor of an export that has no manifest yet."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return Predictor(folder, config, precision=precision, threads=_threads())


def write_networks(model, folder: Path) -> None:
    """model.onnx, traced from eager attention, and model.int8.onnx (`quantise`) of a DistilBertForSequenceClassification."""
    import onnx
    import torch

    from groundswell.quantise import int8_network

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    ids = torch.ones((2, 8), dtype=torch.int64)
    axes = {"input_ids": {0: "texts", 1: "tokens"}, "attention_mask": {0: "texts", 1: "tokens"}, "logits": {0: "texts"}}
    fp32, int8 = (folder / MODEL_FILES[precision] for precision in ("fp32", "int8"))
    # .eval() on the wrapper: the exporter restores the wrapper's mode afterwards, dropout and all
    with torch.no_grad(), _quiet("torch.onnx", "root"):
        torch.onnx.export(
            Network().eval(),
            (ids, torch.ones_like(ids)),
            str(fp32),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.save(int8_network(model), str(int8))


def tokenizer_file(tokenizer, path: Path) -> None:
    """The fast tokenizer as one JSON file, without truncation and padding: the predictor sets its own."""
    from tokenizers import Tokenizer

    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    plain.save(str(path))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that makes ``logits`` (n, classes) likeliest for ``labels`` (n,): Guo et al. 2017, On Calibration of Modern Neural Networks."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        chances = softmax(logits.astype(np.float64) / np.exp(log_temperature))[rows, labels]
        return float(-np.log(np.maximum(chances, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(found.x)), 6)


def torch_probabilities(model, tokenizer, texts: Sequence[str], temperature: float, max_length: int) -> np.ndarray:
    """What the PyTorch model itself says, float32 (n, classes), in batches of 32 in the order given."""
    import torch

    model.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(texts), 32):
            batch = [normalise(text) for text in texts[start : start + 32]]
            encoded = tokenizer(batch, truncation=True, max_length=max_length, padding=True, return_tensors="pt")
            parts.append(model(**encoded).logits.float().numpy())
    return softmax(np.concatenate(parts) / np.float32(temperature))


def _agreement(model, tokenizer, predictors: dict, texts: Sequence[str], temperature: float, max_length: int) -> dict:
    few = [texts[row] for row in np.unique(np.linspace(0, len(texts) - 1, min(len(texts), AGREEMENT_ROWS)).astype(int))]
    few.sort(key=len)  # torch in fp32 is slow enough without padding
    said = {"torch": torch_probabilities(model, tokenizer, few, temperature, max_length)}
    said |= {name: softmax(predictor.logits(few) / np.float32(temperature)) for name, predictor in predictors.items()}
    return {"rows": len(few), "fp32": compare(said["torch"], said["fp32"]), "int8": compare(said["fp32"], said["int8"])}


def compare(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Share of rows with the same likeliest class, and the largest difference of any probability."""
    same = float((one.argmax(axis=1) == other.argmax(axis=1)).mean())
    return {"label_agreement": same, "max_probability_difference": float(np.abs(one - other).max())}


def _require(agreement: dict, bounds: dict[str, float]) -> None:
    for name, bound in bounds.items():
        found = agreement[name]["label_agreement"]
        log.info("export: %s agrees on %.2f %% of %d rows", name, 100 * found, agreement["rows"])
        if found < bound:
            raise ModelError(
                f"export: the {name} network gives the same label on {found:.4f} of {agreement['rows']} validation rows, expected at least {bound}: "
                f"train longer (a model near chance flips easily) or lower train.min_{name}_agreement"
            )


def _threads() -> int:
    import torch

    return torch.get_num_threads()


class _quiet:  # noqa: N801 - reads as a clause: with _quiet("torch.onnx")
    """Loggers that warn about what is meant: raised to ERROR inside the block, put back after it; Python warnings are muted too."""

    def __init__(self, *names: str):
        self.loggers = [logging.getLogger(None if name == "root" else name) for name in names]

    def __enter__(self) -> None:
        import warnings

        self.levels = [logger.level for logger in self.loggers]
        for logger in self.loggers:
            logger.setLevel(logging.ERROR)
        self.warnings = warnings.catch_warnings()
        self.warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *raised) -> None:
        self.warnings.__exit__(*raised)
        for logger, level in zip(self.loggers, self.levels, strict=True):
            logger.setLevel(level)
