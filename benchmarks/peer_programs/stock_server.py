"""llama.cpp's HTTP server as llama-server starts it when it is given nothing but the model.

    stock_server.py LANES MODEL.gguf CACHE_MIB

It prints its address and serves until its standard input ends.
"""

import os
import sys

from toplu.engines.llama_cpp.child import SPIN_COUNT
from toplu.settings.server import DEFAULT_MODEL


def main() -> None:
    """Load the default model and stay."""
    # As in toplu: on a shared machine the default would make any use of threads a fight.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # noqa: TID251
    import xllamacpp

    lanes = int(sys.argv[1])
    common = xllamacpp.CommonParams()
    common.model.path = sys.argv[2]
    common.n_parallel = lanes
    common.n_ctx = lanes * DEFAULT_MODEL.context_tokens
    common.cpuparams.n_threads = common.cpuparams_batch.n_threads = os.cpu_count() or 1
    # What llama-server's automatic number of slots implies; the others are the defaults.
    common.kv_unified = True
    common.cache_idle_slots = True
    common.cache_ram_mib = int(sys.argv[3])
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
