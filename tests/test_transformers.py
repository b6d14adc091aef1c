"""Which weights each way of training a DistilBERT may change; what it shares with every approach is asked in test_approaches.py."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from groundswell.approaches import Labelled, Surroundings, make
from groundswell.approaches.transformers import adapt, merge
from groundswell.encoder import load_classifier
from groundswell.errors import ParamsError
from groundswell.params import CompareRow, TrainParams
from tests.tiny import tiny_base, tiny_model, tiny_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def box(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("approaches")


@pytest.fixture(scope="module")
def base(box) -> str:
    return tiny_base(box / "base")


@cache
def rows() -> Labelled:
    texts, labels = tiny_rows(80)
    return Labelled(texts, labels, [f"group {number}" for number in range(len(texts))])


def fitted(model: str, base: str, box: Path, **options):
    told = {"base": base, "max_length": 24, "epochs": 1, "weight_decay": 0.1, **options}
    approach = make(CompareRow(name="mine", model=model, options=told), 1, Surroundings(1, TrainParams(), box))
    approach.fit(rows())
    return approach


def changed(approach, base: str) -> set[str]:
    """The encoder's weights that are not the base's, to the last bit."""
    before = load_classifier(base).distilbert.state_dict()
    after = approach._model.distilbert.state_dict()
    assert set(before) == set(after)  # no adapter is left
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_a_frozen_encoder_is_the_base_to_the_last_bit(base, box):
    approach = fitted("distilbert_frozen", base, box, epochs=3)
    assert changed(approach, base) == set()
    torch.manual_seed(1)
    assert not torch.equal(approach._model.classifier.weight, load_classifier(base).classifier.weight)


def test_it_learns_from_teachers_that_saw_no_row_they_speak_of(base, box, monkeypatch):
    from groundswell.approaches import teachers

    asked = []

    def answers(learn, params, scratch):
        asked.append((len(learn), params.distillation))
        return np.full((len(learn), 3), 1 / 3)

    monkeypatch.setattr(teachers, "answers", answers)
    told = fitted("distilbert", base, box, distillation=1.0, epochs=8, learning_rate=2e-2).predict(rows().texts)
    assert asked == [(72, 1.0)]  # a tenth of the rows is there to stop by
    assert told.max() < 0.5  # who knows nothing teaches nothing
    assert fitted("distilbert", base, box, epochs=8, learning_rate=2e-2).predict(rows().texts).max() > 0.6


@pytest.mark.parametrize("model", ["distilbert", "distilbert_lora"])
def test_further_pretraining_reads_what_is_learnt_and_no_row_to_stop_by(base, box, monkeypatch, model):
    from groundswell import further
    from groundswell.approaches.base import held_out

    read, plain = [], further.pretrain
    monkeypatch.setattr(further, "_HEAD_STEPS", 2)
    monkeypatch.setattr(further, "pretrain", lambda *given, **more: (read.append((given[2].texts, plain(*given, **more))), None)[1])
    approach = fitted(model, base, box, further_pretraining_epochs=1.0)
    learnt = held_out(rows(), approach._options["held_out_share"], 1)[0]
    assert [texts for texts, _ in read] == [learnt.texts]
    assert read[0][1]["steps"] > 0
    assert any(name.startswith("embeddings.position") for name in changed(approach, base)), "adapters alone would not have moved it"


def test_adapters_change_the_layers_that_they_are_told_to(base, box):
    approach = fitted("distilbert_lora", base, box, targets="q_lin, v_lin")
    assert changed(approach, base) == {f"transformer.layer.0.attention.{name}.weight" for name in ("q_lin", "v_lin")}
    more = fitted("distilbert_lora", base, box, targets="k_lin,lin1", rank=2)
    assert changed(more, base) == {"transformer.layer.0.attention.k_lin.weight", "transformer.layer.0.ffn.lin1.weight"}


def test_in_full_training_every_matrix_moves(base, box):
    matrices = {name for name, weight in load_classifier(base).distilbert.state_dict().items() if weight.ndim > 1}
    assert changed(fitted("distilbert", base, box), base) >= matrices


def test_nothing_is_left_in_the_scratch_folder(base, box):
    fitted("distilbert", base, box)
    assert {path.name for path in box.iterdir()} == {"base"}


def test_adapters_change_no_answer_before_they_learn_and_none_when_they_are_merged():
    model, tokenizer = tiny_model(layers=2)
    given = tokenizer(tiny_rows(8)[0], padding=True, return_tensors="pt")
    shapes = {name: value.shape for name, value in model.state_dict().items()}

    def answers():
        with torch.inference_mode():
            return model.eval()(**given).logits

    before = answers()
    adapt(model, ["q_lin", "v_lin"], rank=4, alpha=8.0, dropout=0.5)
    assert torch.equal(answers(), before)
    learns = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[0] for name in learns} == {"distilbert", "pre_classifier", "classifier"}
    assert all("lora_" in name for name in learns if name.startswith("distilbert."))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_()
    adapted = answers()
    assert (adapted - before).abs().max() > 1e-2
    merge(model)
    assert {name: value.shape for name, value in model.state_dict().items()} == shapes
    torch.testing.assert_close(answers(), adapted, atol=1e-4, rtol=1e-4)


def test_a_frozen_head_reads_the_mean_of_a_texts_states_and_no_padding(base, box):
    approach = fitted("distilbert_frozen", base, box, epochs=3)
    model, tokenizer, texts = approach._model, approach._tokenizer, ["great " * 15, "awful", "table today"]
    for text, said in zip(texts, approach.predict(texts), strict=True):
        with torch.inference_mode():
            mean = model.distilbert(**tokenizer([text], return_tensors="pt")).last_hidden_state[0].mean(dim=0)
            expected = model.classifier(torch.relu(model.pre_classifier(mean))).double().softmax(dim=0).numpy()
        assert said == pytest.approx(expected, abs=1e-5)


def test_a_frozen_head_on_the_first_token_is_the_whole_network(base, box):
    """It learns on hidden states that were kept, and answers as DistilBERT's own forward does: one and the same head."""
    approach = fitted("distilbert_frozen", base, box, epochs=3, pooling="first")
    texts = tiny_rows(12, 5)[0]
    with torch.inference_mode():
        said = approach._model(**approach._tokenizer(texts, padding=True, return_tensors="pt")).logits.double().softmax(dim=1).numpy()
    assert approach.predict(texts) == pytest.approx(said, abs=1e-5)


def test_a_rows_options_hold_for_it_alone(base, box):
    surroundings = Surroundings(1, TrainParams(base=base, learning_rate=3e-4, batch_size=7), box)
    told = make(CompareRow(name="mine", model="distilbert", options={"batch_size": 9}), 5, surroundings)._params
    assert (told.base, told.learning_rate, told.batch_size, told.seed, told.threads) == (base, 3e-4, 9, 5, 1)
    lora = make(CompareRow(name="mine", model="distilbert_lora"), 5, surroundings)._params
    assert lora.learning_rate > 3e-4  # adapters learn slower than weights: theirs is another default
    assert surroundings.train.batch_size == 7


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("distilbert", {"rank": 4}, "option 'rank' is none of text and distilbert"),
        ("distilbert", {"learning_rat": 4}, "did you mean 'learning_rate'"),
        ("distilbert", {"seed": 4}, "option 'seed' is none of"),
        ("distilbert", {"learning_rate": 0.0}, "option 'learning_rate': .*greater than 0, found 0.0"),
        ("distilbert", {"class_weights": "even"}, "option 'class_weights': .*found 'even'"),
        ("distilbert_lora", {"targets": "q_lin, v_line"}, "option 'targets': a block has no layer 'v_line'; did you mean 'v_lin'"),
        ("distilbert_lora", {"targets": ""}, "option 'targets': a block has no layer ''"),
        ("distilbert_frozen", {"further_pretraining_epochs": 1.0}, "option 'further_pretraining_epochs' is none of"),
        ("distilbert", {"further_pretraining_posts": 9}, "option 'further_pretraining_posts' is none of"),
        ("distilbert_frozen", {"layer_decay": 0.9}, "option 'layer_decay' is none of text and distilbert_frozen"),
        ("distilbert_frozen", {"class_weights": "adjusted"}, "option 'class_weights'.*balanced"),
        ("distilbert_frozen", {"held_out_share": 0.0}, "option 'held_out_share': expected more than 0"),
    ],
)
def test_options_are_checked_before_anything_is_learnt(model, options, said):
    with pytest.raises(ParamsError, match=f"compare.rows: mine: .*{said}"):
        make(CompareRow(name="mine", model=model, options=options), 1, Surroundings(1, TrainParams(), Path("unused")))


def test_probabilities_are_of_the_order_asked(base, box):
    approach = fitted("distilbert_frozen", base, box)
    texts = ["great " * 60, "", "awful", "table today version"]
    assert np.abs(approach.predict(texts)[::-1] - approach.predict(texts[::-1])).max() < 1e-6
