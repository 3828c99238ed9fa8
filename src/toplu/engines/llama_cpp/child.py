"""The child process that loads one model and lets llama.cpp's HTTP server listen for its parent.

    parent ── stdin: one line of ChildParameters ──▶ child
           ◀── stdout: one line of ChildReady ──────
           ◀═════ HTTP on loopback, with the key ═══▶
           ── stdin: end of file ──▶ exit

The end of stdin is the only signal that it obeys. It comes when the parent dies in whatever
way, and a Ctrl-C that reaches the whole process group leaves the drain to the parent.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec

from toplu.child_process import exit_with_parent
from toplu.engines.llama_cpp.gguf import read_marks

VERBOSITY_WARNINGS = 2
# How often a thread looks before it sleeps at each of a token's many barriers. By default it
# never sleeps, and whenever one core has something else to do all others wait burning: thirty
# times slower, measured on two cores. This many cost next to nothing on an idle machine.
SPIN_COUNT = "1000"
# Besides the requests of the lanes (one runs, one waits): counting of tokens and cancellations.
SPARE_CONNECTIONS = 8


class ChildParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The model to load; it comes by stdin because argv is readable by everybody."""

    model_path: str
    context_tokens: int  # per lane
    lanes: int
    threads: int | None  # None: every core
    api_key: str
    projector_path: str | None = None  # None: the model does not see
    port: int = 0  # 0: any that is free
    chat_template_path: str | None = None  # None: the model's own
    prefix_folder: str | None = None  # where states of lanes may be saved
    batch_tokens: int = 512  # of one step, for all lanes


class ChildReady(msgspec.Struct, frozen=True, kw_only=True):
    """The address of the loaded model, and the texts that it takes for marks of its template."""

    address: str
    control_tokens: list[str]
    end_tokens: list[int]


def connections_max(lanes: int) -> int:
    """Return how many connections the child serves at the same time."""
    return 2 * lanes + SPARE_CONNECTIONS


def run_child() -> None:
    """Load, report, and stay until stdin ends; exit with 1 if the model cannot be loaded."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    parameters = msgspec.json.decode(sys.stdin.buffer.readline(), type=ChildParameters)
    # The parent may die while the model is loading, so the watch begins before.
    watch = exit_with_parent()
    try:
        server = load_model(parameters)
        marks = read_marks(Path(parameters.model_path))
    except (RuntimeError, ValueError) as error:
        # An orderly exit, because llama.cpp writes its log, which has the cause, from a thread.
        sys.exit(f"{parameters.model_path}: {error}")
    ready = ChildReady(
        address=server.listening_address,
        control_tokens=marks.control_tokens,
        end_tokens=marks.end_tokens,
    )
    sys.stdout.buffer.write(msgspec.json.encode(ready) + b"\n")
    sys.stdout.buffer.flush()
    watch.join()


def load_model(parameters: ChildParameters) -> Any:
    """Return llama.cpp's server with the model loaded, or raise RuntimeError."""
    # libgomp reads this as it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # noqa: TID251  # libgomp's, not ours
    import xllamacpp

    for path in (parameters.model_path, parameters.projector_path):
        if path is not None and not Path(path).is_file():
            raise RuntimeError(f"there is no file {path}")
    common = xllamacpp.CommonParams()
    common.model.path = parameters.model_path
    if parameters.chat_template_path is not None:
        common.chat_template = _read_chat_template(Path(parameters.chat_template_path))
    if parameters.projector_path is not None:
        common.mmproj.path = parameters.projector_path
    common.n_parallel = parameters.lanes
    common.n_ctx = parameters.lanes * parameters.context_tokens
    common.n_batch = parameters.batch_tokens
    common.n_ubatch = parameters.batch_tokens
    common.cpuparams.n_threads = parameters.threads or _core_count()
    common.cpuparams_batch.n_threads = parameters.threads or _core_count()
    # Lanes with streams of their own; nothing is copied to host memory behind their back.
    common.kv_unified = False
    common.cache_idle_slots = False
    common.cache_ram_mib = 0
    common.swa_full = True  # else a model with sliding windows cannot rewind to a prefix
    # A conversation that ends with the model's turn is answered, not continued in mid-sentence.
    common.prefill_assistant = False
    common.hostnames = ["127.0.0.1"]
    common.port = parameters.port
    common.api_keys = [parameters.api_key]
    common.n_threads_http = connections_max(parameters.lanes)
    common.ui = False
    common.endpoint_slots = True
    if parameters.prefix_folder is not None:
        # A file name is put behind it as it is.
        common.slot_save_path = parameters.prefix_folder + os.sep
    common.verbosity = VERBOSITY_WARNINGS
    return xllamacpp.Server(common)


def _read_chat_template(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuntimeError(f"the chat template {path} cannot be read: {error}") from error


def _core_count() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    run_child()
