"""The child process that loads one embedding model and answers its parent, group after group.

    parent ── stdin: one line of EmbedderParameters ──▶ child
           ◀── stdout: one line of EmbedderReady ──────
           ── stdin: frames of TextGroup ─────────────▶
           ◀── stdout: frames of VectorGroup ──────────
           ── stdin: end of file ──▶ exit

A frame is its length in four bytes, then MessagePack. The end of stdin is the only signal that
it obeys: it comes when the parent dies in whatever way.
"""

import hashlib
import os
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from toplu.disk_faults import is_disk_fault
from toplu.engines.onnx.minilm_graph import GRAPH_VERSION, build_graph
from toplu.engines.onnx.packing import pack

FRAME_LENGTH = struct.Struct(">I")
# Tokens and padding that one run computes. A larger one took longer per token, on two cores.
PADDED_TOKENS_MAX = 1024
# Vectors are single precision; further decimals would be noise that every result carries.
DECIMALS = 9


class EmbedderParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The model to load; `tokenizer.json` and `config.json` lie beside the weights."""

    weights: str
    sha256: str | None  # of the weights; None: to be found out
    graph_folder: str  # where the graph is, or is put
    tokens_max: int  # of a text; what is beyond is cut
    dimensions: int
    threads: int | None  # None: every core


class EmbedderReady(msgspec.Struct, frozen=True, kw_only=True):
    """That the model is loaded."""

    dimensions: int


class TextGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Texts that are to become vectors."""

    number: int
    texts: list[str]


class VectorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to the group of that number, or why there is none."""

    number: int
    values: bytes = b""  # doubles, one vector after another
    tokens: list[int] = []
    were_cut: list[bool] = []
    error: str | None = None


class Model:
    """A tokenizer and a graph, loaded."""

    def __init__(self, parameters: EmbedderParameters) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        weights = Path(parameters.weights)
        self._tokenizer = Tokenizer.from_file(str(weights.with_name("tokenizer.json")))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(parameters.tokens_max)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = parameters.threads or _core_count()
        # A thread that waits burning takes the core from threads that have work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = ready_graph(parameters)
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )
        found = self._session.get_outputs()[0].shape[-1]
        if found != parameters.dimensions:
            raise ValueError(f"the model has {found} dimensions, not {parameters.dimensions}")

    def embed(self, group: TextGroup) -> VectorGroup:
        """Return the vectors, computed in runs of texts that are about as long as each other."""
        import numpy as np

        encodings = self._tokenizer.encode_batch(group.texts)
        lengths = [len(encoding.ids) for encoding in encodings]
        width = self._session.get_outputs()[0].shape[-1]
        values = np.empty((len(encodings), width), np.float64)
        for run in pack(lengths, PADDED_TOKENS_MAX):
            values[run] = self._run([encodings[index].ids for index in run])
        return VectorGroup(
            number=group.number,
            values=np.round(values, DECIMALS).tobytes(),
            tokens=lengths,
            were_cut=[bool(encoding.overflowing) for encoding in encodings],
        )

    def _run(self, texts: Sequence[Sequence[int]]) -> Any:
        import numpy as np

        ids = np.zeros((len(texts), max(map(len, texts))), np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


def ready_graph(parameters: EmbedderParameters) -> Path:
    """Return the graph of these very weights, built if it is not there."""
    weights = Path(parameters.weights)
    digest = parameters.sha256
    if digest is None:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    graph = Path(parameters.graph_folder) / f"graph-{GRAPH_VERSION}-{digest[:16]}.onnx"
    if not graph.is_file():
        build_graph(weights, weights.with_name("config.json"), graph)
    return graph


def run_child() -> None:
    """Load, report, and answer until stdin ends; exit with a code if the model cannot be loaded."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    parameters = msgspec.json.decode(source.readline(), type=EmbedderParameters)
    try:
        model = Model(parameters)
    except Exception as error:  # noqa: BLE001  # whatever the libraries raise, the operator reads
        sys.stderr.write(f"{parameters.weights}: {error}\n")
        sys.exit(os.EX_IOERR if is_disk_fault(error) else 1)
    target.write(msgspec.json.encode(EmbedderReady(dimensions=parameters.dimensions)) + b"\n")
    target.flush()
    decoder = msgspec.msgpack.Decoder(TextGroup)
    while (frame := read_frame(source)) is not None:
        answer = _answer(model, decoder.decode(frame))
        target.write(frame_of(answer))
        target.flush()


def _answer(model: Model, group: TextGroup) -> VectorGroup:
    try:
        return model.embed(group)
    except Exception as error:  # noqa: BLE001  # it is the outcome of this group, not of others
        return VectorGroup(number=group.number, error=f"{type(error).__name__}: {error}")


def frame_of(message: TextGroup | VectorGroup) -> bytes:
    """Return the message as it travels."""
    body = msgspec.msgpack.encode(message)
    return FRAME_LENGTH.pack(len(body)) + body


def read_frame(source: BinaryIO) -> bytes | None:
    """Return the next frame's body, or None at the end."""
    head = source.read(FRAME_LENGTH.size)
    if len(head) < FRAME_LENGTH.size:
        return None
    (length,) = FRAME_LENGTH.unpack(head)
    body = source.read(length)
    return body if len(body) == length else None


def _core_count() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    run_child()
