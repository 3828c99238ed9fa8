"""all-MiniLM-L6-v2 in plain numpy, in double precision: what the ONNX graph is compared with.

    PYTHONPATH=tests python -m support.engines.minilm_reference

writes `minilm_reference.json` again: the vectors of SENTENCES, computed one sentence at a time, so
without any padding, from the same safetensors and tokenizer as the engine's. Nothing is shared
with the engine's code but those two files.
"""

import json
import math
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

VECTORS = Path(__file__).with_name("minilm_reference.json")
TOKENS_MAX = 256
LAYERS, HEADS = 6, 12
EPSILON = 1e-12

SENTENCES = [
    "Hello world",
    "The quick brown fox jumps over the lazy dog.",
    "A fast brown fox leaps over a sleepy dog.",
    "Interest rates rose again in the third quarter, said the central bank.",
    "Der Hund schläft unter dem großen Tisch in der Küche.",
    "Le café était fermé, alors nous sommes rentrés à pied.",
    "猫はソファの上で眠っています。",
    "Отправьте письмо до пятницы.",
    "def add(a, b):\n    return a + b  # the sum",
    "I ❤️ 🍕 and 🏄‍♀️!",
    "x",
    "WHY ARE WE SHOUTING??? 12,345.67 km/h",
    "the history of the city goes back to the romans and further " * 40,
]


class ReferenceMiniLm:
    """The encoder, sentence by sentence."""

    def __init__(self, folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        self._tensors = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(TOKENS_MAX)

    def embed(self, sentence: str) -> np.ndarray:
        ids = self._tokenizer.encode(sentence).ids
        states = self._get("embeddings.word_embeddings.weight")[ids]
        states = states + self._get("embeddings.position_embeddings.weight")[: len(ids)]
        states = states + self._get("embeddings.token_type_embeddings.weight")[0]
        states = self._norm(states, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            states = self._layer(states, f"encoder.layer.{layer}")
        mean = states.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _layer(self, states: np.ndarray, name: str) -> np.ndarray:
        query, key, value = (
            np.split(self._linear(states, f"{name}.attention.self.{part}"), HEADS, axis=1)
            for part in ("query", "key", "value")
        )
        seen = []
        for q, k, v in zip(query, key, value, strict=True):
            scores = q @ k.T / math.sqrt(q.shape[1])
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            seen.append(weights / weights.sum(axis=1, keepdims=True) @ v)
        attended = self._linear(np.concatenate(seen, axis=1), f"{name}.attention.output.dense")
        states = self._norm(states + attended, f"{name}.attention.output.LayerNorm")
        wide = self._linear(states, f"{name}.intermediate.dense")
        wide = wide * (1 + np.vectorize(math.erf)(wide / math.sqrt(2))) / 2
        wide = self._linear(wide, f"{name}.output.dense")
        return self._norm(states + wide, f"{name}.output.LayerNorm")

    def _linear(self, states: np.ndarray, name: str) -> np.ndarray:
        return states @ self._get(f"{name}.weight").T + self._get(f"{name}.bias")

    def _norm(self, states: np.ndarray, name: str) -> np.ndarray:
        centred = states - states.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPSILON)
        return centred / spread * self._get(f"{name}.weight") + self._get(f"{name}.bias")

    def _get(self, name: str) -> np.ndarray:
        return self._tensors[name]


def main() -> None:
    from toplu.models import sources as model_source
    from toplu.settings.server import DEFAULT_EMBEDDER, Settings

    weights = model_source.locate(DEFAULT_EMBEDDER, Settings().model_dir)
    assert weights is not None, "run `make model` first"
    model = ReferenceMiniLm(weights.parent)
    lines = [
        json.dumps(
            {"text": text, "values": [round(float(value), 7) for value in model.embed(text)]},
            ensure_ascii=False,
        )
        for text in SENTENCES
    ]
    VECTORS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
