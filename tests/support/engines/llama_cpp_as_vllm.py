"""A program with vLLM's command line, as far as toplu uses it, and llama.cpp's server behind it.

Real vLLM is in `tests/vllm`, which few machines have room for. This one answers from the model
whose file is in the folder; an option that it does not know ends it, as vLLM does.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

LANES = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="vllm")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("folder", type=Path)
    for option in ("host", "served-model-name", "scheduling-policy"):
        parser.add_argument(f"--{option}", required=True)
    for option in ("port", "max-model-len", "tensor-parallel-size"):
        parser.add_argument(f"--{option}", required=True, type=int)
    parser.add_argument("--enable-prompt-tokens-details", action="store_true")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = _serve(asked)
    print("llama.cpp listens", file=sys.stderr)
    threading.Event().wait()
    del server


def _serve(asked: argparse.Namespace) -> object:
    import xllamacpp

    (file,) = asked.folder.glob("*.gguf")
    common = xllamacpp.CommonParams()
    common.model.path = str(file)
    common.n_parallel = LANES
    common.cpuparams.n_threads = common.cpuparams_batch.n_threads = 1
    common.n_ctx = LANES * asked.max_model_len
    common.n_batch = common.n_ubatch = asked.max_model_len
    common.hostnames = [asked.host]
    common.port = asked.port
    common.api_keys = [os.environ["VLLM_API_KEY"]]  # noqa: TID251  # as vLLM reads it
    common.ui = False
    common.verbosity = 1
    return xllamacpp.Server(common)


if __name__ == "__main__":
    main()
