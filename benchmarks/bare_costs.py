"""Measures the CPU time of one token on the bare engine, read and written, on every lane.

    bare_costs.py LINES.jsonl LANES

The lines are to share nothing. Each is read once with an answer of one token; then each lane goes
on from its last prompt with long answers. It prints one JSON line of figures.
"""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bare_engine import Body, body_of, counted, load, print_and_leave, prompts_of

ANSWERS_PER_LANE = 3
ANSWER_TOKENS = 64


def main() -> None:
    """Load, read, write, print."""
    lines, lanes = Path(sys.argv[1]).read_bytes().splitlines(), int(sys.argv[2])
    server, model = load(lanes)
    prompts = prompts_of(lines, model)

    def of_lane(lane: int, tokens: int) -> list[Body]:
        bodies = [body_of(prompt, lane) for prompt in prompts[lane::lanes]]
        return [body | {"max_tokens": tokens} for body in bodies]

    reading = cost(server, lanes, lambda lane: of_lane(lane, 1))
    # The same prompt again and again: but for one token of it, all that is computed is written.
    writing = cost(
        server,
        lanes,
        lambda lane: (
            ANSWERS_PER_LANE * [of_lane(lane, ANSWER_TOKENS)[-1] | {"ignore_eos": True, "stop": []}]
        ),
    )
    read = reading["prompt_tokens"] - reading["cached_tokens"] + reading["output_tokens"]
    written = writing["prompt_tokens"] - writing["cached_tokens"] + writing["output_tokens"]
    print_and_leave(
        {
            "read_cpu_seconds": reading["cpu_seconds"] / read,
            "written_cpu_seconds": writing["cpu_seconds"] / written,
            "tokens_read": read,
            "tokens_written": written,
        }
    )


def cost(server: Any, lanes: int, bodies: Callable[[int], list[Body]]) -> dict[str, float]:
    """Return what it took to answer all lanes' bodies, each lane's one after another."""
    usages: list[dict[str, Any]] = []

    def work(lane: int) -> None:
        usages.extend(server.handle_chat_completions(body)["usage"] for body in bodies(lane))

    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(lanes)]
    before = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"cpu_seconds": time.process_time() - before, **counted(usages)}


if __name__ == "__main__":
    main()
