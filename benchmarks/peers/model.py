"""The one model that everybody serves: the packaged encoder, fine-tuned for a minute on real tweets, exported as train exports.

Writes ``var/bench/model/``: ``hf/`` (a checkpoint for peers over torch; trained once, kept), ``export/`` (made anew when the code that
makes it has changed) and ``export-ort/``, the same with the int8 network that ONNX Runtime's own tool makes of those weights. Needs the
tweets of ``../shared``. Fixed rows, order and seed; it is there for realistic weights, not for its score.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np

from groundswell.params import TrainParams
from groundswell.predictor import MANIFEST, MODEL_FILES, verify
from groundswell.schema import LABELS
from groundswell.text import TEXT_VERSION, normalise

TOPIC = "tweets"
ROWS = 6_000
VALIDATION_ROWS = 600
SEED = 1
PARAMS = TrainParams(epochs=1)


def tweets(path: Path) -> list[tuple[str, str]]:
    """(normalised text, label) of every tweet, in a random order that is always the same; a text that comes twice comes once."""
    with open(path, encoding="utf-8", newline="") as file:
        found = {normalise(row["text"]): row["label"] for row in csv.DictReader(file)}
    rows = sorted((text, label) for text, label in found.items() if text)
    random.Random(SEED).shuffle(rows)
    return rows


def bench_export(rows: list[tuple[str, str]], folder: Path) -> Path:
    """The export folder under ``folder``, verified, made when it is not there; the checkpoint is beside it in ``hf``."""
    checkpoint, export, marker = folder / "hf", folder / "export", folder / "export.made-by"
    if not (checkpoint / "config.json").exists():
        _say(f"fine-tuning the packaged encoder on {ROWS:,} tweets, once …")
        _train(rows, checkpoint)
    made_by = _sources()
    if not marker.exists() or marker.read_text(encoding="utf-8") != made_by:
        _say("exporting it …")
        _export(rows, checkpoint, export)
        marker.write_text(made_by, encoding="utf-8")
    verify(export)
    return export


def ort_export(export: Path) -> Path:
    """``export`` with another int8 network: of the same weights, by ONNX Runtime's dynamic quantisation, which is what a peer's user has."""
    folder = export.with_name(f"{export.name}-ort")
    marker, made_of = folder.with_name(f"{folder.name}.made-of"), (export / MANIFEST).read_text(encoding="utf-8")
    if not marker.exists() or marker.read_text(encoding="utf-8") != made_of:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from groundswell.export import finish

        _say("quantising it as ONNX Runtime does …")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(export, folder)
        fp32, int8 = (str(folder / MODEL_FILES[precision]) for precision in ("fp32", "int8"))
        quantize_dynamic(fp32, int8, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        finish(folder, "# The model of the serving benchmark, as its peers have it\n\nint8 by ONNX Runtime's quantize_dynamic.\n")
        marker.write_text(made_of, encoding="utf-8")
    verify(folder)
    return folder


def _train(rows: list[tuple[str, str]], checkpoint: Path) -> None:
    from groundswell.encoder import PACKAGED, load_classifier, load_tokenizer
    from groundswell.finetune import Tokenised, finetune, prepare_torch

    prepare_torch(PARAMS)
    tokenizer, model = load_tokenizer(PACKAGED), load_classifier(PACKAGED)

    def tokenised(part: list[tuple[str, str]]) -> Tokenised:
        ids = tokenizer([text for text, _ in part], truncation=True, max_length=PARAMS.max_length)["input_ids"]
        return Tokenised(ids, np.array([LABELS.index(label) for _, label in part]))

    working = checkpoint.with_name("checkpoints")
    train, validation = tokenised(rows[VALIDATION_ROWS:][:ROWS]), tokenised(rows[:VALIDATION_ROWS])
    finetune(model, tokenizer, train, validation, params=PARAMS, folder=working, observe=lambda step, numbers: None)
    shutil.rmtree(working)
    tokenizer.model_max_length = PARAMS.max_length  # what `truncation=True` of a pipeline cuts at: as ours
    unfinished = checkpoint.with_name("hf.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    tokenizer.save_pretrained(unfinished)
    model.save_pretrained(unfinished)
    unfinished.rename(checkpoint)


def _export(rows: list[tuple[str, str]], checkpoint: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from groundswell.export import export, finish

    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, attn_implementation="eager").eval()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = {
        "labels": list(LABELS),
        "max_length": PARAMS.max_length,
        "text_version": TEXT_VERSION,
        "base": PARAMS.base,
        "topic": TOPIC,
        "dataset_md5": "0" * 32,
        "run_id": "0" * 32,
        "params": PARAMS.model_dump(mode="json"),
    }
    texts, labels = zip(*rows[:VALIDATION_ROWS], strict=True)
    validation = (texts, np.array([LABELS.index(label) for label in labels]))
    bounds = {"fp32": PARAMS.min_fp32_agreement, "int8": PARAMS.min_int8_agreement}
    trained_on = [text for text, _ in rows[VALIDATION_ROWS:][:ROWS]]
    given = {"config": config, "validation": validation, "train_texts": trained_on, "train_rows": [], "bounds": bounds}
    export(model, AutoTokenizer.from_pretrained(checkpoint), folder, **given)
    finish(folder, "# The model of the serving benchmark\n\nFine-tuned for a minute: no measure of anything but speed.\n")


def _sources() -> str:
    """A digest of the package's sources: any of them may change what an export is."""
    digest = hashlib.sha256()
    for path in sorted(Path(sys.modules["groundswell"].__path__[0]).glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def operations(network: Path) -> tuple[float, float]:
    """Multiplications and additions that the fp32 ``network`` needs for a token and for a text: its weights' own, attention left out."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(network)).graph
    sizes = {weight.name: numpy_helper.to_array(weight).size for weight in graph.initializer if len(weight.dims) == 2}
    found = {"MatMul": 0, "Gemm": 0}
    for node in graph.node:
        if node.op_type in found:
            found[node.op_type] += 2 * sum(sizes.get(name, 0) for name in node.input)
    return float(found["MatMul"]), float(found["Gemm"])


def mean_tokens(texts: list[str], export: Path) -> float:
    """Tokens a text as the network reads it: special ones counted, padding not."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(export / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(json.loads((export / "config.json").read_text(encoding="utf-8"))["max_length"])
    return float(np.mean([len(encoding) for encoding in tokenizer.encode_batch_fast(texts)]))


def write_product(path: Path, width: int = 2048) -> Path:
    """A network of one int8 matrix product: ``left`` uint8 (rows, width) times a constant int8 (width, width)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    right = np.random.default_rng(1).integers(-127, 127, (width, width), dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, ["rows", width])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, ["rows", width])],
        [numpy_helper.from_array(right, "right")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
