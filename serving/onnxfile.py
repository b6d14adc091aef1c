"""What an ONNX file says about itself, read from its bytes: serving has no onnx package, and ONNX Runtime loads before one can ask.

Reads the protobuf fields by number (onnx.proto3, ONNX 1.23), skipping the weights. Refuses, with ValueError, what is no protobuf message.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5

# message -> field number -> the message in it; what is not named here is passed over
_MODEL = {7: "graph", 20: "training", 25: "function"}
_GRAPH = {1: "node", 5: "tensor", 15: "sparse"}
_WITHIN = {
    "model": _MODEL,
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": _GRAPH,
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_DIMS, _NAME, _EXTERNAL_DATA, _DATA_LOCATION = 1, 8, 13, 14
_MOST_DEEP = 64


@dataclass
class OnnxFile:
    """Names of tensors whose weights lie outside of the file, and the rows of every table that tokens are looked up in."""

    external: list[str] = field(default_factory=list)
    table_rows: set[int] = field(default_factory=set)


def read(path: Path) -> OnnxFile:
    """`OnnxFile` of the file at ``path``."""
    found, shapes, looked_up = OnnxFile(), {}, set()
    with open(path, "rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))  # freed with the last view of it
    for kind, message in _messages(whole, "model", 0):
        if kind == "tensor":
            _tensor(message, found, shapes)
        elif kind == "node":
            inputs = [bytes(value).decode() for number, value in _fields(message) if number == 1]
            operator = next((bytes(value) for number, value in _fields(message) if number == 4), b"")
            if operator == b"Gather" and inputs:
                looked_up.add(inputs[0].removesuffix("_DequantizeLinear_Output").removesuffix("_quantized"))
    found.table_rows = {dims[0] for name, dims in shapes.items() if len(dims) == 2 and name.removesuffix("_quantized") in looked_up}
    return found


def _tensor(message: memoryview, found: OnnxFile, shapes: dict[str, list[int]]) -> None:
    name, dims, is_external = "", [], False
    for number, value in _fields(message):
        if number == _NAME:
            name = bytes(value).decode()
        elif number == _DIMS:
            dims += [value] if isinstance(value, int) else list(_packed(value))
        elif number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value):
            is_external = True
    if is_external:
        found.external.append(name)
    shapes[name] = dims


def _messages(view: memoryview, kind: str, depth: int) -> Iterator[tuple[str, memoryview]]:
    if depth > _MOST_DEEP:
        raise ValueError("graphs within graphs without end")
    for number, value in _fields(view):
        within = _WITHIN[kind].get(number)
        if within and not isinstance(value, int):
            yield within, value
            yield from _messages(value, within, depth + 1)


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, number or bytes) of a message, in its order."""
    place = 0
    while place < len(view):
        key, place = _varint(view, place)
        wire = key & 7
        if wire == _VARINT:
            value, place = _varint(view, place)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            size, place = _varint(view, place)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {wire} at byte {place}")
        if place + size > len(view):
            raise ValueError(f"a field of {size} bytes at byte {place}, the file is cut off")
        yield key >> 3, view[place : place + size]
        place += size


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(view) and shift < 70:
        byte = view[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError(f"a number that does not end at byte {place}")


def _packed(view: memoryview) -> Iterator[int]:
    place = 0
    while place < len(view):
        value, place = _varint(view, place)
        yield value
