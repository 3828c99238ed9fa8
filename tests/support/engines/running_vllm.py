"""A real vLLM in a process of its own; it is not a part of toplu, so it has its own packages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.ports import free_port
from support.running_program import running_program

HOME = Path(__file__).parents[3] / ".vllm"
MODEL = "smol"
CONTEXT_TOKENS = 2048
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


@dataclass(frozen=True, slots=True)
class RunningVllm:
    """A server that answers."""

    url: str  # without `/v1`
    pid: int


@contextmanager
def running_vllm(folder: Path, *options: str) -> Iterator[RunningVllm]:
    """Yield a server; what the options say goes before what is usual here."""
    if not (HOME / "ready").exists():
        pytest.fail("vLLM is missing: make .vllm/ready")
    port = free_port()
    command = [str(HOME / "bin" / "vllm"), "serve", str(HOME / "model"), "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running_program(
        [*command, *OPTIONS, *options],
        health_url=f"{url}/health",
        log=folder / "vllm.log",
        environment=ENVIRONMENT,
    ) as pid:
        yield RunningVllm(url, pid)
