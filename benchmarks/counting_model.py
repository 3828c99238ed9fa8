"""A tiny Llama with random weights and the default model's vocabulary and chat template.

What it says means nothing, but it reads the same tokens and keeps the same prefixes in as many
lanes, some hundred times faster: enough where what is cached is counted, and nothing is timed.
"""

from pathlib import Path

import gguf
import numpy as np

from toplu.models import sources
from toplu.settings.server import DEFAULT_MODEL, Settings

WIDTH, FEED_FORWARD, BLOCKS, HEADS = 32, 64, 1, 1
SPREAD = 0.02
SEED = 0
ARCHITECTURE = "llama"
# What a token takes in a lane, over what it takes with the default model's 30 blocks of 3 heads of
# 64. A bound on memory has to shrink as much for as many prefixes to find room in it.
STATE_SHARE = (BLOCKS * WIDTH) / (30 * 3 * 64)
OURS = {
    "block_count": BLOCKS,
    "embedding_length": WIDTH,
    "feed_forward_length": FEED_FORWARD,
    "attention.head_count": HEADS,
    "attention.head_count_kv": HEADS,
    "rope.dimension_count": WIDTH // HEADS,
}


def write_counting_model(path: Path) -> Path:
    """Write the model, the same bytes each time."""
    source = sources.locate(DEFAULT_MODEL, Settings().model_dir)
    assert source is not None, "the default model is not here: run `make model`"
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    for name, field in reader.fields.items():
        own = name.removeprefix(f"{ARCHITECTURE}.")
        if name.startswith("GGUF.") or name in {"general.architecture", "general.file_type"}:
            continue
        if own in OURS:
            continue
        kind = field.types[0]
        sub_kind = field.types[-1] if kind is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type=sub_kind)
    for name, value in OURS.items():
        writer.add_uint32(f"{ARCHITECTURE}.{name}", value)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    vocabulary = len(reader.fields["tokenizer.ggml.tokens"].data)
    random = np.random.default_rng(SEED)
    for name, shape in _tensors(vocabulary):
        is_norm = name.endswith("norm.weight")
        values = np.ones(shape) if is_norm else random.normal(0, SPREAD, shape)
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(vocabulary: int) -> list[tuple[str, tuple[int, ...]]]:
    tensors: list[tuple[str, tuple[int, ...]]] = [
        ("token_embd.weight", (vocabulary, WIDTH)),
        ("output_norm.weight", (WIDTH,)),
    ]
    for block in range(BLOCKS):
        inside = f"blk.{block}"
        tensors += [(f"{inside}.{name}.weight", (WIDTH,)) for name in ("attn_norm", "ffn_norm")]
        tensors += [
            (f"{inside}.{name}.weight", (WIDTH, WIDTH))
            for name in ("attn_q", "attn_k", "attn_v", "attn_output")
        ]
        tensors += [
            (f"{inside}.ffn_gate.weight", (FEED_FORWARD, WIDTH)),
            (f"{inside}.ffn_up.weight", (FEED_FORWARD, WIDTH)),
            (f"{inside}.ffn_down.weight", (WIDTH, FEED_FORWARD)),
        ]
    return tensors
