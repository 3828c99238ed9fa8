"""Writes a sentence encoder of the BERT family as an ONNX graph, from its safetensors.

    input_ids, attention_mask ──▶ embeddings ──▶ layers ──▶ mean of the tokens ──▶ length one

No PyTorch and no exporter: the architecture is some thirty operators, and written here it is
small enough to be compared with the model's paper. Padding is masked out, so a text's vector
does not depend on how long its neighbours are.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from toplu.engines.onnx.model_file import FLOAT, INT64, graph, node, tensor, value_info, write_model

# A graph that is written differently gets another number, and so another file.
GRAPH_VERSION = 2
OPSET = 20
IR_VERSION = 9
MASKED = 1e9  # taken from the score of a padding token, whose weight is then zero


class EncoderShape(msgspec.Struct, frozen=True, kw_only=True):
    """The architecture, as `config.json` has it."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float
    hidden_act: str
    model_type: str


def build_graph(weights: Path, config: Path, target: Path) -> None:
    """Write the graph with its weights to `target`, whole or not at all."""
    from safetensors.numpy import load_file

    shape = msgspec.convert(json.loads(config.read_text("utf-8")), EncoderShape)
    if (shape.model_type, shape.hidden_act) != ("bert", "gelu"):
        raise ValueError(f"{config}: is {shape.model_type} with {shape.hidden_act}, not BERT")
    pieces = _Graph(shape, load_file(weights)).finish()
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            write_model(file, pieces, ir_version=IR_VERSION, opset=OPSET)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


class _Graph:
    """The graph in the making: operators, and the constants that they take."""

    def __init__(self, shape: EncoderShape, tensors: dict[str, Any]) -> None:
        self._shape = shape
        self._tensors = tensors
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def finish(self) -> list[bytes]:
        """Return the pieces of the graph."""
        mask = self._operator("Cast", "attention_mask", to=FLOAT)
        tokens = self._embed_tokens()
        padding = self._operator("Mul", self._operator("Sub", mask, self._number(1)), MASKED)
        padding = self._operator("Unsqueeze", padding, self._integers(1, 2))
        for layer in range(self._shape.num_hidden_layers):
            tokens = self._encode(tokens, padding, f"encoder.layer.{layer}")
        self._pool(tokens, mask)
        ids = ("input_ids", "attention_mask")
        return graph(
            "sentence-encoder",
            nodes=self._nodes,
            constants=self._constants,
            inputs=[value_info(name, INT64, ("texts", "tokens")) for name in ids],
            outputs=[value_info("embedding", FLOAT, ("texts", self._shape.hidden_size))],
        )

    def _embed_tokens(self) -> str:
        words = self._operator("Gather", self._weight("embeddings.word_embeddings"), "input_ids")
        length = self._operator("Shape", "input_ids", start=1, end=2)
        places = self._operator(
            "Slice",
            self._weight("embeddings.position_embeddings"),
            self._integers(0),
            length,
            self._integers(0),
        )
        kind = self._constant(self._tensors["embeddings.token_type_embeddings.weight"][0])
        tokens = self._operator("Add", self._operator("Add", words, places), kind)
        return self._normalise(tokens, "embeddings.LayerNorm")

    def _encode(self, tokens: str, padding: str, layer: str) -> str:
        """Add one layer: attention, then the feed-forward part, each beside a way around it."""
        seen = self._attend(tokens, padding, f"{layer}.attention")
        tokens = self._operator("Add", tokens, seen)
        tokens = self._normalise(tokens, f"{layer}.attention.output.LayerNorm")
        wide = self._operator("Gelu", self._project(tokens, f"{layer}.intermediate.dense"))
        tokens = self._operator("Add", tokens, self._project(wide, f"{layer}.output.dense"))
        return self._normalise(tokens, f"{layer}.output.LayerNorm")

    def _attend(self, tokens: str, padding: str, attention: str) -> str:
        head_size = self._shape.hidden_size // self._shape.num_attention_heads
        query = self._heads(tokens, f"{attention}.self.query", (0, 2, 1, 3))
        key = self._heads(tokens, f"{attention}.self.key", (0, 2, 3, 1))
        value = self._heads(tokens, f"{attention}.self.value", (0, 2, 1, 3))
        scores = self._operator("MatMul", query, key)
        scores = self._operator("Mul", scores, self._number(head_size**-0.5))
        shares = self._operator("Softmax", self._operator("Add", scores, padding), axis=-1)
        seen = self._operator("MatMul", shares, value)
        seen = self._operator("Transpose", seen, perm=(0, 2, 1, 3))
        seen = self._operator("Reshape", seen, self._integers(0, 0, self._shape.hidden_size))
        return self._project(seen, f"{attention}.output.dense")

    def _heads(self, tokens: str, name: str, order: tuple[int, ...]) -> str:
        heads = self._shape.num_attention_heads
        shape = self._integers(0, 0, heads, self._shape.hidden_size // heads)
        split = self._operator("Reshape", self._project(tokens, name), shape)
        return self._operator("Transpose", split, perm=order)

    def _pool(self, tokens: str, mask: str) -> None:
        """End with the mean of the tokens that are no padding, at length one."""
        real = self._operator("Mul", tokens, self._operator("Unsqueeze", mask, self._integers(2)))
        total = self._operator("ReduceSum", real, self._integers(1), keepdims=0)
        count = self._operator("ReduceSum", mask, self._integers(1), keepdims=1)
        mean = self._operator("Div", total, count)
        length = self._operator("ReduceL2", mean, self._integers(1), keepdims=1)
        self._operator("Div", mean, length, output="embedding")

    def _project(self, tokens: str, name: str) -> str:
        # safetensors keeps a matrix as PyTorch multiplies it: from the right, transposed.
        matrix = self._constant(self._tensors[f"{name}.weight"].T)
        product = self._operator("MatMul", tokens, matrix)
        return self._operator("Add", product, self._constant(self._tensors[f"{name}.bias"]))

    def _normalise(self, tokens: str, name: str) -> str:
        scale = self._weight(name)
        offset = self._constant(self._tensors[f"{name}.bias"])
        epsilon = self._shape.layer_norm_eps
        return self._operator("LayerNormalization", tokens, scale, offset, axis=-1, epsilon=epsilon)

    def _operator(
        self, kind: str, *inputs: str | float, output: str | None = None, **attributes: Any
    ) -> str:
        """Add an operator; return the name of what comes out."""
        name = output or f"value{len(self._nodes)}"
        names = [put if isinstance(put, str) else self._number(put) for put in inputs]
        self._nodes.append(node(kind, names, name, attributes))
        return name

    def _weight(self, name: str) -> str:
        return self._constant(self._tensors[f"{name}.weight"])

    def _number(self, value: float) -> str:
        import numpy as np

        return self._constant(np.array(value, np.float32))

    def _integers(self, *values: int) -> str:
        import numpy as np

        return self._constant(np.array(values, np.int64))

    def _constant(self, value: Any) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(tensor(name, value))
        return name
