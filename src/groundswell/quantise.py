"""The int8 network of a DistilBERT, as an ONNX graph built for ONNX Runtime's CPU kernels.

Weights are int8 per output channel. Activations are quantised as they come, each token's row by its own largest value (per-token dynamic
quantisation: Yao et al. 2022, ZeroQuant), so a text's answer depends on nothing but the text and the width that it is padded to. What is
computed is exactly what the network needs, and no more:

- a bias of the keys moves all scores of a row alike, which softmax does not see: it is left out; the values' bias passes through
  attention unchanged, since its weights sum to 1: it is added behind the output projection;
- of the last layer only the first token is read: the others are keys and values there, and nothing else;
- what comes out of GELU is never below -0.17: its rows use the 256 steps from there, not a symmetric range that would waste half.

Operators are those that this runtime runs fastest on short texts, measured in docs/serving.md: LayerNormalization rather than its fused
SkipLayerNormalization, attention out of FusedMatMul rather than MultiHeadAttention, activations as uint8 (int8 ones miss the fast kernel).
Rows are kept token by token, text within token, so that attention reads its heads without a transposition.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 19
_MICROSOFT = "com.microsoft"
_MIDDLE = 128
"""The zero point of a symmetric row in uint8."""
_GELU_FLOOR = 0.1701
"""GELU(x) > -0.1701 for every x; ReLU(x) >= 0."""
_GELU_ZERO = 24
"""The zero point of an activation's row: its scale is never so small that the floor falls below 0."""


@dataclass(frozen=True)
class _Rows:
    """A quantised activation: uint8 rows, their scales (rows, 1), and their zero point."""

    values: str
    scales: str
    zero: str


def int8_network(model) -> onnx.ModelProto:
    """The network of a DistilBertForSequenceClassification: ``input_ids`` and ``attention_mask``, int64 (texts, tokens), to ``logits``, float32
    (texts, labels).

    The first token of every text must not be masked. `ValueError` for an activation that is neither GELU nor ReLU.
    """
    config = model.config
    if config.activation not in ("gelu", "relu"):
        raise ValueError(f"activation {config.activation!r}: expected gelu or relu, as DistilBERT has them")
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    return _Builder(weights, config).build()


@dataclass
class _Builder:
    weights: dict[str, np.ndarray]
    config: object
    nodes: list = field(default_factory=list)
    constants: dict = field(default_factory=dict)
    zeros: dict = field(default_factory=dict)

    def build(self) -> onnx.ModelProto:
        config = self.config
        for name, value in {"first": 0, "axis 0": [0], "axis 1": [1], "last axis": [-1], "flat": [-1, config.dim]}.items():
            self._ints(name, value)
        self._ints("heads", [config.n_heads, config.dim // config.n_heads])
        for name, value in {
            "one": 1,
            "1/127": 1 / 127,
            "tiny": 1e-9,
            "1/steps": 1 / (255 - _GELU_ZERO),
            "least scale": _GELU_FLOOR / _GELU_ZERO,
        }.items():
            self._floats(name, value)
        self._constant("middle", np.array(_MIDDLE, np.uint8))
        self._constant("gelu zero", np.array(_GELU_ZERO, np.uint8))
        ids = self._add("Transpose", "input_ids", perm=[1, 0])
        shape = self._add("Shape", ids)
        texts = self._add("Slice", shape, "axis 1", self._ints("end", [2]), "axis 0")
        self._add("Concat", shape, "heads", axis=0, output="shape of heads")
        self._add("Concat", "axis 1", texts, "heads", axis=0, output="shape of first token")
        self._add("Concat", shape, self._ints("dim", [config.dim]), axis=0, output="shape of tokens")
        rows, mask = self._embeddings(ids, shape), self._mask()
        self._zeros_for(rows)
        for layer in range(config.n_layers):
            rows = self._layer(rows, mask, f"distilbert.transformer.layer.{layer}.", is_last=layer == config.n_layers - 1)
        self._scores(self._add("Relu", self._linear(self._quantised(rows), "pre_classifier")))
        return self._model()

    def _zeros_for(self, rows: str) -> None:
        """The zero points of as many rows as ``rows`` has: QuantizeLinear wants one a row."""
        count = self._add("Slice", self._add("Shape", rows), "axis 0", "axis 1", "axis 0")
        self.zeros = {zero: self._add("Expand", zero, count) for zero in ("middle", "gelu zero")}

    def _embeddings(self, ids: str, shape: str) -> str:
        tokens = self._add("Unsqueeze", self._add("Gather", shape, "first"), "axis 0")
        places = self._add("Slice", self._weight("distilbert.embeddings.position_embeddings.weight"), "axis 0", tokens, "axis 0")
        words = self._add("Gather", self._weight("distilbert.embeddings.word_embeddings.weight"), ids)
        summed = self._add("Add", words, self._add("Unsqueeze", places, "axis 1"))
        return self._normalised(self._add("Reshape", summed, "flat"), "distilbert.embeddings.LayerNorm")

    def _mask(self) -> str:
        """0 for a token, -1e30 for padding, (texts, 1, 1, tokens): softmax gives padding exactly 0."""
        kept = self._add("Cast", "attention_mask", to=TensorProto.FLOAT)
        lowered = self._add("Mul", self._add("Sub", kept, "one"), self._floats("much", 1e30))
        return self._add("Unsqueeze", lowered, self._ints("axes 1 and 2", [1, 2]))

    def _layer(self, rows: str, mask: str, name: str, *, is_last: bool) -> str:
        attention = f"{name}attention."
        every = self._quantised(rows)
        asking = every
        if is_last:
            rows = self._add("Gather", self._add("Reshape", rows, "shape of tokens"), "first", axis=0)
            self._zeros_for(rows)
            asking = self._quantised(rows)
        scale = (self.config.dim // self.config.n_heads) ** -0.5
        queries = self._linear(asking, f"{attention}q_lin", scale=scale)
        keys, values = self._linear(every, f"{attention}k_lin", bias=None), self._linear(every, f"{attention}v_lin", bias=None)
        context = self._attended(queries, keys, values, mask, "shape of first token" if is_last else "shape of heads")
        attended = self._linear(self._quantised(context), f"{attention}out_lin", bias=self._bias_behind_values(attention))
        rows = self._normalised(self._add("Add", attended, rows), f"{name}sa_layer_norm")
        wide = self._linear(self._quantised(rows), f"{name}ffn.lin1", is_subtracted=True)
        active = self._add("Gelu", wide, domain=_MICROSOFT) if self.config.activation == "gelu" else self._add("Relu", wide)
        narrow = self._linear(self._quantised_activation(active), f"{name}ffn.lin2")
        return self._normalised(self._add("Add", narrow, rows), f"{name}output_layer_norm")

    def _attended(self, queries: str, keys: str, values: str, mask: str, shape: str) -> str:
        queries = self._add("Reshape", queries, shape)
        keys, values = self._add("Reshape", keys, "shape of heads"), self._add("Reshape", values, "shape of heads")
        scores = self._add("FusedMatMul", queries, keys, domain=_MICROSOFT, transBatchA=1, transBatchB=1, transB=1)
        shares = self._add("Softmax", self._add("Add", scores, mask), axis=-1)
        context = self._add("FusedMatMul", shares, values, domain=_MICROSOFT, transBatchB=1)
        return self._add("Reshape", self._add("Transpose", context, perm=[2, 0, 1, 3]), "flat")

    def _bias_behind_values(self, attention: str) -> np.ndarray:
        out = self.weights[f"{attention}out_lin.weight"].astype(np.float64)
        return out @ self.weights[f"{attention}v_lin.bias"].astype(np.float64) + self.weights[f"{attention}out_lin.bias"]

    def _quantised(self, rows: str) -> _Rows:
        largest = self._add("ReduceMax", self._add("Abs", rows), "last axis", keepdims=0)
        scales = self._add("Add", self._add("Mul", largest, "1/127"), "tiny")
        return self._with_scales(rows, scales, "middle")

    def _quantised_activation(self, rows: str) -> _Rows:
        largest = self._add("ReduceMax", rows, "last axis", keepdims=0)
        scales = self._add("Max", self._add("Mul", largest, "1/steps"), "least scale")
        return self._with_scales(rows, scales, "gelu zero")

    def _with_scales(self, rows: str, scales: str, zero: str) -> _Rows:
        quantised = self._add("QuantizeLinear", rows, scales, self.zeros[zero], axis=0)
        return _Rows(quantised, self._add("Unsqueeze", scales, "last axis"), zero)

    def _linear(self, rows: _Rows, name: str, *, scale: float = 1.0, bias: np.ndarray | str | None = "own", is_subtracted: bool = False) -> str:
        """``rows`` times the layer's weights, plus its bias, both times ``scale``.

        ``is_subtracted``: the bias is negated and taken off, because an Add before a Gelu is fused into a kernel that is slower than the two.
        """
        matrix = self.weights[f"{name}.weight"].T * np.float32(scale)
        scales = np.maximum(np.abs(matrix).max(axis=0) / 127, 1e-9).astype(np.float32)
        self._constant(f"{name}.weight", np.clip(np.round(matrix / scales), -127, 127).astype(np.int8))
        self._constant(f"{name}.scales", scales)
        product = self._add("MatMulIntegerToFloat", rows.values, f"{name}.weight", "one", f"{name}.scales", rows.zero, domain=_MICROSOFT)
        product = self._add("Mul", product, rows.scales)
        if bias is None:
            return product
        own = (self.weights[f"{name}.bias"] * np.float32(scale) if isinstance(bias, str) else bias).astype(np.float32)
        self._constant(f"{name}.bias", -own if is_subtracted else own)
        return self._add("Sub" if is_subtracted else "Add", product, f"{name}.bias")

    def _scores(self, hidden: str) -> None:
        """The logits in float32, summed text by text: a matrix product's order of summation depends on how many rows it has."""
        product = self._add("Mul", self._add("Unsqueeze", hidden, "axis 1"), self._weight("classifier.weight"))
        self._add("Add", self._add("ReduceSum", product, "last axis", keepdims=0), self._weight("classifier.bias"), output="logits")

    def _normalised(self, rows: str, name: str) -> str:
        return self._add("LayerNormalization", rows, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"), axis=-1, epsilon=1e-12)

    def _weight(self, name: str) -> str:
        return self._constant(name, self.weights[name])

    def _ints(self, name: str, value) -> str:
        return self._constant(name, np.array(value, np.int64))

    def _floats(self, name: str, value) -> str:
        return self._constant(name, np.array(value, np.float32))

    def _constant(self, name: str, value: np.ndarray) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def _add(self, operator: str, *inputs: str, output: str | None = None, domain: str = "", **attributes) -> str:
        output = output or f"{operator} {len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def _model(self) -> onnx.ModelProto:
        tokens = [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"]) for name in ("input_ids", "attention_mask")]
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["texts", self.config.num_labels])
        graph = helper.make_graph(self.nodes, "distilbert-int8", tokens, [logits], list(self.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)], ir_version=9)
        model.producer_name = "groundswell"
        return model
