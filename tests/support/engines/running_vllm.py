"""A real vLLM in a process of its own; it is not a part of toplu, so it has its own packages."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from support.server import clean_environment
from support.waiting import eventually

HOME = Path(__file__).parents[3] / ".vllm"
MODEL = "smol"
CONTEXT_TOKENS = 2048
STOP_SECONDS = 60
OPTIONS = [
    "--served-model-name",
    MODEL,
    "--host",
    "127.0.0.1",
    "--max-model-len",
    str(CONTEXT_TOKENS),
    "--max-num-seqs",
    "8",
    "--enforce-eager",
    # Without instructions for bfloat16, which few CPUs have, it is seven times slower.
    "--dtype",
    "float32",
    # The CPU build breaks down where a prompt of a seeded request is read in parts.
    "--no-enable-chunked-prefill",
    "--max-num-batched-tokens",
    str(CONTEXT_TOKENS),
]
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "2",
    # Threads that wait are not to spin where cores are shared.
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
}


@contextmanager
def running_vllm(folder: Path, *options: str) -> Iterator[str]:
    """Yield the URL of its API, with `/v1`."""
    if not (HOME / "ready").exists():
        pytest.fail("vLLM is missing: make .vllm/ready")
    port = _free_port()
    command = [str(HOME / "bin" / "vllm"), "serve", str(HOME / "model"), "--port", str(port)]
    environment = clean_environment() | ENVIRONMENT
    environment.pop("PYTHONPATH", None)
    with (folder / "vllm.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *OPTIONS, *options], env=environment, stdout=log, stderr=log
        )
    try:
        eventually(lambda: _is_healthy(f"http://127.0.0.1:{port}/health", process))
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _is_healthy(url: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "vLLM has ended"
    try:
        with urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
