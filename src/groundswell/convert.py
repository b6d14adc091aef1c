"""A model out of the house: an export as a folder that transformers, plain ONNX Runtime or a Triton server loads.

Reads an export folder, or a version of the registry; writes a new folder, whole or not at all, with a README.md that says how to use
it. Refuses a folder that has something in it, an export that can't be trusted, and a result that does not answer as the export does.
"""

from __future__ import annotations

import logging
import shlex
import shutil
import tempfile
from pathlib import Path

import numpy as np

from groundswell import registry, text
from groundswell.errors import ModelError, UnknownName, UsageError, nearest
from groundswell.files import replacing_folder, write_json
from groundswell.predictor import MODEL_FILES, Predictor
from groundswell.schema import registered_model
from groundswell.settings import Settings

TOLERANCE = 1e-5
"""The largest difference of a probability from the export's fp32 network."""

MAX_BATCH = 32
"""Texts that a Triton server may put into one batch."""

_TAKEAWAY = Path(__file__).parent / "takeaway"
_SPECIAL = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
_TRIALS = ("What a wonderful day", "Nothing works any more &amp; nobody cares @ann", "😀", "", "the update is out " * 200)
_TRY = {
    "hf": "cd {folder} && python -c \"from transformers import pipeline; print(pipeline('text-classification', model='.')('what a day'))\"",
    "onnx": 'cd {folder} && python predict.py "what a day"',
    "triton": "tritonserver --model-repository={folder}/model_repository",
}

log = logging.getLogger(__name__)


def export_version(topic: str, version: str, to: str, out: Path | None, *, settings: Settings) -> dict:
    """Write ``version`` (a number or an alias) of the topic's model as ``to``; see `convert`."""
    _require_format(to)
    found = registry.version_named(settings, topic, version)
    out = out or settings.root / "exports" / f"{found.name}-{found.version}-{to}"
    _require_free(out)
    with tempfile.TemporaryDirectory(prefix="groundswell-export-") as box:
        log.info("export: fetching %s version %s", found.name, found.version)
        export = registry.download_export(settings, topic, found.version, Path(box, "export"))
        return convert(export, to, out) | {"model_version": found.version}


def convert(export: Path, to: str, out: Path) -> dict:
    """Write the export folder ``export`` to ``out`` as ``to`` (hf, onnx or triton); returns what was written and what to try next.

    `UsageError` when ``out`` has something in it, `ModelError` when the export can't be trusted or the result answers otherwise.
    """
    _require_format(to)
    _require_free(out)
    out, export = out.resolve(), Path(export)
    predictor = Predictor.load(export, precision="fp32")
    with replacing_folder(out) as beside:
        FORMATS[to](export, predictor, beside)
        shutil.copyfile(text.__file__, beside / "text.py")
        readme = (_TAKEAWAY / f"{to}.md").read_text(encoding="utf-8").format(**_facts(predictor.config))
        (beside / "README.md").write_text(readme + "\n" + (export / "card.md").read_text(encoding="utf-8"), encoding="utf-8")
    files = {str(path.relative_to(out)): path.stat().st_size for path in sorted(out.rglob("*")) if path.is_file()}
    log.info("export: %d files, %.1f MB in %s", len(files), sum(files.values()) / 1e6, out)
    facts = {"topic": predictor.config["topic"], "run_id": predictor.config["run_id"], "to": to, "folder": str(out), "files": files}
    return {"stage": "export", "model_name": registered_model(facts["topic"]), **facts, "try": _TRY[to].format(folder=shlex.quote(str(out)))}


def _require_format(to: str) -> None:
    if to not in FORMATS:
        raise UnknownName(f"--to {to!r} is no format{nearest(to, FORMATS)}")


def _require_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there and not empty: nothing of it is replaced; name a new folder with --out, or remove it")


def _facts(config: dict) -> dict:
    """What the README templates speak of."""
    name = registered_model(config["topic"])
    return {**config, "name": name, "labels": ", ".join(config["labels"]), "max_batch": MAX_BATCH}


def _hf(export: Path, predictor: Predictor, folder: Path) -> None:
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    from groundswell.distilbert import shape, state_dict
    from groundswell.encoder import quiet_transformers

    quiet_transformers()
    config = predictor.config
    network = export / MODEL_FILES["fp32"]
    weights = state_dict(network)
    sizes = shape(network, weights)
    for name in ("classifier.weight", "classifier.bias"):  # pipelines know of no temperature
        weights[name] = weights[name] / np.float32(config["temperature"])
    names = {"id2label": dict(enumerate(config["labels"])), "label2id": {label: place for place, label in enumerate(config["labels"])}}
    model = DistilBertForSequenceClassification(DistilBertConfig(**sizes, **names))
    try:
        model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()}, strict=True)
    except RuntimeError as error:
        raise ModelError(f"{network}: its weights are not those of a DistilBERT classifier ({' '.join(str(error).split())[:300]})") from error
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # safetensors leaves it to its owner alone
    _hf_tokenizer(export, config, folder)
    _require_same(_hf_probabilities(folder, config["max_length"]), predictor, "the DistilBERT of PyTorch")


def _hf_tokenizer(export: Path, config: dict, folder: Path) -> None:
    """tokenizer.json and its configuration, by the class name that transformers 4 and 5 both know."""
    from tokenizers import Tokenizer

    known = Tokenizer.from_file(str(export / "tokenizer.json"))
    special = {role: token for role, token in _SPECIAL.items() if known.token_to_id(token) is not None}
    shutil.copyfile(export / "tokenizer.json", folder / "tokenizer.json")
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "attention_mask"]}
    write_json({**described, **special, "model_max_length": config["max_length"]}, folder / "tokenizer_config.json")


def _hf_probabilities(folder: Path, max_length: int) -> np.ndarray:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from groundswell.export import torch_probabilities

    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return torch_probabilities(model, tokenizer, _TRIALS, 1.0, max_length)


def _onnx(export: Path, predictor: Predictor, folder: Path) -> None:
    for name in ("config.json", "tokenizer.json", *MODEL_FILES.values()):
        shutil.copyfile(export / name, folder / name)
    shutil.copyfile(_TAKEAWAY / "predict.py", folder / "predict.py")


def _triton(export: Path, predictor: Predictor, folder: Path) -> None:
    config = predictor.config
    name = registered_model(config["topic"])
    model = folder / "model_repository" / name
    (model / "1").mkdir(parents=True)
    _with_probabilities(export / MODEL_FILES["fp32"], config, model / "1" / "model.onnx")
    pbtxt = (_TAKEAWAY / "config.pbtxt").read_text(encoding="utf-8")
    for place, value in {"NAME": name, "MAX_BATCH": MAX_BATCH, "LABELS": len(config["labels"])}.items():
        pbtxt = pbtxt.replace(f"<{place}>", str(value))
    (model / "config.pbtxt").write_text(pbtxt, encoding="utf-8")
    (model / "labels.txt").write_text("".join(f"{label}\n" for label in config["labels"]), encoding="utf-8")
    shutil.copyfile(export / "tokenizer.json", folder / "tokenizer.json")
    shutil.copyfile(_TAKEAWAY / "client.py", folder / "client.py")
    write_json({**config, "model_name": name}, folder / "config.json")
    _require_same(_triton_probabilities(model / "1" / "model.onnx", predictor), predictor, "the network for Triton")


def _with_probabilities(network: Path, config: dict, to: Path) -> None:
    """``network`` with one output more, ``probabilities``: the softmax of the logits over the temperature, as the predictor has it."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(network))
    model.graph.initializer.append(helper.make_tensor("temperature", TensorProto.FLOAT, [], [config["temperature"]]))
    model.graph.node.append(helper.make_node("Div", ["logits", "temperature"], ["scaled_logits"], name="/temperature/Div"))
    model.graph.node.append(helper.make_node("Softmax", ["scaled_logits"], ["probabilities"], name="/temperature/Softmax", axis=-1))
    model.graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["texts", len(config["labels"])]))
    onnx.checker.check_model(model)
    onnx.save(model, str(to))


def _triton_probabilities(network: Path, predictor: Predictor) -> np.ndarray:
    from tokenizers import Tokenizer

    from groundswell.onnx_runtime import onnxruntime

    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(network.parents[3] / "tokenizer.json"))
    tokenizer.enable_truncation(predictor.config["max_length"])
    rows = [np.array([tokenizer.encode(text.normalise(each)).ids], dtype=np.int64) for each in _TRIALS]
    asked = [session.run(["probabilities"], {"input_ids": row, "attention_mask": np.ones_like(row)})[0] for row in rows]
    return np.concatenate(asked)


def _require_same(found: np.ndarray, predictor: Predictor, what: str) -> None:
    difference = float(np.abs(found - predictor.predict(_TRIALS)).max())
    if not difference <= TOLERANCE:  # NaN is refused too
        raise ModelError(f"export: {what} gives probabilities that differ by {difference:.2g} from the export's, expected {TOLERANCE:g} at most")


FORMATS = {"hf": _hf, "onnx": _onnx, "triton": _triton}
