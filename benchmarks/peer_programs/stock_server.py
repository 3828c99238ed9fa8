"""llama.cpp's HTTP server as llama-server starts it when it is told nothing but the model.

It prints its address and serves until its standard input ends.
"""

import os
import sys

from toplu.engines import model_source
from toplu.engines.llama_cpp_child import SPIN_COUNT
from toplu.settings import DEFAULT_MODEL, Settings

LANES = DEFAULT_MODEL.lanes


def main() -> None:
    """Load the default model and stay."""
    # As in toplu: on a shared machine the default would make any use of threads a fight.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # noqa: TID251
    import xllamacpp

    path = model_source.locate(DEFAULT_MODEL, Settings().model_dir)
    assert path is not None, "the default model is not here: run `make model`"
    common = xllamacpp.CommonParams()
    common.model.path = str(path)
    common.n_parallel = LANES
    common.n_ctx = LANES * DEFAULT_MODEL.context_tokens
    common.cpuparams.n_threads = common.cpuparams_batch.n_threads = os.cpu_count() or 1
    # What llama-server's automatic number of slots implies; the others are the defaults.
    common.kv_unified = True
    common.cache_idle_slots = True
    common.cache_ram_mib = 8192
    common.hostnames = ["127.0.0.1"]
    common.port = 0
    common.n_threads_http = 64
    common.verbosity = 1
    server = xllamacpp.Server(common)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
