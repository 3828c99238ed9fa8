"""Compares a step of the bare engine with every lane at work to a step with one.

    bare_steps.py LANES

Each step writes one token on each lane that is at work; the lanes stream, so that the time from one
text to the next is that of a step. It prints one JSON line of figures.
"""

import itertools
import statistics
import sys
import threading
import time
from typing import Any

from bare_engine import as_lines, body_of, load, print_and_leave, prompts_of
from questions import questions

ANSWER_TOKENS = 96
TURNS = 4
P95 = 0.95


def main() -> None:
    """Load, write on one lane and on all in turns, print."""
    lanes = int(sys.argv[1])
    server, model = load(lanes)
    prompts = prompts_of(as_lines(questions()[:lanes]), model)
    # Nobody reads a prompt while steps are timed.
    bodies = [body_of(prompt, lane) for lane, prompt in enumerate(prompts)]
    for body in bodies:
        server.handle_chat_completions(body | {"max_tokens": 1})
    bodies = [body | {"max_tokens": ANSWER_TOKENS, "ignore_eos": True} for body in bodies]
    alone: list[float] = []
    together: list[float] = []
    for _ in range(TURNS):
        alone += steps(server, bodies[:1])
        together += steps(server, bodies)
    print_and_leave(
        {
            "step_ms": 1000 * statistics.median(alone),
            "step_of_all_lanes_ms": 1000 * statistics.median(together),
            "step_ratio": statistics.median(together) / statistics.median(alone),
            "step_ratio_p95": percentile(together) / percentile(alone),
        }
    )


def steps(server: Any, bodies: list[dict[str, Any]]) -> list[float]:
    """Return the seconds of the steps that the first of them saw, while all ran."""
    times: list[float] = []

    def hear(chunk: Any) -> bool:
        if any(choice["delta"].get("content") for choice in chunk["choices"]):
            times.append(time.perf_counter())
        return False

    others = [
        threading.Thread(target=server.handle_chat_completions, args=(body,)) for body in bodies[1:]
    ]
    for other in others:
        other.start()
    server.handle_chat_completions(bodies[0] | {"stream": True}, hear)
    for other in others:
        other.join()
    # At either end not all may be at work.
    middle = times[len(times) // 4 : 3 * len(times) // 4]
    return [after - before for before, after in itertools.pairwise(middle)]


def percentile(seconds: list[float]) -> float:
    return sorted(seconds)[int(P95 * (len(seconds) - 1))]


if __name__ == "__main__":
    main()
