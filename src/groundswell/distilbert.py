"""The DistilBERT that a traced model.onnx came from: its shape and its fp32 weights, bit for bit.

Reads the ONNX graph that `groundswell.export` traces. The tracer transposes the weights of linear layers, renames them, and merges
equal ones; nodes keep the module's path (``/model/distilbert/transformer/layer.0/attention/q_lin/MatMul``), so weights are found by
node. Refuses a graph in which a weight or the width of a head can't be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from groundswell.errors import ModelError

_ROOT = "/model/"
_LAYER = "distilbert.transformer.layer."


def state_dict(network: Path) -> dict[str, np.ndarray]:
    """Name → float32 weight, as DistilBertForSequenceClassification names and shapes them; `ModelError` for another kind of graph."""
    graph = _graph(network)
    constants = _constants(graph)
    found = {name: value for node in graph.node for name, value in _weights_of(node, constants)}
    if f"{_LAYER}0.ffn.lin2.weight" not in found or "classifier.weight" not in found:
        raise ModelError(f"{network}: expected a DistilBERT classifier traced by groundswell train, found none of its layers: export from model.onnx")
    return found


def shape(network: Path, weights: dict[str, np.ndarray]) -> dict[str, int]:
    """What DistilBertConfig calls the sizes of the network at ``network``, whose weights are ``weights``."""
    words, positions = (weights[f"distilbert.embeddings.{kind}_embeddings.weight"] for kind in ("word", "position"))
    return {
        "vocab_size": words.shape[0],
        "dim": words.shape[1],
        "max_position_embeddings": positions.shape[0],
        "n_layers": len({name.removeprefix(_LAYER).split(".")[0] for name in weights if name.startswith(_LAYER)}),
        "n_heads": words.shape[1] // _head_width(network),
        "hidden_dim": weights[f"{_LAYER}0.ffn.lin1.weight"].shape[0],
    }


def _graph(network: Path):
    import onnx

    try:
        return onnx.load(str(network), load_external_data=False).graph
    except Exception as error:  # noqa: BLE001 - protobuf's DecodeError, and onnx's own
        raise ModelError(f"{network}: not an ONNX file ({error}): fetch or export the model again") from error


def _constants(graph) -> dict[str, np.ndarray]:
    """Value name → array of every initialiser and constant; an Identity stands for what it repeats."""
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
    return constants


def _weights_of(node, constants: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """The named weights that one node holds: of an embedding, a linear layer, or a layer norm."""
    if not node.name.startswith(_ROOT):
        return
    module = node.name.removeprefix(_ROOT).rpartition("/")[0].replace("/", ".")
    held = [constants.get(name) for name in node.input]
    match node.op_type:
        case "Gather" if module.endswith("_embeddings") and held[0] is not None and held[0].ndim == 2:
            yield f"{module}.weight", held[0]
        case "MatMul" if held[1] is not None:
            yield f"{module}.weight", np.ascontiguousarray(held[1].T)
        case "Add" if module.endswith(("_lin", ".lin1", ".lin2")):
            yield from ((f"{module}.bias", value) for value in held if value is not None)
        case "Gemm":
            is_transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            yield f"{module}.weight", held[1] if is_transposed else np.ascontiguousarray(held[1].T)
            yield f"{module}.bias", held[2]
        case "LayerNormalization":
            yield from ((f"{module}.weight", held[1]), (f"{module}.bias", held[2]))


def _head_width(network: Path) -> int:
    """Numbers a head: the last number of the shape that the first layer's queries are given."""
    graph = _graph(network)
    constants, made_by = _constants(graph), {name: node for node in graph.node for name in node.output}
    queries = f"{_ROOT}distilbert/transformer/layer.0/attention/q_lin/"
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[0].startswith(queries):
            wanted = constants.get(node.input[1])
            if wanted is None and made_by[node.input[1]].op_type == "Concat":
                wanted = constants.get(made_by[node.input[1]].input[-1])
            if wanted is not None and wanted[-1] > 0:
                return int(wanted[-1])
    raise ModelError(
        f"{network}: the width of an attention head can't be read from the graph: train the model again with this version of groundswell"
    )
