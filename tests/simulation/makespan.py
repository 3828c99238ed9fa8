"""How long an engine takes for single requests, when lanes help each other at the end.

    alone on the engine a lane writes `write_alone` tokens a second; of N lanes each gets slower,
    and all together faster: the roofline of decoding in batches

Lengths are drawn as they are in ShareGPT: most answers are short, a few ten times the median.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from toplu.batch.stretch import cheapest_cut

BYTES_OF_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Roofline:
    """Tokens per second of an engine, by how many lanes are busy."""

    read: float = 4400.0  # of prompts, all lanes together
    write_alone: float = 80.0
    crowding: float = 0.089  # fits 80 tokens a second on one lane and 681 on 32

    def seconds(self, request: "Request", busy: int) -> float:
        """Return how long the request takes while so many lanes are busy."""
        writing = 1 + (busy - 1) * self.crowding
        return request.prompt * busy / self.read + request.output * writing / self.write_alone


@dataclass(frozen=True, slots=True)
class Request:
    """Its lengths in tokens; the other names are what the product's lines have."""

    prompt: int
    output: int
    group: int = 0
    shared_bytes: int = 0

    @property
    def own_bytes(self) -> int:
        return self.prompt * BYTES_OF_A_TOKEN


def conversations(seed: int, count: int) -> list[Request]:
    """Return requests with the lengths of ShareGPT: human median 20 tokens, answers 310/650/950."""
    chance = random.Random(seed)
    return [
        Request(
            prompt=max(1, round(chance.lognormvariate(3.0, 1.2))),
            output=max(1, min(round(chance.lognormvariate(5.5, 0.75)), 1024)),
            group=place,
        )
        for place in range(count)
    ]


@dataclass
class Lanes:
    """Requests at work; who is free asks `take` for the next one."""

    count: int
    roofline: Roofline
    now: float = 0.0
    _left: dict[int, tuple[Request, float]] = field(default_factory=dict)  # part still to do

    def run(self, take: Callable[[int], Request | None]) -> float:
        """Return when the last request has ended."""
        while True:
            for lane in range(self.count):
                if lane not in self._left and (request := take(lane)) is not None:
                    self._left[lane] = (request, 1.0)
            if not self._left:
                return self.now
            busy = len(self._left)
            rates = {
                lane: 1 / self.roofline.seconds(request, busy)
                for lane, (request, _) in self._left.items()
            }
            step = min(part / rates[lane] for lane, (_, part) in self._left.items())
            self.now += step
            rest = {
                lane: (request, part - step * rates[lane])
                for lane, (request, part) in self._left.items()
            }
            self._left = {lane: it for lane, it in rest.items() if it[1] > 1e-9}


def bound(requests: Sequence[Request], lanes: int, roofline: Roofline) -> float:
    """Return what no order of the requests can beat: full lanes all the time, or the longest."""
    full = sum(roofline.seconds(request, lanes) for request in requests) / lanes
    return max(full, *(roofline.seconds(request, 1) for request in requests))


def in_turn(requests: Sequence[Request]) -> Callable[[int], Request | None]:
    """Give whoever is free the next request of the file."""
    rest = iter(requests)
    return lambda _: next(rest, None)


def block_by_block(requests: Sequence[Request], lanes: int, roofline: Roofline) -> float:
    """Return the time of who begins no block of requests before the last one has ended."""
    blocks = [requests[place : place + lanes] for place in range(0, len(requests), lanes)]
    return sum(Lanes(lanes, roofline).run(in_turn(block)) for block in blocks)


def in_stretches(requests: Sequence[Request], lanes: int) -> Callable[[int], Request | None]:
    """Work as the product does: who is free takes over a part of the longest stretch."""
    stretches: dict[int, list[Request]] = {lane: [] for lane in range(lanes)}
    stretches[0] = list(requests)
    mean = sum(request.output for request in requests) / len(requests)

    def take(lane: int) -> Request | None:
        if not stretches[lane]:
            longest = max(stretches, key=lambda other: len(stretches[other]))
            lines = stretches[longest]
            cut = cheapest_cut(lines, mean * 32)  # type: ignore[arg-type]  # has what it asks for
            if cut is None:
                return None
            stretches[longest], stretches[lane] = lines[:cut], lines[cut:]
        return stretches[lane].pop(0) if stretches[lane] else None

    return take
