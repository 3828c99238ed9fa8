"""Cuts an order into shards: about equal, bounded, and apart where neighbours share least."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from toplu.batch.plan.order import OrderEntry

# A lane works through several shards, so that one that is ahead finds another to begin.
SHARDS_PER_LANE = 4
# So few that one of them may be what all others wait for. With two it is not always found in time.
REQUESTS_PER_LANE = 4
# Of lines that are read and not yet answered, on all lanes of an engine together.
LANES_BYTES_MAX = 64 * 1024 * 1024
GRAIN_BYTES = 64  # sharing that differs by less is alike


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardBounds:
    """The wanted and the largest size of shards."""

    requests: int
    requests_max: int
    bytes_max: int

    @property
    def longest(self) -> int:
        """The most requests of a shard, duplicates not counted."""
        return min(2 * self.requests, self.requests_max)

    @classmethod
    def of(cls, *, total: int, lanes: int, requests_max: int, bytes_max: int) -> "ShardBounds":
        """Return the bounds for `total` requests on so many lanes.

        One lane takes shard after shard, and needs no more of them than their bounds make. A few
        requests make one shard a lane: what lanes hold is what they choose the longest of.
        """
        if lanes == 1:
            shards = 1
        elif total <= lanes * SHARDS_PER_LANE * REQUESTS_PER_LANE:
            shards = lanes
        else:
            shards = lanes * SHARDS_PER_LANE
        return cls(
            requests=min(requests_max, max(1, -(-total // shards))),
            requests_max=requests_max,
            bytes_max=max(1, min(bytes_max, LANES_BYTES_MAX // lanes)),
        )


def cut_shards(places: Iterable[OrderEntry], bounds: ShardBounds) -> Iterator[int]:
    """Yield how many places each shard takes, in order; together they take all.

    A shard ends between half and twice of what it is to be, where the next request shares least
    with it. Duplicates cost nothing, and are parted only where the bounds leave no choice.
    """
    waiting: list[OrderEntry] = []
    work = size_bytes = 0
    longest, requests_max, bytes_max = bounds.longest, bounds.requests_max, bounds.bytes_max
    for place in places:
        waiting.append(place)
        work += not place.is_duplicate
        size_bytes += place.length
        while len(waiting) > 1 and (
            work > longest or len(waiting) > requests_max or size_bytes > bytes_max
        ):
            count = _best_cut(waiting, bounds)
            yield count
            del waiting[:count]
            work = sum(not place.is_duplicate for place in waiting)
            size_bytes = sum(place.length for place in waiting)
    if waiting:
        yield len(waiting)


def _best_cut(waiting: Sequence[OrderEntry], bounds: ShardBounds) -> int:
    """Return how many of those that wait make a shard; there are two at least, and one is left."""
    choices: list[tuple[bool, int, int, int]] = []
    work = size_bytes = 0
    longest, requests_max, bytes_max = bounds.longest, bounds.requests_max, bounds.bytes_max
    half = bounds.requests // 2
    for count, (last, following) in enumerate(itertools.pairwise(waiting), start=1):
        work += not last.is_duplicate
        size_bytes += last.length
        if choices and (work > longest or count > requests_max or size_bytes > bytes_max):
            break
        if work <= half:
            choices = []  # what is shorter is wanted only where the bounds leave no choice
        grains = following.shared_bytes // GRAIN_BYTES
        choices.append((following.is_duplicate, grains, abs(work - bounds.requests), count))
    return min(choices)[-1]
