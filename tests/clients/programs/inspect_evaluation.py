"""Evaluates in a batch by Inspect AI: `inspect_evaluation.py URL MODEL` prints what came of it."""

import json
import sys

import inspect_ai
from inspect_ai.dataset import Sample
from inspect_ai.model import BatchConfig, GenerateConfig
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

SAMPLES = 20
url, model = sys.argv[1:]
task = inspect_ai.Task(
    dataset=[Sample(input=f"word {each}", target=f"word {each}") for each in range(SAMPLES)],
    solver=generate(),
    scorer=includes(),
    config=GenerateConfig(batch=BatchConfig(size=SAMPLES, send_delay=0.5, tick=0.2)),
)
(log,) = inspect_ai.eval(
    task,
    model=model,
    model_base_url=url,
    model_args={"api_key": "any"},
    display="none",
    log_dir="logs",
)
accuracy = log.results.scores[0].metrics["accuracy"].value if log.results else None
print(json.dumps({"status": log.status, "samples": len(log.samples or []), "accuracy": accuracy}))
