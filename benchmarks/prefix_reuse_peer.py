"""The other arms of `prefix_reuse`: llama.cpp in this process, fed by something else than toplu.

    script   as a plain script does it: file order, any free slot, llama-server's own choices
    limit    one slot, one request after another, in the best order: nothing is read twice

It prints one JSON line of figures.
"""

import json
import os
import sys
import threading
import time
from typing import Any

import msgspec
from passages import lines

from toplu.engines import model_source
from toplu.engines.llama_cpp import chat_body
from toplu.engines.prompt import read_prompt
from toplu.gemini.jsonl import read_line
from toplu.settings import DEFAULT_MODEL, Settings

LANES = 4
OUTSTANDING_PER_LANE = 2


def main() -> None:
    """Load, run, print."""
    arm, count = sys.argv[1], int(sys.argv[2])
    sys.stdout.write(json.dumps(run(arm, count)) + "\n")
    sys.stdout.flush()
    os._exit(0)


def load(arm: str) -> Any:
    import xllamacpp

    path = model_source.locate(DEFAULT_MODEL, Settings().model_dir)
    if path is None:
        raise SystemExit("the default model is not here: run `make model`")
    lanes = LANES if arm == "script" else 1
    common = xllamacpp.CommonParams()
    common.model.path = str(path)
    common.n_parallel = lanes
    common.n_ctx = lanes * DEFAULT_MODEL.context_tokens
    # What llama-server chooses by itself when it is not told how many slots to have.
    common.kv_unified = arm == "script"
    common.cache_idle_slots = arm == "script"
    common.cpuparams.n_threads = common.cpuparams_batch.n_threads = os.cpu_count() or 1
    common.ui = False
    common.verbosity = 2
    return xllamacpp.Server(common)


def run(arm: str, count: int) -> dict[str, float]:
    """Return what all requests together took."""
    server = load(arm)
    asked = [read_line(msgspec.json.encode(line), 1).request for line in lines(count)]
    if arm == "limit":
        asked.sort(key=lambda request: request.contents[0].parts[0].text)
    prompts = iter([read_prompt(request, DEFAULT_MODEL) for request in asked])
    usages: list[dict[str, Any]] = []
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                prompt = next(prompts, None)
            if prompt is None:
                return
            body = chat_body(prompt, 0, 1)
            del body["id_slot"]
            usages.append(server.handle_chat_completions(body)["usage"])

    workers = LANES * OUTSTANDING_PER_LANE if arm == "script" else 1
    threads = [threading.Thread(target=work) for _ in range(workers)]
    cpu_before = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "cpu_seconds": time.process_time() - cpu_before,
        "prompt_tokens": sum(usage["prompt_tokens"] for usage in usages),
        "cached_tokens": sum(usage["prompt_tokens_details"]["cached_tokens"] for usage in usages),
    }


if __name__ == "__main__":
    main()
