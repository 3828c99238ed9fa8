"""A tiny CLIP projector with random weights for SmolLM2-135M.

With it llama.cpp really decodes, encodes and reads images; what the model then says of them means
nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

IMAGE_SIDE, PATCH_SIDE = 56, 14
IMAGE_TOKENS = (IMAGE_SIDE // PATCH_SIDE) ** 2
WIDTH, FEED_FORWARD, BLOCKS, HEADS = 64, 128, 2, 4
MODEL_WIDTH = 576  # of SmolLM2-135M
SPREAD = 0.02
SEED = 0


def write_projector(path: Path) -> Path:
    """Write the projector, the same bytes each time."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for name, value in {
        "image_size": IMAGE_SIDE,
        "patch_size": PATCH_SIDE,
        "embedding_length": WIDTH,
        "feed_forward_length": FEED_FORWARD,
        "projection_dim": MODEL_WIDTH,
        "block_count": BLOCKS,
        "attention.head_count": HEADS,
    }.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5] * 3)
    writer.add_array("clip.vision.image_std", [0.5] * 3)
    random = np.random.default_rng(SEED)
    for name, shape in _tensors():
        is_norm = "ln" in name.split(".")[-2] and name.endswith("weight")
        values = np.ones(shape) if is_norm else random.normal(0, SPREAD, shape)
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "v.class_embd", (WIDTH,)
    yield "v.patch_embd.weight", (WIDTH, 3, PATCH_SIDE, PATCH_SIDE)
    yield "v.position_embd.weight", (IMAGE_TOKENS + 1, WIDTH)
    yield from _layer("v.pre_ln", WIDTH)
    for block in range(BLOCKS):
        inside = f"v.blk.{block}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            yield from _layer(f"{inside}.{name}", WIDTH, WIDTH)
        yield from _layer(f"{inside}.ln1", WIDTH)
        yield from _layer(f"{inside}.ln2", WIDTH)
        yield from _layer(f"{inside}.ffn_down", FEED_FORWARD, WIDTH)
        yield from _layer(f"{inside}.ffn_up", WIDTH, FEED_FORWARD)
    yield from _layer("mm.0", MODEL_WIDTH, WIDTH)
    yield from _layer("mm.2", MODEL_WIDTH, MODEL_WIDTH)


def _layer(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]
