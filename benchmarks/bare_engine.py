"""The limit arm: llama.cpp in this process, with the same settings and requests, and nothing else.

    bare_engine.py LINES.jsonl LANES

A thread for each request that runs or waits, each on the lane of its own, takes the next line of
the file; the answers are counted and dropped. It prints one JSON line of figures. It is a process,
so that its CPU time is the engine's alone.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from toplu.engines.llama_cpp.child import ChildParameters, load_model
from toplu.engines.llama_cpp.request_body import chat_body
from toplu.engines.prompt import Prompt
from toplu.engines.translation.prompt import read_prompt
from toplu.models import sources
from toplu.settings.server import DEFAULT_MODEL, ModelSettings, Settings
from toplu.wire.gemini.jsonl import read_line

REQUESTS_PER_LANE = 2  # one runs and one waits, as in the server

Body = dict[str, Any]


def main() -> None:
    """Load, run every line, print the figures."""
    lines, lanes = Path(sys.argv[1]).read_bytes().splitlines(), int(sys.argv[2])
    server, model = load(lanes)
    print_and_leave(run(server, prompts_of(lines, model), lanes))


def load(lanes: int = DEFAULT_MODEL.lanes) -> tuple[Any, ModelSettings]:
    """Return llama.cpp with the default model in it, set up as toplu does it."""
    settings = Settings()
    model = DEFAULT_MODEL
    path = sources.locate(model, settings.model_dir)
    if path is None:
        raise SystemExit("the default model is not here: run `make model`")
    server = load_model(
        ChildParameters(
            model_path=str(path),
            context_tokens=model.context_tokens,
            lanes=lanes,
            threads=model.threads,
            api_key="nobody-asks",
        )
    )
    return server, model


def prompts_of(lines: Iterable[bytes], model: ModelSettings) -> list[Prompt]:
    """Return what the engine is asked for each line of an input."""
    return [read_prompt(read_line(line, 1).request, model) for line in lines]


def body_of(prompt: Prompt, lane: int) -> Body:
    assert prompt.sampling.seed is not None, "the lines of benchmarks have one"
    return chat_body(prompt, lane, prompt.sampling.seed)


def run(server: Any, prompts: Sequence[Prompt], lanes: int) -> dict[str, float]:
    """Return what all prompts together took."""
    waiting = iter(prompts)
    usages: list[dict[str, Any]] = []
    lock = threading.Lock()

    def work(lane: int) -> None:
        while True:
            with lock:
                prompt = next(waiting, None)
            if prompt is None:
                return
            usages.append(server.handle_chat_completions(body_of(prompt, lane))["usage"])

    threads = [
        threading.Thread(target=work, args=(lane,))
        for lane in list(range(lanes)) * REQUESTS_PER_LANE
    ]
    cpu_before, began = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_before,
        **counted(usages),
    }


def counted(usages: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the tokens that were read, of them cached, and written."""
    return {
        "prompt_tokens": sum(usage["prompt_tokens"] for usage in usages),
        "cached_tokens": sum(usage["prompt_tokens_details"]["cached_tokens"] for usage in usages),
        "output_tokens": sum(usage["completion_tokens"] for usage in usages),
    }


def print_and_leave(figures: dict[str, float]) -> None:
    """End with one JSON line; llama.cpp's threads need no farewell."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    os._exit(0)


def as_lines(lines: Iterable[dict[str, Any]]) -> list[bytes]:
    return [msgspec.json.encode(line) for line in lines]


if __name__ == "__main__":
    main()
