"""The int8 network against the network that it was made of, and against itself in other company."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from groundswell.quantise import int8_network
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def model():
    """Two layers, and biases that are no zeros: what is left out or moved must not be missed."""
    model, _ = tiny_model(seed=3, layers=2, steps=5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


@pytest.fixture(scope="module")
def session(model):
    return run_by(model)


def run_by(model, threads: int = 1, **options) -> onnxruntime.InferenceSession:
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = threads
    for name, value in options.items():
        setattr(chosen, name, value)
    return onnxruntime.InferenceSession(int8_network(model).SerializeToString(), chosen, providers=["CPUExecutionProvider"])


def some(count: int, width: int, seed: int = 0) -> dict[str, np.ndarray]:
    """``count`` texts of 3 to ``width`` tokens, padded to ``width``."""
    chance = np.random.default_rng(seed)
    mask = (np.arange(width) < chance.integers(3, width + 1, size=(count, 1))).astype(np.int64)
    return {"input_ids": chance.integers(1000, 20000, size=(count, width)) * mask, "attention_mask": mask}


def of_torch(model, batch: dict[str, np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        return model(**{name: torch.tensor(value) for name, value in batch.items()}).logits.numpy()


def test_it_says_what_the_network_says(model, session):
    batch = some(200, 20)
    expected, found = of_torch(model, batch), session.run(None, batch)[0]
    assert found.shape == expected.shape and found.dtype == np.float32
    assert np.abs(found - expected).mean() < 0.03 * expected.std()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.998
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.96


def test_the_biases_that_were_moved_count(model, session):
    batch, name = some(50, 12), "distilbert.transformer.layer.0.attention.{}_lin.bias"
    before = session.run(None, batch)[0]
    changed, _ = tiny_model(seed=3, layers=2)
    changed.load_state_dict(model.state_dict())
    with torch.no_grad():
        changed.get_parameter(name.format("k")).add_(3.0)
    assert np.allclose(of_torch(changed, batch), of_torch(model, batch), atol=1e-4), "softmax does not see the keys' bias"
    assert np.array_equal(run_by(changed).run(None, batch)[0], before)
    with torch.no_grad():
        changed.get_parameter(name.format("v")).add_(torch.randn(32))
    after, expected = run_by(changed).run(None, batch)[0], of_torch(changed, batch)
    assert np.abs(after - expected).mean() < 0.05 * expected.std()
    assert not np.allclose(after, before, atol=0.01)


@pytest.mark.parametrize("width", [4, 12, 16, 20, 52])
def test_company_changes_nothing_to_the_last_bit(model, session, width):
    batch = some(40, width, seed=width)
    alone = np.concatenate([session.run(None, {name: value[row : row + 1] for name, value in batch.items()})[0] for row in range(40)])
    on_two = run_by(model, threads=2)
    for count in (2, 3, 7, 16, 40):
        together = {name: value[:count] for name, value in batch.items()}
        assert np.array_equal(session.run(None, together)[0], alone[:count])
        assert np.array_equal(on_two.run(None, together)[0], alone[:count])
    turned = {name: value[::-1].copy() for name, value in batch.items()}
    assert np.array_equal(session.run(None, turned)[0], alone[::-1])


def test_padding_moves_an_answer_by_rounding_only(session):
    batch = some(30, 16)
    wider = {name: np.pad(value, ((0, 0), (0, 13))) for name, value in batch.items()}
    assert np.abs(session.run(None, batch)[0] - session.run(None, wider)[0]).max() < 1e-4


def test_the_runtime_leaves_the_fast_operators_alone(model, tmp_path):
    run_by(model, optimized_model_filepath=str(tmp_path / "optimised.onnx"))
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert kinds["LayerNormalization"] == 5 and kinds["Gelu"] == 2 and kinds["FusedMatMul"] == 4 and kinds["MatMulIntegerToFloat"] == 13
    assert not {"SkipLayerNormalization", "BiasGelu", "MultiHeadAttention", "Attention", "DynamicQuantizeMatMul"} & set(kinds)


def test_another_activation_is_refused(model):
    other, _ = tiny_model()
    other.config.activation = "silu"
    with pytest.raises(ValueError, match="expected gelu or relu"):
        int8_network(other)
