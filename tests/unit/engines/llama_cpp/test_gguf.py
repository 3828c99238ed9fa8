import struct
from pathlib import Path

import pytest

from toplu.engines.llama_cpp.gguf import Marks, read_chat_template, read_marks

TEXT, ARRAY, UINT32, INT32, FLOAT64 = 8, 9, 4, 5, 12


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def pair(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def array(kind: int, count: int, items: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + items


def written(path: Path, *pairs: bytes, version: int = 3) -> Path:
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, 7, len(pairs)) + b"".join(pairs))
    return path


def vocabulary(**types: int) -> list[bytes]:
    tokens = array(TEXT, len(types), b"".join(map(text, types)))
    kinds = array(INT32, len(types), struct.pack(f"<{len(types)}i", *types.values()))
    return [
        pair("tokenizer.ggml.tokens", ARRAY, tokens),
        pair("tokenizer.ggml.token_type", ARRAY, kinds),
    ]


def test_the_marks_of_a_vocabulary_are_found_among_other_pairs(tmp_path: Path) -> None:
    nested = array(ARRAY, 1, array(TEXT, 2, text("a") + text("b")))
    file = written(
        tmp_path / "model.gguf",
        pair("general.name", TEXT, text("größe")),
        pair("general.scale", FLOAT64, struct.pack("<d", 0.5)),
        pair("general.nested", ARRAY, nested),
        *vocabulary(word=1, unk=2, end=3, user_defined=4, start=3),
        pair("tokenizer.ggml.eot_token_id", UINT32, struct.pack("<I", 7)),
        pair("tokenizer.ggml.bos_token_id", UINT32, struct.pack("<I", 4)),
        pair("tokenizer.ggml.eos_token_id", UINT32, struct.pack("<I", 2)),
    )
    assert read_marks(file) == Marks(control_tokens=["unk", "end", "start"], end_tokens=[2, 7])


def test_a_model_without_types_has_no_marks(tmp_path: Path) -> None:
    file = written(tmp_path / "model.gguf", vocabulary(a=3)[0])
    assert read_marks(file) == Marks(control_tokens=[], end_tokens=[])


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"GGU")
    with pytest.raises(ValueError, match="not a GGUF file"):
        read_marks(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="version 1"):
        read_marks(written(tmp_path / "old.gguf", version=1))


def test_the_chat_template_is_read_as_it_is(tmp_path: Path) -> None:
    template = pair("tokenizer.chat_template", TEXT, text("{{ messages }}"))
    file = written(tmp_path / "model.gguf", *vocabulary(a=1), template)
    assert read_chat_template(file) == b"{{ messages }}"
    assert read_chat_template(written(tmp_path / "none.gguf", *vocabulary(a=1))) is None
