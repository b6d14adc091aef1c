"""A model out of the house answers as it did inside: by transformers, by plain ONNX Runtime, and from a Triton repository."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from models import project_with_registry, register, rehash
from tiny import shared_export, tiny_model, tiny_rows

from groundswell.convert import FORMATS, TOLERANCE, convert, export_version
from groundswell.errors import ModelError, UnknownName, UsageError
from groundswell.files import write_json
from groundswell.predictor import Predictor
from groundswell.registry import CHAMPION

PROJECT = Path(__file__).parent.parent
SERVING_PYTHON = PROJECT / ".venv-serving" / "bin" / "python"
TEXTS = [
    *tiny_rows(24, seed=9)[0],
    "",
    "😀 &amp; <b>fun</b>",
    "@ann see https://host.example/x?y=1",
    "कितना अच्छा",
    "the worst game " * 100,
    "a\u0000b\ud800",
]
NAME = "groundswell-sentiment-games"


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """An export whose probabilities are not all 0 or 1: what the tiny model learnt is easy, its fitted temperature is low."""
    folder = tmp_path_factory.mktemp("convert") / "export"
    shutil.copytree(shared_export(), folder)
    write_json(json.loads((folder / "config.json").read_text()) | {"temperature": 1.7}, folder / "config.json")
    rehash(folder)
    return folder


@pytest.fixture(scope="module")
def folders(export, tmp_path_factory):
    """Format → what `convert` wrote."""
    box = tmp_path_factory.mktemp("converted")
    return {to: Path(convert(export, to, box / to)["folder"]) for to in FORMATS}


# --- the weights ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "steps"), [(1, 5), (3, 0)])
def test_the_traced_network_gives_its_weights_back_to_the_last_bit(tmp_path, layers, steps):
    from groundswell.distilbert import shape, state_dict
    from groundswell.export import write_networks

    model, _ = tiny_model(4, layers=layers, steps=steps)  # untrained, many weights are equal, and the tracer merges them
    write_networks(model, tmp_path)
    found = state_dict(tmp_path / "model.onnx")
    expected = {name: value.numpy() for name, value in model.state_dict().items()}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == np.float32 and np.array_equal(found[name], value), name
    sizes = shape(tmp_path / "model.onnx", found)
    assert sizes == {name: getattr(model.config, name) for name in sizes}


# --- hf ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_transformers_pipeline_gives_our_calibrated_probabilities(export, folders):
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(folders["hf"]), top_k=None, device="cpu")
    normalise = runpy.run_path(str(folders["hf"] / "text.py"))["normalise"]
    predictor = Predictor.load(export, precision="fp32")
    expected = predictor.predict(TEXTS)
    assert ((expected > 0.02) & (expected < 0.98)).any(axis=1).sum() >= 3  # saturated probabilities would hide a wrong temperature
    answers = classify([normalise(text) for text in TEXTS], truncation=True, batch_size=8)
    found = np.array([[next(each["score"] for each in answer if each["label"] == label) for label in predictor.labels] for answer in answers])
    assert np.abs(found - expected).max() <= TOLERANCE


@pytest.mark.slow
def test_the_hf_folder_says_what_the_model_needs(export, folders):
    from transformers import AutoConfig, AutoTokenizer

    config, tokenizer = AutoConfig.from_pretrained(folders["hf"]), AutoTokenizer.from_pretrained(folders["hf"])
    assert config.model_type == "distilbert" and list(config.id2label.values()) == ["negative", "neutral", "positive"]
    assert tokenizer.model_input_names == ["input_ids", "attention_mask"] and tokenizer.model_max_length == 96
    assert set(tokenizer("a b")) == {"input_ids", "attention_mask"} and tokenizer.pad_token_id == config.pad_token_id
    card = (folders["hf"] / "README.md").read_text()
    for told in ("negative, neutral, positive", "1.7", "normalise", "truncation=True", (export / "card.md").read_text()):
        assert told in card, told
    assert not list(folders["hf"].rglob("*.bin"))


# --- onnx -------------------------------------------------------------------------------------------------------------

ALONE = """
import json, runpy, sys
sys.path.insert(0, ".")
runpy.run_path("predict.py", run_name="__main__")
print(json.dumps([name for name in ("groundswell", "torch", "transformers", "mlflow") if name in sys.modules]))
"""


@pytest.mark.slow
def test_plain_onnx_runtime_answers_as_the_serving_process_to_the_last_bit(export, folders):
    texts = [text.replace("\ud800", " ") for text in TEXTS]  # a lone surrogate can't be piped as UTF-8
    done = subprocess.run([SERVING_PYTHON, "-c", ALONE], cwd=folders["onnx"], input="\n".join(texts), capture_output=True, text=True, check=True)
    *lines, imported = done.stdout.splitlines()
    answers = [json.loads(line) for line in lines]
    predictor = Predictor.load(export)
    expected = predictor.predict(texts)
    assert json.loads(imported) == []
    assert [list(answer["probabilities"].values()) for answer in answers] == expected.tolist()
    assert [answer["label"] for answer in answers] == [predictor.labels[place] for place in expected.argmax(axis=1)]


# --- triton -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model_config(folders):
    """config.pbtxt as Triton's own message."""
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    text = (folders["triton"] / "model_repository" / NAME / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.mark.slow
def test_config_pbtxt_is_tritons_and_agrees_with_the_network(folders, model_config):
    import onnx

    model = folders["triton"] / "model_repository" / NAME
    graph = onnx.load(model / "1" / "model.onnx").graph
    types = {onnx.TensorProto.INT64: "TYPE_INT64", onnx.TensorProto.FLOAT: "TYPE_FP32"}

    def in_the_graph(values):
        """Name → type and dims without the batch's, which Triton adds by itself; a named dim is any width."""
        shapes = {value.name: value.type.tensor_type for value in values}
        return {
            name: (types[each.elem_type], [-1 if dim.dim_param else dim.dim_value for dim in each.shape.dim][1:]) for name, each in shapes.items()
        }

    def in_the_config(values):
        data_type = model_config.input[0].DESCRIPTOR.fields_by_name["data_type"].enum_type
        return {value.name: (data_type.values_by_number[value.data_type].name, list(value.dims)) for value in values}

    assert in_the_config(model_config.input) == in_the_graph(graph.input) != {}
    assert in_the_config(model_config.output) == in_the_graph(graph.output) != {}
    assert model_config.name == model.name and model_config.backend == "onnxruntime" and model_config.max_batch_size == 32
    assert model_config.HasField("dynamic_batching")
    assert [group.kind for group in model_config.instance_group] == [type(model_config.instance_group[0]).KIND_CPU]
    labelled = {output.name: output.label_filename for output in model_config.output if output.label_filename}
    assert labelled == {"probabilities": "labels.txt"}
    assert (model / "labels.txt").read_text().split() == ["negative", "neutral", "positive"]


@pytest.mark.slow
def test_the_client_gets_our_probabilities_from_a_server_that_keeps_to_config_pbtxt(export, folders, model_config):
    texts = [text for text in TEXTS if "\ud800" not in text]
    with _server(folders["triton"], model_config) as address:
        command = [sys.executable, "client.py", address]
        done = subprocess.run(command, cwd=folders["triton"], input="\n".join(texts), capture_output=True, text=True, check=True)
    found = np.array([list(json.loads(line)["probabilities"].values()) for line in done.stdout.splitlines()])
    assert np.abs(found - Predictor.load(export, precision="fp32").predict(texts)).max() <= TOLERANCE


class _server:  # noqa: N801 - reads as a clause: with _server(folder, config) as address
    """Stands in for Triton, which can't run its ONNX backend here: the same requests, checked against config.pbtxt, the same network."""

    def __init__(self, folder: Path, config):
        import onnxruntime

        path = folder / "model_repository" / config.name / "1" / "model.onnx"
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                size = int(self.headers["Inference-Header-Content-Length"])
                asked, at, feed = json.loads(body[:size]), size, {}
                for tensor in asked["inputs"]:
                    value = np.frombuffer(body, "<i8", int(np.prod(tensor["shape"])), at).reshape(tensor["shape"])
                    at += tensor["parameters"]["binary_data_size"]
                    feed[tensor["name"]] = value
                assert self.path == f"/v2/models/{config.name}/infer" and at == len(body)
                assert {each.name for each in config.input} == feed.keys() and {tensor["datatype"] for tensor in asked["inputs"]} == {"INT64"}
                assert all(value.ndim == 2 and len(value) <= config.max_batch_size for value in feed.values())
                names = [output["name"] for output in asked["outputs"]]
                values = zip(names, session.run(names, feed), strict=True)
                outputs = [{"name": name, "datatype": "FP32", "shape": value.shape, "data": value.ravel().tolist()} for name, value in values]
                answer = json.dumps({"model_name": config.name, "model_version": "1", "outputs": outputs}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True

    def __enter__(self) -> str:
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return f"127.0.0.1:{self.http.server_port}"

    def __exit__(self, *raised) -> None:
        self.http.shutdown()
        self.http.server_close()


# --- what is refused --------------------------------------------------------------------------------------------------


def _nothing_but(folder: Path, *names: str) -> bool:
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="not empty"):
        convert(tmp_path / "no-export", "hf", tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep" and _nothing_but(tmp_path, "out")


def test_an_unknown_format_is_named():
    with pytest.raises(UnknownName, match="did you mean 'onnx'"):
        convert(Path("x"), "onx", Path("y"))


@pytest.mark.slow
def test_an_export_that_cannot_be_trusted_leaves_nothing(export, tmp_path):
    damaged = tmp_path / "export"
    shutil.copytree(export, damaged)
    with open(damaged / "model.onnx", "ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelError, match="sha256"):
        convert(damaged, "onnx", tmp_path / "out")
    assert _nothing_but(tmp_path, "export")


@pytest.mark.slow
@pytest.mark.parametrize(("change", "reason"), [("scale", "differ"), ("names", "none of its layers"), ("heads", "width of an attention head")])
def test_a_network_that_is_no_distilbert_is_not_passed_off_as_one(export, tmp_path, change, reason):
    import onnx
    from onnx import numpy_helper

    other = tmp_path / "export"
    shutil.copytree(export, other)
    model = onnx.load(other / "model.onnx")
    for node in model.graph.node:
        if change == "scale" and node.name.endswith("attention/Mul"):  # an attention of its own: same weights, other answers
            [constant] = [each for each in model.graph.node if each.output[0] == node.input[1]]
            constant.attribute[0].t.CopyFrom(numpy_helper.from_array(np.array(2.0, dtype=np.float32)))
        elif change == "names":
            node.name = node.name.replace("/model/", "/network/")
        elif change == "heads" and node.name.endswith("q_lin/Add"):
            _rename(model, node.output[0], "queries")
    onnx.save(model, other / "model.onnx")
    rehash(other)
    with pytest.raises(ModelError, match=reason):
        convert(other, "hf", tmp_path / "out")
    assert _nothing_but(tmp_path, "export")


def _rename(model, old: str, new: str) -> None:
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path):
    return project_with_registry(tmp_path / "project")


def _groundswell(settings, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "GROUNDSWELL_PROJECT": str(settings.project)}
    return subprocess.run(
        [sys.executable, "-m", "groundswell.cli", "export", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_version_of_the_registry_by_number_and_by_alias(settings):
    good = register(settings, "good", champion=True)
    better = register(settings, "better")
    done = _groundswell(settings, CHAMPION, "--to", "onnx", "--topic", "games")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["model_version"] == good, done.stderr
    assert Path(report["folder"]) == settings.root / "exports" / f"{NAME}-{good}-onnx" and report["try"] in done.stderr
    assert {"model.int8.onnx", "predict.py", "README.md"} <= report["files"].keys()
    answered = subprocess.run(re.sub(r"\bpython\b", str(SERVING_PYTHON), report["try"]), shell=True, capture_output=True, text=True, check=True)
    assert set(json.loads(answered.stdout)) == {"label", "probabilities"}
    other = export_version("games", better, "onnx", settings.root / "other", settings=settings)
    assert other["run_id"] != report["run_id"] and other["model_version"] == better
    with pytest.raises(UnknownName, match="did you mean 'champion'"):
        export_version("games", "champoin", "onnx", settings.root / "third", settings=settings)


def test_a_version_or_a_folder_and_not_both(tmp_path):
    for arguments in (["--to", "hf"], ["3", "--folder", str(tmp_path), "--to", "hf"]):
        done = subprocess.run(
            [sys.executable, "-m", "groundswell.cli", "export", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2 and done.stdout == "" and "one of them" in done.stderr
