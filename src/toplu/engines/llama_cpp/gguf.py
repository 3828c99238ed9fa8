"""Reads from a GGUF file which tokens of its vocabulary are marks and no text.

Source: the GGUF specification, github.com/ggml-org/ggml/blob/master/docs/gguf.md. A file is a
magic, a version, two counts, then pairs of a name and a typed value; all little-endian.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"GGUF"
HEADER = struct.Struct("<IQQ")  # version, tensors, pairs
NUMBERS = {
    code: struct.Struct(f"<{letter}")
    for code, letter in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
STRING, ARRAY = 8, 9
LENGTH = NUMBERS[10]
TYPE = NUMBERS[4]
TOKENS, TOKEN_TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
UNKNOWN, CONTROL = 2, 3  # the types that llama.cpp takes for marks wherever they stand
# Tokens that end an answer: of a text, of a turn, of a message that a tool goes on with.
ENDS = tuple(f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom"))
CHAT_TEMPLATE = "tokenizer.chat_template"
CONTEXT_LENGTH = ".context_length"  # behind the name of the architecture
WANTED = {TOKENS, TOKEN_TYPES, *ENDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The tokens of a model that are no text."""

    control_tokens: list[str]  # their texts
    end_tokens: list[int]  # their numbers, each once


def read_marks(path: Path) -> Marks:
    """Return the marks of the model; no control tokens if its vocabulary has no types.

    Raises ValueError if the file is no GGUF file of a version that is known.
    """
    found = _read_pairs(path, WANTED.__contains__)
    control_tokens = [
        token.decode(errors="replace")
        for token, kind in zip(found.get(TOKENS, ()), found.get(TOKEN_TYPES, ()), strict=False)
        if kind in (UNKNOWN, CONTROL)
    ]
    ends = sorted({found[name] for name in ENDS if name in found})
    return Marks(control_tokens=control_tokens, end_tokens=ends)


def read_context_tokens(path: Path) -> int | None:
    """Return how many tokens the model was made to read; None: the file does not say.

    Raises ValueError as `read_marks` does.
    """
    lengths = _read_pairs(path, lambda name: name.endswith(CONTEXT_LENGTH))
    return next((int(value) for value in lengths.values()), None)


def read_chat_template(path: Path) -> bytes | None:
    """Return the chat template of the model, if it has one.

    Raises ValueError as `read_marks` does.
    """
    template = _read_pairs(path, CHAT_TEMPLATE.__eq__).get(CHAT_TEMPLATE)
    return None if template is None else bytes(template)


def _read_pairs(path: Path, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """Return the pairs whose names are wanted."""
    found: dict[str, Any] = {}
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError(f"{path} is not a GGUF file")
        version, _, pairs = HEADER.unpack(file.read(HEADER.size))
        if version not in (2, 3):
            raise ValueError(f"{path} has the unknown GGUF version {version}")
        for _ in range(pairs):
            name = _read_string(file).decode()
            value = _read_value(file, _read_number(file, TYPE))
            if wanted(name):
                found[name] = value
    return found


def _read_value(file: BinaryIO, kind: int) -> Any:
    if kind == STRING:
        return _read_string(file)
    if kind != ARRAY:
        return _read_number(file, NUMBERS[kind])
    item_kind = _read_number(file, TYPE)
    count = _read_number(file, LENGTH)
    if item_kind in NUMBERS:
        item = NUMBERS[item_kind]
        return [value for (value,) in item.iter_unpack(file.read(count * item.size))]
    return [_read_value(file, item_kind) for _ in range(count)]


def _read_string(file: BinaryIO) -> bytes:
    return file.read(_read_number(file, LENGTH))


def _read_number(file: BinaryIO, form: struct.Struct) -> Any:
    (value,) = form.unpack(file.read(form.size))
    return value
