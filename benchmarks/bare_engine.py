"""The limit arm: llama.cpp in this process, with the same settings and requests, and nothing else.

A thread for each request that runs or waits, each on the lane of its own; the answers are counted
and dropped. It prints one JSON line of figures. `batch_throughput` starts it as a process, so that
its CPU time is the engine's alone.
"""

import json
import os
import sys
import threading
import time
from typing import Any

import msgspec
from questions import questions

from toplu.engines import model_source
from toplu.engines.llama_cpp_body import chat_body
from toplu.engines.llama_cpp_child import ChildParameters, load_model
from toplu.engines.prompt import read_prompt
from toplu.gemini.jsonl import read_line
from toplu.settings import DEFAULT_MODEL, ModelSettings, Settings

REQUESTS_PER_LANE = 2  # one runs and one waits, as in the server


def main() -> None:
    """Load, run every question, print the figures."""
    server, model = load()
    sys.stdout.write(json.dumps(run(server, model)) + "\n")
    sys.stdout.flush()
    os._exit(0)  # llama.cpp's threads need no farewell


def load() -> tuple[Any, ModelSettings]:
    """Return llama.cpp with the default model in it, set up as toplu does it."""
    settings = Settings()
    model = DEFAULT_MODEL
    path = model_source.locate(model, settings.model_dir)
    if path is None:
        raise SystemExit("the default model is not here: run `make model`")
    server = load_model(
        ChildParameters(
            model_path=str(path),
            context_tokens=model.context_tokens,
            lanes=model.lanes,
            threads=model.threads,
            api_key="nobody-asks",
        )
    )
    return server, model


def run(server: Any, model: ModelSettings) -> dict[str, float]:
    """Return what all questions together took."""
    lines = [read_line(msgspec.json.encode(line), 1) for line in questions()]
    prompts = iter([read_prompt(line.request, model) for line in lines])
    usages: list[dict[str, Any]] = []
    lock = threading.Lock()

    def work(lane: int) -> None:
        while True:
            with lock:
                prompt = next(prompts, None)
            if prompt is None:
                return
            assert prompt.sampling.seed is not None
            answer = server.handle_chat_completions(chat_body(prompt, lane, prompt.sampling.seed))
            usages.append(answer["usage"])

    threads = [
        threading.Thread(target=work, args=(lane,))
        for lane in list(range(model.lanes)) * REQUESTS_PER_LANE
    ]
    cpu_before, began = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_before,
        "output_tokens": sum(usage["completion_tokens"] for usage in usages),
        "cached_tokens": sum(usage["prompt_tokens_details"]["cached_tokens"] for usage in usages),
    }


if __name__ == "__main__":
    main()
