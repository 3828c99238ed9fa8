"""Walks at random along the grammar of every schema of a file, and validates what was written.

    schema_walk.py FILE.jsonl[.gz] [--walks N] [--limit N]

FILE has one object a line, the schema under `schema` and a name under `id`. What the grammar lets
go is proved afterwards, so that a walk may fail; a schema of which no answer validates is listed.
"""

import argparse
import gzip
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toplu.structured.bounds import SchemaBounds
from toplu.structured.guard.guarded import compile_schema, sample
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.structure import Structure
from toplu.structured.walks.walk import walk

LISTED = 20


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--walks", type=int, default=5)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    seconds: list[float] = []
    walked: list[float] = []
    for row in list(read_rows(options.file))[: options.limit]:
        began = time.perf_counter()
        try:
            structure = compile_schema(row["schema"], "schema", SchemaBounds())
        except SchemaFault as fault:
            counts["refused"] += 1
            print(f"refused: {row['id']}: {fault.path} {fault.reason}")
            continue
        seconds.append(time.perf_counter() - began)
        counts["compiled"] += 1
        walked.append(_walk(structure, row["id"], options.walks, counts))
    seconds.sort()
    middle, late = (seconds[int(len(seconds) * share)] for share in (0.5, 0.99))
    print(dict(counts.most_common()))
    print(f"the longest walk took {max(walked):.1f} s")
    print(f"compiled in {middle * 1000:.1f} ms (p50), {late * 1000:.0f} ms (p99)")


def _walk(structure: Structure, name: Any, walks: int, counts: Counter[str]) -> float:
    """Return how many seconds the longest walk took."""
    longest = 0.0
    if violation := structure.find_violation(sample(structure)):
        counts["without a valid answer"] += 1
        if counts["without a valid answer"] <= LISTED:
            print(f"no valid answer: {name}: {violation}")
    for seed in range(walks):
        began = time.perf_counter()
        written = walk(structure.grammar, random.Random(seed))
        longest = max(longest, time.perf_counter() - began)
        if written is None:
            counts["walks too long"] += 1
        elif (violation := structure.find_violation(written)) is None:
            counts["walks that validate"] += 1
        else:
            counts["walks that do not"] += 1
            counts[f"… by {violation.keyword}"] += 1
    return longest


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of schemas."""
    content = file.read_bytes()
    if file.suffix == ".gz":
        content = gzip.decompress(content)
    yield from map(json.loads, content.splitlines())


if __name__ == "__main__":
    main()
