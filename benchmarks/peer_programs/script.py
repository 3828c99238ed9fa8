"""The peer that everybody writes first: asyncio, the openai package and a semaphore.

    script.py ADDRESS MODEL REQUESTS.jsonl IN_FLIGHT

Each line of the file is the body of a chat completion. It prints one JSON line of figures.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path


async def main(address: str, model: str, requests: str, in_flight: int) -> None:
    """Ask for everything at once, so many at a time, and keep the answers in order."""
    from openai import AsyncOpenAI

    bodies = [json.loads(line) for line in Path(requests).read_text().splitlines()]
    places = asyncio.Semaphore(in_flight)
    async with AsyncOpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client:

        async def ask(body: dict[str, object]) -> dict[str, int]:
            async with places:
                answer = await client.chat.completions.create(model=model, **body)  # type: ignore[call-overload]
            details = answer.usage.prompt_tokens_details
            return {
                "prompt_tokens": answer.usage.prompt_tokens,
                "cached_tokens": (details and details.cached_tokens) or 0,
                "output_tokens": answer.usage.completion_tokens,
            }

        began = time.perf_counter()
        usages = await asyncio.gather(*(ask(body) for body in bodies))
        seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    sums = {name: sum(usage[name] for usage in usages) for name in usages[0]}
    print(json.dumps({"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, **sums}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
