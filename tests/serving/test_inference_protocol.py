"""The Open Inference Protocol over HTTP: JSON and binary tensors, metadata, health; and the real tritonclient against a real process."""

from __future__ import annotations

import gzip
import itertools
import json
import struct
import zlib

import numpy as np
import pytest
from fastapi.testclient import TestClient

from groundswell.predictor import Predictor
from groundswell.schema import LABELS
from serving.app import create_app
from serving.canary import SHARES, _place
from tests.serving.servers import NAME
from tests.serving.test_serving_app import problem_of, wait_until
from tests.tiny import tiny_rows

TEXTS = [*tiny_rows(6, seed=12)[0], "Ärger 😡", ""]
INFER = f"/v2/models/{NAME}/infer"


def request(texts=TEXTS, **more) -> dict:
    return {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": texts}], **more}


def binary(texts=TEXTS, **more) -> tuple[bytes, dict]:
    """A request with its tensor behind the JSON, and its headers."""
    behind = b"".join(struct.pack("<I", len(each)) + each for each in (text.encode() for text in texts))
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "parameters": {"binary_data_size": len(behind)}}
    head = json.dumps({"inputs": [tensor], **more}).encode()
    return head + behind, {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}


def offline(export) -> tuple[list[str], np.ndarray]:
    probabilities = Predictor.load(export).predict(TEXTS)
    return [LABELS[best] for best in probabilities.argmax(axis=1)], probabilities


def of_protocol(answer, status: int) -> dict:
    """A problem that is an error of the protocol too."""
    found = problem_of(answer, status)
    assert found["error"] == found["detail"] != ""
    return found


def test_tensors_as_json(standing, exports):
    answer = standing.post(INFER, json=request(id="17"))
    body = answer.json()
    labels, probabilities = offline(exports["1"])
    assert len(set(labels)) > 1, "a model that says one thing proves nothing here"
    assert (body["model_name"], body["model_version"], body["id"]) == (NAME, "1", "17")
    assert body["parameters"] == {"run_id": "run-1"}
    label, numbers = body["outputs"]
    assert label == {"name": "label", "datatype": "BYTES", "shape": [8], "data": labels}
    assert (numbers["name"], numbers["datatype"], numbers["shape"]) == ("probabilities", "FP32", [8, 3])
    assert np.array_equal(np.array(numbers["data"], dtype=np.float32).reshape(8, 3), probabilities)


def test_tensors_as_bytes_behind_the_json(standing, exports):
    content, headers = binary(parameters={"binary_data_output": True})
    answer = standing.post(INFER, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["Inference-Header-Content-Length"])
    label, numbers = json.loads(answer.content[:length])["outputs"]
    assert "data" not in label
    behind, size = answer.content[length:], label["parameters"]["binary_data_size"]
    labels, probabilities = offline(exports["1"])
    assert behind[:size] == b"".join(struct.pack("<I", len(each)) + each.encode() for each in labels)
    assert behind[size:] == probabilities.astype("<f4").tobytes()
    assert numbers["parameters"] == {"binary_data_size": len(probabilities) * 12}


def test_only_the_outputs_that_are_asked_for_each_as_asked_for(standing, exports):
    outputs = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "label", "parameters": {"binary_data": False}}]
    answer = standing.post(INFER, json=request(outputs=outputs, parameters={"binary_data_output": True}))
    length = int(answer.headers["Inference-Header-Content-Length"])
    numbers, label = json.loads(answer.content[:length])["outputs"]
    assert label["data"] == offline(exports["1"])[0]
    assert answer.content[length:] == offline(exports["1"])[1].tobytes()
    (alone,) = standing.post(INFER, json=request(outputs=[{"name": "label"}])).json()["outputs"]
    assert alone["name"] == "label"


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)])
def test_a_compressed_body(standing, exports, encoding, compress):
    content, headers = binary()
    answer = standing.post(INFER, content=compress(content), headers={**headers, "Content-Encoding": encoding})
    assert answer.json()["outputs"][0]["data"] == offline(exports["1"])[0]


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (gzip.compress(b'{"a": "' + b" " * 100_000_000 + b'"}'), "gzip", 413),
        (zlib.compress(b" " * 100_000_000), "deflate", 413),
        (gzip.compress(json.dumps(request()).encode())[:-9], "gzip", 422),
        (gzip.compress(b"{}") * 2, "gzip", 422),
        (b"xylophone", "gzip", 422),
        (b"", "deflate", 422),
        (b"xylophone", "br", 415),
    ],
    ids=["a bomb", "another", "cut off", "two", "none", "nothing", "an unknown one"],
)
def test_a_compressed_body_that_is_none_or_far_too_large(standing, content, encoding, status):
    answer = standing.post(INFER, content=content, headers={"Content-Encoding": encoding})
    of_protocol(answer, status)
    assert "xylophone" not in answer.text


def changed(**tensor) -> dict:
    return {"inputs": [{**request(["fine", "xylophone"])["inputs"][0], **tensor}]}


WRONG = {
    "no inputs": ({}, "body.inputs"),
    "two inputs": ({"inputs": request()["inputs"] * 2}, "body.inputs"),
    "another name": (changed(name="xylophone"), "body.inputs"),
    "another type": (changed(datatype="FP32"), "body.inputs[0].datatype"),
    "another shape": (changed(shape=[3]), "body.inputs[0].shape"),
    "two dimensions": (changed(shape=[2, 1]), "body.inputs[0].shape"),
    "shape no list": (changed(shape=2), "body.inputs[0].shape"),
    "a number": (changed(data=["fine", 3]), "body.inputs[0].data[1]"),
    "nested": (changed(data=[["fine"], ["xylophone"]]), "body.inputs[0].data[0]"),
    "nothing": (changed(data=[], shape=[0]), "body.inputs[0].data"),
    "too many": (changed(data=["xylophone"] * 129, shape=[129]), "body.inputs[0].data"),
    "data and bytes": (changed(parameters={"binary_data_size": 0}), "body.inputs[0]"),
    "shared memory": (changed(parameters={"shared_memory_region": "xylophone"}), "body.inputs[0].parameters"),
    "parameters no object": (changed(parameters=[1]), "body.inputs[0].parameters"),
    "request parameters no object": (request(parameters=3), "body.parameters"),
    "id no string": (request(id=3), "body.id"),
    "another output": (request(outputs=[{"name": "xylophone"}]), "body.outputs[0].name"),
    "outputs no list": (request(outputs={"name": "label"}), "body.outputs"),
    "three outputs": (request(outputs=[{"name": "label"}] * 3), "body.outputs"),
    "classification": (request(outputs=[{"name": "label", "parameters": {"classification": 2}}]), "body.outputs[0].parameters"),
    "a list": ([1], "body"),
}


@pytest.mark.parametrize(("body", "where"), WRONG.values(), ids=WRONG.keys())
def test_wrong_requests_are_told_where_and_nothing_is_repeated(standing, body, where):
    answer = standing.post(INFER, json=body)
    assert of_protocol(answer, 422)["faults"][0]["where"] == where
    assert "xylophone" not in answer.text


def with_size(size: object) -> bytes:
    """The JSON of a request whose tensor is behind it."""
    return json.dumps({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": size}}]}).encode()


@pytest.mark.parametrize(
    ("head", "behind", "length"),
    [
        (with_size(8), b"\x04\0\0\0fine", 1_000_000),
        (with_size(8), b"\x04\0\0\0fine", "-1"),
        (with_size(8), b"\x04\0\0\0fine", "²"),
        (with_size(8), b"\x04\0\0\0fine", ""),
        (with_size(7), b"\x04\0\0\0fine", None),
        (with_size(8), b"\x05\0\0\0fine", None),
        (with_size(8), b"\xff\xff\xff\xfffine", None),
        (with_size(3), b"\x04\0\0", None),
        (with_size(8), b"\x04\0\0\0\xff\xff\xff\xff", None),
        (with_size(8), b"\x04\0\0\0fine", None),
        (with_size(4 * 200), b"\0\0\0\0" * 200, None),
        (with_size(0), b"", None),
        (with_size(True), b"\x00", None),
        (with_size("8"), b"\x04\0\0\0fine", None),
        (json.dumps(request(["fine"])).encode(), b"\x04\0\0\0fine", None),
    ],
)
def test_binary_tensors_that_are_none(standing, head, behind, length):
    headers = {"Inference-Header-Content-Length": str(len(head) if length is None else length).encode()}
    of_protocol(standing.post(INFER, content=head + behind, headers=headers), 422)


def test_what_the_server_and_the_model_are(standing):
    assert standing.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    model = standing.get(f"/v2/models/{NAME}").json()
    assert model["versions"] == ["1"]
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [(each["name"], each["datatype"], each["shape"]) for each in model["outputs"]] == [
        ("label", "BYTES", [-1]),
        ("probabilities", "FP32", [-1, 3]),
    ]
    assert standing.get(f"/v2/models/{NAME}/versions/1").json() == model
    assert standing.get("/v2/health/live").json() == {"live": True}
    assert standing.get("/v2/health/ready").json() == {"ready": True}
    assert (
        standing.get(f"/v2/models/{NAME}/ready").json() == standing.get(f"/v2/models/{NAME}/versions/1/ready").json() == {"name": NAME, "ready": True}
    )


@pytest.mark.parametrize("address", ["/v2/models/other", f"/v2/models/{NAME}/versions/2"])
def test_another_model_or_version_is_not_here(standing, address):
    for answer in (standing.get(address), standing.get(f"{address}/ready"), standing.post(f"{address}/infer", json=request())):
        of_protocol(answer, 404)
    assert standing.post(f"/v2/models/{NAME}/versions/1/infer", json=request()).status_code == 200


def test_ready_only_with_a_champion(settings, registry):
    registry.alias = None
    with TestClient(create_app(settings, registry)) as client:
        assert client.get("/v2/health/live").status_code == 200
        for address in ("/v2/health/ready", f"/v2/models/{NAME}", f"/v2/models/{NAME}/ready"):
            of_protocol(client.get(address), 503)
        of_protocol(client.post(INFER, json=request()), 503)
        registry.alias = "2"
        wait_until(lambda: client.get("/v2/health/ready").status_code == 200)
        assert client.post(INFER, json=request()).json()["model_version"] == "2"


def test_a_version_that_is_named_answers_during_a_rollout_too(settings, registry):
    registry.others = {"canary": "2"}
    with TestClient(create_app(settings, registry)) as client:
        wait_until(lambda: client.get("/v1/rollout").json()["share"] > 0)
        names = (str(number) for number in itertools.count())
        header = {"X-Client-Id": next(name for name in names if _place(registry.named("2"), b"id " + name.encode()) < SHARES[0])}
        assert client.post(INFER, json=request(), headers=header).json()["model_version"] == "2"
        assert client.post(f"/v2/models/{NAME}/versions/1/infer", json=request(), headers=header).json()["model_version"] == "1"
        of_protocol(client.post(f"/v2/models/{NAME}/versions/2/infer", json=request(), headers=header), 404)


@pytest.fixture(scope="module")
def triton(answering):
    from tritonclient.http import InferenceServerClient

    with InferenceServerClient(f"127.0.0.1:{answering.port}", concurrency=4) as client:
        yield client


def triton_input(texts=TEXTS, *, is_binary: bool = True):
    from tritonclient.http import InferInput

    tensor = InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=object), binary_data=is_binary)
    return tensor


def assert_same(found, exports, outputs=("label", "probabilities")) -> None:
    labels, probabilities = offline(exports["1"])
    if "label" in outputs:
        assert [each.decode() if isinstance(each, bytes) else each for each in found.as_numpy("label").tolist()] == labels
    if "probabilities" in outputs:
        assert found.as_numpy("probabilities").dtype == np.float32
        assert np.array_equal(found.as_numpy("probabilities"), probabilities)


@pytest.mark.slow
def test_tritonclient_asks_what_there_is(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready(NAME)
    assert triton.is_model_ready(NAME, "1")
    assert not triton.is_model_ready(NAME, "2")
    assert not triton.is_model_ready("other")
    assert triton.get_server_metadata()["name"] == "groundswell"
    assert [each["name"] for each in triton.get_model_metadata(NAME)["outputs"]] == ["label", "probabilities"]


@pytest.mark.slow
@pytest.mark.parametrize("is_binary", [True, False], ids=["binary", "json"])
def test_tritonclient_infers(triton, exports, is_binary):
    from tritonclient.http import InferRequestedOutput

    found = triton.infer(NAME, [triton_input(is_binary=is_binary)], request_id="17")
    assert (found.get_response()["id"], found.get_response()["model_version"]) == ("17", "1")
    assert_same(found, exports)
    assert_same(triton.infer(NAME, [triton_input(is_binary=is_binary)], model_version="1"), exports)
    for name in ("label", "probabilities"):
        asked = InferRequestedOutput(name, binary_data=is_binary)
        found = triton.infer(NAME, [triton_input(is_binary=is_binary)], outputs=[asked])
        assert [each["name"] for each in found.get_response()["outputs"]] == [name]
        assert_same(found, exports, [name])


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_tritonclient_compresses(triton, exports, encoding):
    found = triton.infer(NAME, [triton_input()], request_compression_algorithm=encoding, response_compression_algorithm=encoding)
    assert_same(found, exports)


@pytest.mark.slow
def test_tritonclient_infers_many_at_once(triton, exports):
    waiting = [triton.async_infer(NAME, [triton_input()]) for _ in range(16)]
    for each in waiting:
        assert_same(each.get_result(), exports)


@pytest.mark.slow
def test_tritonclient_hears_what_was_wrong(triton):
    from tritonclient.utils import InferenceServerException

    for arguments, message in (
        (("other", [triton_input()]), f"expected the model {NAME}"),
        ((NAME, [triton_input(["fine"] * 129)]), "1 to 128 texts"),
    ):
        with pytest.raises(InferenceServerException, match=message):
            triton.infer(*arguments)
    with pytest.raises(InferenceServerException, match="expected version 1"):
        triton.infer(NAME, [triton_input()], model_version="7")
