"""all-MiniLM-L6-v2 as llama.cpp reads it, written from the weights that our own embedder reads."""

import json
from pathlib import Path

import gguf
from safetensors.numpy import load_file

TOKENS_MAX = 512
LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
EMBEDDINGS = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
}


def write_minilm(weights: Path, target: Path) -> Path:
    """Write the model; `config.json` and `tokenizer.json` lie beside the weights."""
    config = json.loads(weights.with_name("config.json").read_text())
    vocabulary = json.loads(weights.with_name("tokenizer.json").read_text())["model"]["vocab"]
    names = EMBEDDINGS | {
        f"encoder.layer.{layer}.{name}": f"blk.{layer}.{short}"
        for layer in range(config["num_hidden_layers"])
        for name, short in LAYER.items()
    }
    writer = gguf.GGUFWriter(target, "bert")
    writer.add_context_length(TOKENS_MAX)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(config["type_vocab_size"])
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer.add_token_list([_as_phrase(token) for token in tokens])
    writer.add_token_types(
        [gguf.TokenType.CONTROL if _is_mark(token) else gguf.TokenType.NORMAL for token in tokens]
    )
    writer.add_unk_token_id(vocabulary["[UNK]"])
    writer.add_sep_token_id(vocabulary["[SEP]"])
    writer.add_pad_token_id(vocabulary["[PAD]"])
    writer.add_mask_token_id(vocabulary["[MASK]"])
    writer.add_bos_token_id(vocabulary["[CLS]"])
    writer.add_eos_token_id(vocabulary["[SEP]"])
    for name, tensor in load_file(weights).items():
        stem, _, kind = name.rpartition(".")
        if stem in names:
            writer.add_tensor(f"{names[stem]}.{kind}", tensor.astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _is_mark(token: str) -> bool:
    return token.startswith("[") and token.endswith("]") and len(token) > 2


def _as_phrase(token: str) -> str:
    """Return a word piece as llama.cpp writes it: the beginning of a word has a mark."""
    if _is_mark(token):
        return token
    return token.removeprefix("##") if token.startswith("##") else f"\u2581{token}"
