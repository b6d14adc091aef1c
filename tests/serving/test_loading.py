"""Every kind of candidate that must not get in, made from a good one."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from serving import onnxfile
from serving.loading import TRIAL, Pace, Refused, load_model
from serving.registry import Version

pytestmark = pytest.mark.slow

VERSION = Version("1", "run-1", "models:/m-1")


def admit(folder: Path, topic: str = "games", pace: Pace | None = None):
    return load_model(folder, VERSION, name="groundswell-sentiment-games", topic=topic, pace=pace)


def reseal(folder: Path) -> None:
    """Make the manifest true of what lies there: what an honest exporter of a bad model would have written."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


@pytest.fixture
def candidate(exports, tmp_path) -> Path:
    return Path(shutil.copytree(exports["1"], tmp_path / "candidate"))


def configure(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    reseal(folder)


def with_nan_weights(folder: Path) -> None:
    """A network whose last bias is no number."""
    model = onnx.load(folder / "model.int8.onnx")
    bias = next(tensor for tensor in model.graph.initializer if list(tensor.dims) == [3])
    bias.CopyFrom(numpy_helper.from_array(np.full(3, np.nan, dtype=np.float32), bias.name))
    onnx.save(model, folder / "model.int8.onnx")
    reseal(folder)


def with_external_data(folder: Path, location: str = "../weights.bin") -> None:
    """A network that would read its weights from wherever it likes; onnx itself would not write such a one any more."""
    onnx.save(onnx.load(folder / "model.int8.onnx"), folder / "model.int8.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    (folder / "weights.bin").rename((folder / location).resolve())
    model = onnx.load(folder / "model.int8.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    (folder / "model.int8.onnx").write_bytes(model.SerializeToString())
    reseal(folder)


def with_half_a_network(folder: Path) -> None:
    content = (folder / "model.int8.onnx").read_bytes()
    (folder / "model.int8.onnx").write_bytes(content[: len(content) // 2])
    reseal(folder)


def change_tokenizer(folder: Path, change) -> None:
    """``change`` gets the token → number table and edits it."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    change(tokenizer["model"]["vocab"])
    special = {token["content"] for token in tokenizer["added_tokens"]}
    tokenizer["added_tokens"] = [token for token in tokenizer["added_tokens"] if token["content"] in special & tokenizer["model"]["vocab"].keys()]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    reseal(folder)


def with_fewer_tokens(folder: Path) -> None:
    change_tokenizer(folder, lambda table: table.pop(max(table, key=table.get)))


def with_other_special_tokens(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text().replace("[CLS]", "<s>"))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    reseal(folder)


def with_tokens_in_another_order(folder: Path) -> None:
    """The size is right, every number is a word, and each is another word's."""

    def turn(table: dict[str, int]) -> None:
        words = [word for word in table if word.isalpha()]
        numbers = [table[word] for word in words]
        table.update(zip(words, numbers[1:] + numbers[:1], strict=True))

    change_tokenizer(folder, turn)


def with_labels_swapped_in_the_head(folder: Path) -> None:
    """What says negative now means positive; config.json still has our order."""
    model = onnx.load(folder / "model.int8.onnx")
    (last,) = (node for node in model.graph.node if "logits" in node.output)
    last.output[0] = "unswapped"
    order = numpy_helper.from_array(np.array([2, 1, 0]), "order")
    model.graph.initializer.append(order)
    model.graph.node.append(onnx.helper.make_node("Gather", ["unswapped", "order"], ["logits"], axis=1))
    onnx.save(model, folder / "model.int8.onnx")
    reseal(folder)


def with_idle_arithmetic(folder: Path, products: int = 40, width: int = 700) -> None:
    """A network that gives the same answers after some products of matrices that change nothing."""
    model = onnx.load(folder / "model.int8.onnx")
    (last,) = (node for node in model.graph.node if "logits" in node.output)
    last.output[0] = "early"
    weights = np.random.default_rng(0).standard_normal((width, width)).astype(np.float32) / np.float32(np.sqrt(width))
    add, node = model.graph.initializer.append, onnx.helper.make_node
    add(numpy_helper.from_array(weights, "idle"))
    add(numpy_helper.from_array(np.zeros((), np.float32), "idle_nought"))
    nodes = [node("ReduceMean", ["early"], ["idle_mean"], keepdims=0), node("Mul", ["idle", "idle_mean"], ["idle_product0"])]
    nodes += [node("MatMul", [f"idle_product{place}", "idle"], [f"idle_product{place + 1}"]) for place in range(products)]
    nodes += [node("ReduceMean", [f"idle_product{products}"], ["idle_end"], keepdims=0), node("Mul", ["idle_end", "idle_nought"], ["idle_nothing"])]
    nodes += [node("Add", ["early", "idle_nothing"], ["logits"])]
    model.graph.node.extend(nodes)
    onnx.save(model, folder / "model.int8.onnx")
    reseal(folder)


@pytest.mark.slow
def test_a_slow_one_is_refused_beside_a_quick_champion_or_by_itself(candidate, exports):
    champion = admit(exports["2"])
    with_idle_arithmetic(candidate)
    assert admit(candidate).predictor.predict(TRIAL).shape == (len(TRIAL), 3), "it is good otherwise"
    with pytest.raises(Refused, match="expected at most 4 times that") as refused:
        admit(candidate, pace=Pace(champion, 4, 60))
    assert refused.value.kind == "slow"
    with pytest.raises(Refused, match="expected at most 0.001"):
        admit(candidate, pace=Pace(None, 4, 0.001))


def test_one_that_is_as_quick_as_the_champion_gets_in(candidate, exports):
    admit(candidate, pace=Pace(admit(exports["2"]), 20, 60))


def test_weights_outside_are_found_wherever_they_hide(candidate):
    """In a branch of an If, where ONNX Runtime would read them too."""
    model = onnx.load(candidate / "model.int8.onnx")
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "hidden")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/hostname")
    inner = [onnx.helper.make_node("Constant", [], ["out"], value=tensor)]
    branch = onnx.helper.make_graph(inner, "branch", [], [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [3])])
    condition = numpy_helper.from_array(np.array(True), "condition")
    model.graph.initializer.append(condition)
    model.graph.node.append(onnx.helper.make_node("If", ["condition"], ["unused"], then_branch=branch, else_branch=branch))
    (candidate / "model.int8.onnx").write_bytes(model.SerializeToString())
    reseal(candidate)
    with pytest.raises(Refused, match="outside of itself"):
        admit(candidate)


def test_the_tables_are_those_that_onnx_sees(exports):
    for name in ("model.onnx", "model.int8.onnx"):
        model = onnx.load(exports["1"] / name)
        sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
        found = onnxfile.read(exports["1"] / name)
        assert 30522 in found.table_rows
        assert found.table_rows <= {dims[0] for dims in sizes.values() if len(dims) == 2}
        assert found.external == []


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x3a\xff\xff\xff\xff\x0f", b"\xff" * 30])
def test_what_is_no_protobuf_is_an_error_and_no_crash(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ValueError):
        onnxfile.read(tmp_path / "x.onnx")


def test_a_good_one_gets_in(candidate):
    model = admit(candidate)
    assert model.digest == hashlib.sha256((candidate / "manifest.json").read_bytes()).hexdigest()
    assert model.predictor.predict(TRIAL).shape == (len(TRIAL), 3)


BAD = {
    "a file cut off": (lambda folder: (folder / "model.int8.onnx").write_bytes(b"\x08\x07"), "damaged or changed"),
    "a file missing": (lambda folder: (folder / "tokenizer.json").unlink(), "not in the folder"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json can't be read"),
    "a manifest of another shape": (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json can't be read"),
    "a file that nobody listed": (lambda folder: (folder / "weights.bin").write_bytes(b"x"), "weights.bin not listed"),
    "a link": (lambda folder: ((folder / "card.md").unlink(), (folder / "card.md").symlink_to("/etc/hostname")), "card.md not listed"),
    "labels in another order": (
        lambda folder: configure(folder, labels=["positive", "neutral", "negative"]),
        "expected the labels negative, neutral, positive",
    ),
    "another topic": (lambda folder: configure(folder, topic="music"), "expected a model of topic 'games', found one of 'music'"),
    "another text version": (lambda folder: configure(folder, text_version=0), "text rules version 0"),
    "a temperature of nought": (lambda folder: configure(folder, temperature=0.0), "NaN or infinity"),
    "a network that is no number": (with_nan_weights, "NaN or infinity"),
    "a network that is no network": (lambda folder: ((folder / "model.int8.onnx").write_bytes(b"rubbish"), reseal(folder)), "can't be loaded"),
    "a file cut off and vouched for": (with_half_a_network, "can't be loaded"),
    "weights elsewhere": (with_external_data, "keeps weights outside of itself"),
    "weights beside it": (lambda folder: with_external_data(folder, "weights.bin"), "weights.bin: expected only files of the kinds"),
    "a pickle": (lambda folder: ((folder / "model.pkl").write_bytes(b"x"), reseal(folder)), "model.pkl: expected only files of the kinds"),
    "a tokenizer that is none": (lambda folder: ((folder / "tokenizer.json").write_text("{}"), reseal(folder)), "can't be loaded"),
    "a tokenizer of another size": (with_fewer_tokens, "30521 tokens, the network's tables have .*30522 rows"),
    "a tokenizer of another kind": (with_other_special_tokens, "has no \\[CLS\\]"),
    "a tokenizer in another order": (with_tokens_in_another_order, "answers differ from those of golden.json"),
    "a head in another order": (with_labels_swapped_in_the_head, "answers differ from those of golden.json"),
    "golden answers that are none": (lambda folder: ((folder / "golden.json").write_text("[]"), reseal(folder)), "golden.json can't be read"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("spoil", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_one_does_not(candidate, spoil, reason):
    spoil(candidate)
    with pytest.raises(Refused, match=reason):
        admit(candidate)
