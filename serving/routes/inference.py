"""The Open Inference Protocol, version 2, over HTTP, with Triton's extension for binary tensors: what `tritonclient.http` and KServe speak.

In: one tensor ``text``, BYTES [n]. Out: ``label``, BYTES [n], and ``probabilities``, FP32 [n, 3], the columns as in the model's metadata.
Tensors come and go as JSON or as bytes behind the JSON, the body as it is or as gzip or deflate, in bounds. Refuses shared memory,
sequences' tensors and classification outputs. Errors have the member ``error`` of the protocol. Health is with the other health addresses.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from groundswell import __version__
from serving import problems
from serving.loading import LoadedModel
from serving.messages import LABELS, MAX_TEXTS, Inferred, ModelIsReady, ModelMetadata, ServerMetadata
from serving.problems import Invalid
from serving.routes.bodies import TEXTS_SCHEMA, json_object, texts_in
from serving.service import Answered, Service

HEADER_LENGTH = "Inference-Header-Content-Length"
"""How many bytes of a body are its JSON; what follows are the binary tensors in their order."""

INPUT = {"name": "text", "datatype": "BYTES", "shape": [-1]}
OUTPUTS = (
    {"name": "label", "datatype": "BYTES", "shape": [-1]},
    {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(LABELS)]},
)

_WINDOW_BITS = {"gzip": 31, "deflate": 15}  # zlib's: with gzip's header, with zlib's own
_STATUSES = (400, 404, 413, 415, 422, 429, 500, 503)


class Output(NamedTuple):
    """An output that is asked for."""

    name: str
    is_binary: bool


@dataclass(frozen=True)
class Asked:
    """An inference request, read."""

    texts: list[str]
    outputs: list[Output]
    id: str | None


def router(service: Service) -> APIRouter:
    """Server and model metadata, the model's readiness, and inference; one model, the topic's, and one version to ask for, the champion."""
    routes = APIRouter(prefix="/v2", tags=["inference"])
    name = service.settings.model_name

    @routes.get("")
    async def server() -> ServerMetadata:
        """What this server is."""
        return ServerMetadata(name="groundswell", version=__version__, extensions=["binary_tensor_data"])

    @routes.get("/models/{model}", responses=problems.described(404, 503))
    async def metadata(model: str) -> ModelMetadata:
        """Which version is champion, and its tensors. The columns of ``probabilities`` are negative, neutral, positive."""
        return _metadata(model)

    @routes.get("/models/{model}/versions/{version}", responses=problems.described(404, 503))
    async def metadata_of_version(model: str, version: str) -> ModelMetadata:
        """The same, of the champion's version; 404 for any other."""
        return _metadata(model, version)

    @routes.get("/models/{model}/ready", responses=problems.described(404, 503))
    async def ready(model: str) -> ModelIsReady:
        """The model made a prediction just now."""
        return await _ready(model)

    @routes.get("/models/{model}/versions/{version}/ready", responses=problems.described(404, 503))
    async def version_ready(model: str, version: str) -> ModelIsReady:
        """The same, of the champion's version; 404 for any other."""
        return await _ready(model, version)

    @routes.post("/models/{model}/infer", response_model=Inferred, responses=problems.described(*_STATUSES), openapi_extra=_BODY)
    async def infer(model: str, request: Request) -> Response:
        """The label and the probabilities of 1 to 128 texts."""
        return await _infer(request, model)

    @routes.post("/models/{model}/versions/{version}/infer", response_model=Inferred, responses=problems.described(*_STATUSES), openapi_extra=_BODY)
    async def infer_by_version(model: str, version: str, request: Request) -> Response:
        """The same, of the champion's version; 404 for any other."""
        return await _infer(request, model, version)

    async def _infer(request: Request, model: str, version: str | None = None) -> Response:
        named = _require(model, version)
        most_bytes = service.settings.serving_max_body_bytes
        body = _decompressed(await request.body(), request.headers.get("content-encoding", "identity").lower(), most_bytes)
        asked = read(request.headers, body)
        return answer(asked, await service.predict(asked.texts, by=named if version else None))

    def _metadata(model: str, version: str | None = None) -> ModelMetadata:
        found = _require(model, version).version.version
        return ModelMetadata(name=name, versions=[found], platform="groundswell_onnxruntime", inputs=[INPUT], outputs=list(OUTPUTS))

    async def _ready(model: str, version: str | None = None) -> ModelIsReady:
        _require(model, version)
        await service.probe()
        return ModelIsReady(name=name)

    def _require(model: str, version: str | None) -> LoadedModel:
        """The champion, when it is what is asked for."""
        if model != name:
            raise HTTPException(404, f"expected the model {name}: there is no other here")
        champion = service.champion
        if version not in (None, champion.version.version):
            raise HTTPException(404, f"expected version {champion.version.version}, which is champion now, or no version")
        return champion

    return routes


def read(headers: Mapping[str, str], body: bytes) -> Asked:
    """An inference request from its JSON and the bytes behind it; `Invalid` where it is not as the protocol says."""
    length = headers.get(HEADER_LENGTH, str(len(body)))
    if not length.isascii() or not length.isdigit() or int(length[:20]) > len(body):
        raise Invalid(HEADER_LENGTH, "the number of bytes of the body that are JSON")
    head, binary = json_object(body[: int(length)]), body[int(length) :]
    parameters = _parameters(head, "body")
    if not isinstance(head.get("id"), str | None):
        raise Invalid("body.id", "a string")
    is_binary = parameters.get("binary_data_output", False)
    return Asked(_texts(head, binary), _outputs(head, is_binary is True), head.get("id"))


def answer(asked: Asked, answered: Answered) -> Response:
    """The outputs that were asked for, those as bytes behind the JSON that were asked for so."""
    tensors, behind = [], []
    for (name, is_binary), shown in ((output, next(each for each in OUTPUTS if each["name"] == output.name)) for output in asked.outputs):
        values = answered.labels if name == "label" else answered.probabilities
        tensor = {**shown, "shape": [len(asked.texts), *shown["shape"][1:]]}
        if is_binary:
            behind.append(_elements(values) if name == "label" else np.ascontiguousarray(values, dtype="<f4").tobytes())
            tensor["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            tensor["data"] = values if name == "label" else values.ravel().tolist()
        tensors.append(tensor)
    version = answered.model.version
    described = {"model_name": answered.model.name, "model_version": version.version, "parameters": {"run_id": version.run_id}, "outputs": tensors}
    head = json.dumps(described | ({} if asked.id is None else {"id": asked.id})).encode()
    if not behind:
        return Response(head, media_type="application/json")
    return Response(b"".join([head, *behind]), media_type="application/octet-stream", headers={HEADER_LENGTH: str(len(head))})


def _texts(head: dict, binary: bytes) -> list[str]:
    where = "body.inputs[0]"
    tensors = head.get("inputs")
    if not isinstance(tensors, list) or len(tensors) != 1 or not isinstance(tensors[0], dict) or tensors[0].get("name") != INPUT["name"]:
        raise Invalid("body.inputs", f'one tensor, named "{INPUT["name"]}"')
    tensor = tensors[0]
    if tensor.get("datatype") != INPUT["datatype"]:
        raise Invalid(f"{where}.datatype", f"{INPUT['datatype']}, a string a text")
    parameters = _parameters(tensor, where)
    if set(parameters) - {"binary_data_size"}:
        raise Invalid(f"{where}.parameters", "none but binary_data_size: shared memory is not read here")
    size = parameters.get("binary_data_size", 0)
    if ("binary_data_size" in parameters) == ("data" in tensor) or type(size) is not int or size != len(binary):
        raise Invalid(where, "data, or parameters.binary_data_size with as many bytes behind the JSON")
    texts = texts_in(_strings(binary) if "binary_data_size" in parameters else tensor["data"], f"{where}.data")
    if tensor.get("shape") != [len(texts)]:
        raise Invalid(f"{where}.shape", "[n], n being the number of texts")
    return texts


def _outputs(head: dict, is_binary: bool) -> list[Output]:
    asked = head.get("outputs") or list(OUTPUTS)
    if not isinstance(asked, list) or len(asked) > len(OUTPUTS):
        raise Invalid("body.outputs", f"a list of at most {len(OUTPUTS)} tensors")
    return [_output(each, f"body.outputs[{place}]", is_binary) for place, each in enumerate(asked)]


def _output(asked: object, where: str, is_binary: bool) -> Output:
    names = [output["name"] for output in OUTPUTS]
    if not isinstance(asked, dict) or asked.get("name") not in names:
        raise Invalid(f"{where}.name", f"one of {', '.join(names)}")
    parameters = _parameters(asked, where)
    if set(parameters) - {"binary_data"}:
        raise Invalid(f"{where}.parameters", "none but binary_data: neither classification nor shared memory is done here")
    return Output(asked["name"], parameters.get("binary_data", is_binary) is True)


def _parameters(owner: dict, where: str) -> dict:
    parameters = owner.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise Invalid(f"{where}.parameters", "an object")
    return parameters


def _strings(binary: bytes) -> list[str]:
    """The elements of a BYTES tensor: each its length as four bytes, little-endian, and so many bytes of UTF-8."""
    texts, start = [], 0
    while start < len(binary) and len(texts) <= MAX_TEXTS:
        try:
            (length,) = struct.unpack_from("<I", binary, start)
            element = binary[start + 4 : start + 4 + length]
            texts.append(element.decode())
        except (struct.error, UnicodeDecodeError):
            raise Invalid(f"text[{len(texts)}]", "a length as four bytes, little-endian, and then UTF-8") from None
        if len(element) != length:
            raise Invalid(f"text[{len(texts) - 1}]", "as many bytes as its length says")
        start += 4 + length
    return texts


def _elements(texts: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in (text.encode() for text in texts))


def _decompressed(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """``body`` as it was before ``encoding``; 413 as soon as it would be more than ``most_bytes``: a small body may hold gigabytes."""
    if encoding == "identity":
        return body
    if encoding not in _WINDOW_BITS:
        raise HTTPException(415, f"expected no Content-Encoding, or one of {', '.join(_WINDOW_BITS)}")
    decoder = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        whole = decoder.decompress(body, most_bytes + 1)
    except zlib.error:
        raise Invalid("body", f"{encoding}, as its Content-Encoding says") from None
    if len(whole) > most_bytes:
        raise HTTPException(413, f"expected a body of at most {most_bytes} bytes, decompressed: send fewer texts at once")
    if not decoder.eof or decoder.unused_data:
        raise Invalid("body", f"{encoding} that is whole, and nothing after it")
    return whole


_PARAMETERS = {"type": "object", "properties": {"binary_data_output": {"type": "boolean"}}}
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape", "data"],
    "properties": {
        "name": {"const": "text"},
        "datatype": {"const": "BYTES"},
        "shape": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "integer", "minimum": 1, "maximum": TEXTS_SCHEMA["maxItems"]}},
        "data": TEXTS_SCHEMA,
    },
}
_ASKED_OUTPUT = {"type": "object", "required": ["name"], "properties": {"name": {"enum": [output["name"] for output in OUTPUTS]}}}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": _PARAMETERS,
        "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": _TENSOR},
        "outputs": {"type": "array", "maxItems": len(OUTPUTS), "items": _ASKED_OUTPUT},
    },
    "examples": [{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["The new patch is wonderful"]}]}],
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": _REQUEST}, "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
