"""The lines of the batches of a history."""

import json
import random
from typing import Any

from support.simulation.asked import asked_by, text_of
from support.simulation.plot import WORD_KINDS, Plot
from toplu.store.blobs.records import HEADER

LINES_MAX = 20
LONG_LINES_MAX = 45
WORDS_MAX = 30
DEPTH_MAX = 3
PARENTS_NEAR = 4  # lines that one may wait for


def lines_of(
    chance: random.Random, name: str, count_max: int, plot: Plot, *, whole: bool
) -> list[bytes]:
    """Return some lines, of which some are broken unless `whole`, and some ask the same.

    Some wait for one or two before them, as deep as they may.
    """
    lines: list[bytes] = []
    depth_of: dict[str, int] = {}  # by key
    for place in range(chance.randint(1, count_max)):
        if place and not whole and chance.random() < 0.03:
            lines.append(b'{"key": broken')
            continue
        text = f"{name} {place} {words_of(chance)}"
        before = [line for line in lines if text_of(line) is not None]
        after: list[str] = []
        if before and chance.random() < plot.duplicate:
            another = json.loads(chance.choice(before))
            text, after = asked_by(another), another.get("after", [])
        elif before and plot.chain and chance.random() < plot.chain:
            near = [key for key, depth in depth_of.items() if depth < DEPTH_MAX][-PARENTS_NEAR:]
            after = chance.sample(near, min(len(near), chance.randint(1, 2)))
            text = " ".join([f"{name} {place}", *(f"${{{key}.text}}" for key in after)])
        request = {
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"temperature": 0},
        }
        key = f"{name}-{place}"
        depth_of[key] = 1 + max((depth_of[it] for it in after), default=-1)
        waits = {"after": after} if after else {}
        lines.append(json.dumps({"key": key} | waits | {"request": request}).encode())
    return lines


def words_of(chance: random.Random) -> str:
    count = chance.randint(1, WORDS_MAX)
    return " ".join(f"word{chance.randrange(WORD_KINDS)}" for _ in range(count))


def inlined(lines: list[bytes]) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in lines]
    return [
        {
            "request": it["request"],
            "metadata": {"key": it["key"]} | ({"after": it["after"]} if "after" in it else {}),
        }
        for it in read
    ]


def looks_whole(chance: random.Random) -> bytes:
    """Return a record that says nothing, with a checksum of nothing."""
    payload = b'{"key": "from nowhere", "error": {"code": 13, "message": "x"}}'
    return HEADER.pack(len(payload), 0, chance.randint(0, LINES_MAX), 0, 0, 0, 0) + payload
