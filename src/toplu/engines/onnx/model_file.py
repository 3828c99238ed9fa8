"""Writes an ONNX model, as far as our graphs use the format.

A model is one protobuf message: fields with a number and a wire type, one behind the other. The
numbers are those of onnx.proto, version 1.17 (onnx/onnx, `onnx/onnx.proto`). The package that has
them is 27 MB for these few; the tests hold what is written here to its checker.
"""

import struct
from collections.abc import Iterable
from typing import Any, BinaryIO

VARINT, LENGTH, FIXED32 = 0, 2, 5
FLOAT, INT64 = 1, 7  # TensorProto.DataType
FLOAT_ATTRIBUTE, INT_ATTRIBUTE, INTS_ATTRIBUTE = 1, 2, 7  # AttributeProto.AttributeType


def node(kind: str, inputs: Iterable[str], output: str, attributes: dict[str, Any]) -> bytes:
    """Return a NodeProto with its one output; attributes are int, float or tuples of int."""
    return b"".join(
        [
            *(_text(1, name) for name in inputs),
            _text(2, output),
            _text(4, kind),
            *(_message(5, _attribute(name, value)) for name, value in attributes.items()),
        ]
    )


def tensor(name: str, value: Any) -> bytes:
    """Return a TensorProto of a numpy array of 32-bit floats or 64-bit integers."""
    kinds = {"float32": FLOAT, "int64": INT64}
    little_endian = value.astype(value.dtype.newbyteorder("<"), copy=False)
    return b"".join(
        [
            *(_integer(1, size) for size in value.shape),
            _integer(2, kinds[value.dtype.name]),
            _text(8, name),
            _message(9, little_endian.tobytes()),
        ]
    )


def value_info(name: str, kind: int, shape: Iterable[str | int]) -> bytes:
    """Return a ValueInfoProto; a size that is a name is known when the model is asked."""
    sizes = b"".join(
        _message(1, _text(2, size) if isinstance(size, str) else _integer(1, size))
        for size in shape
    )
    of_tensor = _integer(1, kind) + _message(2, sizes)
    return _text(1, name) + _message(2, _message(1, of_tensor))


def graph(
    name: str,
    *,
    nodes: Iterable[bytes],
    constants: Iterable[bytes],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
) -> list[bytes]:
    """Return the pieces of a GraphProto, whose constants may be large."""
    return [
        *(_message(1, each) for each in nodes),
        _text(2, name),
        *(_message(5, each) for each in constants),
        *(_message(11, each) for each in inputs),
        *(_message(12, each) for each in outputs),
    ]


def write_model(file: BinaryIO, pieces: list[bytes], *, ir_version: int, opset: int) -> None:
    """Write a ModelProto with the graph of these pieces."""
    file.write(_integer(1, ir_version))
    file.write(_tag(7, LENGTH) + _varint(sum(map(len, pieces))))
    file.writelines(pieces)
    file.write(_message(8, _text(1, "") + _integer(2, opset)))


def _attribute(name: str, value: Any) -> bytes:
    match value:
        case int():
            given, kind = _integer(3, value), INT_ATTRIBUTE
        case float():
            given, kind = _tag(2, FIXED32) + struct.pack("<f", value), FLOAT_ATTRIBUTE
        case _:
            given, kind = b"".join(_integer(8, each) for each in value), INTS_ATTRIBUTE
    return _text(1, name) + given + _integer(20, kind)


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())


def _message(number: int, content: bytes) -> bytes:
    return _tag(number, LENGTH) + _varint(len(content)) + content


def _integer(number: int, value: int) -> bytes:
    return _tag(number, VARINT) + _varint(value & (1 << 64) - 1)


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:  # noqa: PLR2004  # seven bits a byte, and one that says there are more
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
