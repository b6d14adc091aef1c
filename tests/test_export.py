"""An export is whole, says the same as what was trained, and is the same bytes each time."""

import json
from collections import Counter

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from tiny import shared_export, tiny_export, tiny_model, tiny_rows

from groundswell import export, quantise
from groundswell.errors import ModelError
from groundswell.kin import row_hash
from groundswell.predictor import Predictor, softmax
from groundswell.profile import COLUMNS
from groundswell.schema import LABELS
from groundswell.text import fingerprint, normalise

pytestmark = pytest.mark.slow


def test_the_same_training_exports_the_same_bytes(tmp_path):
    one, other = (tiny_export(tmp_path / name, steps=3, run_id=run_id) for name, run_id in (("one", "1" * 32), ("other", "2" * 32)))
    differing = {path.name for path in one.iterdir() if path.read_bytes() != (other / path.name).read_bytes()}
    assert differing == {"config.json", "manifest.json"}  # the run's id, and the hash of the file that holds it
    configs = [json.loads((folder / "config.json").read_text()) for folder in (one, other)]
    assert {name for name in configs[0] if configs[0][name] != configs[1][name]} == {"run_id"}


def test_fp32_says_what_torch_says():
    model, tokenizer = tiny_model(0, steps=60)
    texts, _ = tiny_rows(50, seed=12)
    folder = shared_export(0, 60)
    predictor = Predictor.load(folder, precision="fp32")
    said = export.torch_probabilities(model, tokenizer, texts, predictor.config["temperature"], 96)
    assert np.abs(said - predictor.predict(texts)).max() < 1e-4


def test_the_networks_are_what_they_say():
    folder = shared_export()
    fp32, int8 = (onnx.load(folder / name) for name in ("model.onnx", "model.int8.onnx"))
    assert {tensor.data_type for tensor in fp32.graph.initializer if tensor.name.endswith(".weight")} == {onnx.TensorProto.FLOAT}
    counts = Counter(node.op_type for node in int8.graph.node)
    assert counts["MatMulIntegerToFloat"] == 7  # of the one layer q, k, v, out and the two of the feed-forward part; of the head one
    scales = [tensor for tensor in int8.graph.initializer if tensor.name.endswith(".scales")]
    assert sorted(np.prod(tensor.dims) for tensor in scales) == [32, 32, 32, 32, 32, 32, 64], "one scale a channel"
    for network, opset in ((fp32, export.OPSET), (int8, quantise.OPSET)):
        assert {each.domain: each.version for each in network.opset_import}[""] == opset
        assert not any(tensor.external_data for tensor in network.graph.initializer)


def test_attention_can_still_be_fused():
    from onnxruntime.transformers import optimizer

    fused = optimizer.optimize_model(str(shared_export() / "model.onnx"), model_type="bert", num_heads=2, hidden_size=32, opt_level=0)
    assert fused.get_fused_operator_statistics()["Attention"] == 1


def test_what_monitor_and_judge_need_is_there():
    folder = shared_export()
    assert pq.read_table(folder / "profile.parquet").column_names == list(COLUMNS)
    seen = np.load(folder / "trained_on.npy", allow_pickle=False)
    assert seen.dtype == np.uint64
    assert (np.diff(seen.astype(object)) > 0).all()
    assert {fingerprint(normalise(text)) for text in tiny_rows(60, seed=2)[0]} == set(seen.tolist())
    rows = np.load(folder / "trained_rows.npy", allow_pickle=False)
    assert set(rows.tolist()) == {row_hash(f"tiny/games/{number}") for number in range(60)}
    assert json.loads((folder / "config.json").read_text())["labels"] == list(LABELS)


def test_the_temperature_is_found_again():
    chance = np.random.default_rng(1)
    logits = chance.normal(size=(4000, 3)) * 1.5
    labels = np.array([chance.choice(3, p=row) for row in softmax(logits)])
    assert export.fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.1)
    assert export.fit_temperature(logits / 2, labels) == pytest.approx(0.5, rel=0.1)


def test_networks_that_disagree_are_refused():
    agreement = {"rows": 100, "fp32": {"label_agreement": 1.0}, "int8": {"label_agreement": 0.9}}
    export._require(agreement, {"fp32": 0.99, "int8": 0.9})
    with pytest.raises(ModelError, match=r"int8 network gives the same label on 0\.9000 of 100 .* lower train\.min_int8_agreement"):
        export._require(agreement, {"fp32": 0.99, "int8": 0.95})


def test_agreement_counts_labels_and_the_largest_difference():
    one = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    other = np.array([[0.5, 0.4, 0.1], [0.5, 0.2, 0.3]])
    assert export.compare(one, other) == {"label_agreement": 0.5, "max_probability_difference": pytest.approx(0.3)}
