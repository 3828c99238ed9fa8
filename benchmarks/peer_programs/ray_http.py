"""The peer for large data sets: Ray Data's HTTP processor on one machine.

    ray_http.py ADDRESS MODEL REQUESTS.jsonl CONCURRENCY

`concurrency` is what its users set; without it requests go one after another. It prints one JSON
line of figures, which leave out the start of Ray.
"""

import json
import os
import sys
import time
from pathlib import Path

# Ray reads its settings as it is imported.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}  # noqa: TID251
BATCH_SIZE = 16


def main(address: str, model: str, requests: str, concurrency: int) -> None:
    """Run the processor over the file."""
    import ray
    from ray.data.llm import HttpRequestProcessorConfig, build_processor

    bodies = [json.loads(line) for line in Path(requests).read_text().splitlines()]
    ray.init(num_cpus=max(2, concurrency), include_dashboard=False, log_to_driver=False)
    rows = ray.data.from_items([{"body": json.dumps({"model": model, **body})} for body in bodies])
    processor = build_processor(
        HttpRequestProcessorConfig(
            url=f"{address}/v1/chat/completions",
            headers={"Authorization": "Bearer any"},
            batch_size=BATCH_SIZE,
            concurrency=concurrency,
        ),
        preprocess=lambda row: {"payload": json.loads(row["body"])},
        postprocess=lambda row: {"usage": json.dumps(row["http_response"]["usage"])},
    )
    began = time.perf_counter()
    usages = [json.loads(row["usage"]) for row in processor(rows).take_all()]
    seconds = time.perf_counter() - began
    cpu_seconds = _tree_cpu_seconds(os.getpid())
    ray.shutdown()
    figures = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "prompt_tokens": sum(usage["prompt_tokens"] for usage in usages),
        "cached_tokens": sum(
            (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0) for usage in usages
        ),
        "output_tokens": sum(usage["completion_tokens"] for usage in usages),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def _tree_cpu_seconds(pid: int) -> float:
    """Return what the process and all that it has started have used, the start of Ray included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_tree_cpu_seconds(child) for child in children)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
