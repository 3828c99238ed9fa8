"""The limit arm of `first_token`: llama.cpp in this process, streaming to a function.

It reads the number of a question on each line of its input and answers with the seconds that the
first text took. `first_token` starts it and asks.
"""

import os
import sys
import time
from typing import Any

from bare_engine import as_lines, body_of, load, prompts_of
from questions import questions

from toplu.engines.prompt import Prompt


def main() -> None:
    """Load, say that it is ready, answer until the input ends."""
    server, model = load()
    prompts = prompts_of(as_lines(questions()), model)
    print("ready", flush=True)
    for line in sys.stdin:
        print(seconds_to_first_text(server, prompts[int(line)]), flush=True)
    os._exit(0)  # llama.cpp's threads need no farewell


def seconds_to_first_text(server: Any, prompt: Prompt) -> float:
    first: list[float] = []

    def hear(chunk: Any) -> bool:
        if not first and any(choice["delta"].get("content") for choice in chunk["choices"]):
            first.append(time.perf_counter())
        return False  # go on: the lane is free for the next question when the answer is whole

    body = body_of(prompt, 0) | {"stream": True}
    began = time.perf_counter()
    server.handle_chat_completions(body, hear)
    return first[0] - began


if __name__ == "__main__":
    main()
