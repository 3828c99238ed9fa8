"""The lines of the batches of a history."""

import json
import random
from typing import Any

from support.simulation.executions import text_of
from support.simulation.plot import WORD_KINDS
from toplu.store.blobs.records import HEADER

LINES_MAX = 20
LONG_LINES_MAX = 45
WORDS_MAX = 30


def lines_of(
    chance: random.Random, name: str, count_max: int, duplicate: float, *, whole: bool
) -> list[bytes]:
    """Return some lines, of which some are broken unless `whole`, and some ask the same."""
    lines: list[bytes] = []
    for place in range(chance.randint(1, count_max)):
        if place and not whole and chance.random() < 0.03:
            lines.append(b'{"key": broken')
            continue
        text = f"{name} {place} {words_of(chance)}"
        before = [line for line in lines if text_of(line) is not None]
        if before and chance.random() < duplicate:
            text = text_of(chance.choice(before)) or text
        request = {
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"temperature": 0},
        }
        lines.append(json.dumps({"key": f"{name}-{place}", "request": request}).encode())
    return lines


def words_of(chance: random.Random) -> str:
    count = chance.randint(1, WORDS_MAX)
    return " ".join(f"word{chance.randrange(WORD_KINDS)}" for _ in range(count))


def inlined(lines: list[bytes]) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in lines]
    return [{"request": it["request"], "metadata": {"key": it["key"]}} for it in read]


def looks_whole(chance: random.Random) -> bytes:
    """Return a record that says nothing, with a checksum of nothing."""
    payload = b'{"key": "from nowhere", "error": {"code": 13, "message": "x"}}'
    return HEADER.pack(len(payload), 0, chance.randint(0, LINES_MAX), 0, 0, 0, 0) + payload
