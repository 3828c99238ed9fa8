"""llama.cpp's own HTTP server as a process that another runs, on a port of its own."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from support.engines.minilm_gguf import write_minilm
from support.ports import free_port
from toplu.models.fetching import pull
from toplu.settings.server import DEFAULT_EMBEDDER, DEFAULT_MODEL, ModelSettings, Settings

# SmolLM2's own template has no place for functions; this one has it where Qwen's models have it.
TOOLS_TEMPLATE = Path(__file__).with_name("qwen_tools.jinja")
TESTS = Path(__file__).parents[2]
KEY = "a-key-that-the-operator-knows"
CONTEXT_TOKENS = 512
LANES = 2


class ListeningLlamaCpp:
    """It may be killed and started again; its address stays."""

    def __init__(self, *modes: str) -> None:
        self._modes = modes
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> Self:
        """Return when it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, str(self.port), *self._modes],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()


@contextmanager
def listening_llama_cpp(*modes: str) -> Iterator[ListeningLlamaCpp]:
    """Yield a server that listens.

    Of its modes, `embeddings` makes MiniLM's vectors, `unified` has one cache for all,
    `tools` knows functions.
    """
    server = ListeningLlamaCpp(*modes).start()
    try:
        yield server
    finally:
        server.kill()


def _pulled(model: ModelSettings) -> Path:
    return asyncio.run(pull(model, Settings()))


def _listen(port: int, modes: list[str], folder: Path) -> None:
    import xllamacpp

    common = xllamacpp.CommonParams()
    common.model.path = str(_pulled(DEFAULT_MODEL))
    common.n_parallel = LANES
    common.cpuparams.n_threads = common.cpuparams_batch.n_threads = 1
    common.n_ctx = LANES * CONTEXT_TOKENS
    common.n_batch = common.n_ubatch = CONTEXT_TOKENS
    common.kv_unified = "unified" in modes
    if "embeddings" in modes:
        common.embedding = True
        common.model.path = str(write_minilm(_pulled(DEFAULT_EMBEDDER), folder / "minilm.gguf"))
    if "tools" in modes:
        common.chat_template = TOOLS_TEMPLATE.read_text()
    common.hostnames = ["127.0.0.1"]
    common.port = port
    common.api_keys = [KEY]
    common.ui = False
    common.verbosity = 1
    server = xllamacpp.Server(common)
    print("ready", flush=True)
    sys.stdin.buffer.read()  # it ends with whoever started it
    del server


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        _listen(int(sys.argv[1]), sys.argv[2:], Path(made))
