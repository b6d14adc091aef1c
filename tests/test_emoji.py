"""Emoji are told apart, hide no word beside them, and travel with the model that was taught them."""

import numpy as np
import pytest
from tiny import tiny_base

from groundswell import encoder
from groundswell.distilbert import shape, state_dict
from groundswell.export import tokenizer_file, torch_probabilities, write_networks
from groundswell.params import TrainParams
from groundswell.predictor import Predictor, softmax
from groundswell.schema import LABELS

pytestmark = pytest.mark.slow  # torch


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    return encoder.load(TrainParams(emoji="named", base=tiny_base(tmp_path_factory.mktemp("base"))))


def pieces(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_without_names_all_emoji_are_one_and_hide_the_word_beside_them(tmp_path):
    tokenizer, _ = encoder.load(TrainParams(base=tiny_base(tmp_path)))
    assert pieces(tokenizer, "love😂 😍") == ["[UNK]", "[UNK]"]


def test_each_has_a_piece_and_words_are_read_as_before(taught):
    tokenizer, _ = taught
    assert pieces(tokenizer, "love😂 and 😍") == ["love", "😂", "and", "😍"]
    assert pieces(tokenizer, "so good 👍🏽 ❤️👩‍💻") == ["so", "good", "👍", "❤", "👩", "💻"]
    plain = encoder.load_tokenizer(encoder.PACKAGED)
    for text in ("Überraschung: не работает", "it's ok :( @user http", "naïve café 1/2", ""):
        assert tokenizer(text)["input_ids"] == plain(text)["input_ids"]


def test_a_piece_begins_as_the_mean_of_its_name(taught):
    tokenizer, model = taught
    words = model.get_input_embeddings().weight.detach()
    broken_heart = words[tokenizer("broken heart", add_special_tokens=False)["input_ids"]].mean(dim=0)
    assert np.allclose(words[tokenizer.convert_tokens_to_ids("💔")], broken_heart, atol=1e-6)
    assert len(words) == len(tokenizer) == model.config.vocab_size


def test_the_base_s_own_weights_are_as_they_were(tmp_path):
    params = TrainParams(base=tiny_base(tmp_path))
    plain, taught = (encoder.load(params.model_copy(update={"emoji": emoji}))[1].distilbert.state_dict() for emoji in ("unknown", "named"))
    for name, weight in plain.items():
        assert np.array_equal(taught[name][: len(weight)], weight), name


def test_the_export_reads_them_too(taught, tmp_path):
    tokenizer, model = taught
    write_networks(model.eval(), tmp_path)
    tokenizer_file(tokenizer, tmp_path / "tokenizer.json")
    texts = ["what a day 😍", "what a day 😡", "love😂", "so 👍🏽"]
    by_torch = torch_probabilities(model, tokenizer, texts, 1.0, 96)
    for precision in ("fp32", "int8"):
        predictor = Predictor(tmp_path, {"labels": LABELS, "max_length": 96, "temperature": 1.0}, precision=precision)
        assert [each.ids for each in predictor.encode(texts)] == tokenizer(texts)["input_ids"]
        assert np.allclose(softmax(predictor.logits(texts)), by_torch, atol=1e-5 if precision == "fp32" else 0.05)
    weights = state_dict(tmp_path / "model.onnx")
    assert shape(tmp_path / "model.onnx", weights)["vocab_size"] == len(tokenizer)
