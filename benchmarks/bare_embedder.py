"""The embedding model in this process, given all texts in one call: the best that it can do.

    bare_embedder.py TEXTS

It prints one JSON line of figures. `embedding_throughput` starts it as a process, so that its
CPU time is the engine's alone.
"""

import json
import sys
import time

from sentences import sentences

from toplu.engines.onnx.child import EmbedderParameters, Model, TextGroup
from toplu.models import sources
from toplu.settings.server import DEFAULT_EMBEDDER, Settings


def main() -> None:
    """Load, embed every text, print the figures."""
    settings = Settings()
    weights = sources.locate(DEFAULT_EMBEDDER, settings.model_dir)
    if weights is None:
        raise SystemExit("the default embedding model is not here: run `make model`")
    model = Model(
        EmbedderParameters(
            weights=str(weights),
            sha256=DEFAULT_EMBEDDER.sha256,
            graph_folder=str(settings.model_dir / DEFAULT_EMBEDDER.name),
            tokens_max=DEFAULT_EMBEDDER.context_tokens,
            dimensions=DEFAULT_EMBEDDER.dimensions,
            threads=DEFAULT_EMBEDDER.threads,
        )
    )
    model.embed(TextGroup(number=0, texts=["Warm up."]))
    cpu_before, began = time.process_time(), time.perf_counter()
    group = model.embed(TextGroup(number=1, texts=sentences()[: int(sys.argv[1])]))
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_before,
        "tokens": sum(group.tokens),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
