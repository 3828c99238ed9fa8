"""A server in virtual time: what it yields depends on how many requests it runs together."""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from toplu.engines.http.load import ServerLoad, Software
from toplu.fleet.remote.batch_seats import BatchSeats, step_sample
from toplu.fleet.remote.limiter import Limiter
from toplu.fleet.remote.seats import Seats
from toplu.settings.remote import RemoteSettings

Yield = Callable[[int, float], float]  # of requests at a time, at a moment: tokens a second


def flat_from(knee: int) -> Yield:
    """More requests gain up to the knee, and wait for each other beyond it."""
    return lambda level, _now: 100.0 * min(level, knee)


def thrashing_from(knee: int) -> Yield:
    """Beyond the knee requests push each other out of memory, down to a quarter of the yield."""
    return lambda level, _now: (
        100.0 * level if level <= knee else 100.0 * knee * max(0.25, (knee / level) ** 2)
    )


def saturating(half: int) -> Yield:
    """Each further request gains less; the last tokens a second cost many of them."""
    return lambda level, _now: 6000.0 * level / (level + half)


@dataclass
class VirtualServer:
    """Runs one request after another at the limiter's limit, as a queue that never empties."""

    limiter: Limiter
    tokens_a_second: Yield
    seed: int = 0
    room: int = 10**6  # beyond it the server answers 429
    faults: float = 0.0  # the share of requests that it refuses for no reason
    now: float = 0.0
    done: int = 0
    lost: int = 0
    refused: int = 0
    work: float = 0.0
    peak: int = 0
    _running: list[tuple[float, int, float, float, bool]] = field(default_factory=list)
    _served: float = 0.0  # tokens that each place has made so far: a clock of the work
    _number: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def run(self, *, windows: int | None = None, seconds: float | None = None) -> float:
        """Serve until so much has passed; return tokens a second."""
        begun, work, windows_begun = self.now, self.work, self.limiter.windows
        while (windows is None or self.limiter.windows - windows_begun < windows) and (
            seconds is None or self.now - begun < seconds
        ):
            self._step()
        return (self.work - work) / (self.now - begun)

    def _step(self) -> None:
        self._fill()
        in_flight = len(self._running)
        self.peak = max(self.peak, in_flight)
        pace = self.tokens_a_second(in_flight, self.now) / in_flight
        ends_at, _, started, tokens, full = heapq.heappop(self._running)
        self.now += (ends_at - self._served) / pace
        self._served = ends_at
        self.done += 1
        self.work += tokens
        self.limiter.finished(started=started, ended=self.now, work=tokens, full=full)

    def _fill(self) -> None:
        while len(self._running) < self.limiter.limit:
            if len(self._running) >= self.room:
                self.refused += 1
                self.limiter.overloaded(started=self.now, now=self.now)
                return
            if self._random.random() < self.faults:
                self.refused += 1
                self.limiter.overloaded(started=self.now, now=self.now)
                continue
            tokens = self._random.expovariate(1 / 200) + 20
            full = len(self._running) + 1 >= self.limiter.limit
            self._number += 1
            heapq.heappush(
                self._running, (self._served + tokens, self._number, self.now, tokens, full)
            )


def best_fixed(tokens_a_second: Yield, most: int, now: float = 0.0) -> float:
    """Return what the best limit yields that is never changed."""
    return max(tokens_a_second(level, now) for level in range(1, most + 1))


LOOK_SECONDS = 1.0


@dataclass
class SeatedServer:
    """Runs so many requests together, has the others wait, and says so each second.

    What is to run never ends; `memory` is how many run without one of them being put back.
    """

    limiter: Seats
    seats: int
    seconds: float = 3.0  # of a request
    memory: int = 10**6
    others: int = 0  # requests of others that want a seat, too
    seed: int = 0
    now: float = 0.0
    done: int = 0
    preemptions: int = 0
    in_flight: int = 0
    waiting_most: int = 0  # since `run` was called
    _ends: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @property
    def places(self) -> int:
        """Return how many seats are left to us."""
        return max(1, self.seats - self.others)

    @property
    def waiting(self) -> int:
        return self.in_flight - len(self._ends)

    def run(self, seconds: float) -> float:
        """Serve for so long; return the share of the seats' time that was used."""
        begun, used, self.waiting_most = self.now, 0.0, 0
        while self.now < begun + seconds:
            self._fill()
            next_look = LOOK_SECONDS * (math.floor(self.now / LOOK_SECONDS + 1e-9) + 1)
            ends_at = min(self._ends[0], next_look) if self._ends else next_look
            used += len(self._ends) * (ends_at - self.now)
            self.now = ends_at
            if ends_at == next_look:
                self._tell()
            else:
                heapq.heappop(self._ends)
                self.done += 1
                self.in_flight -= 1
        return used / (self.places * (self.now - begun))

    def _fill(self) -> None:
        self.in_flight = max(self.in_flight, self.limiter.limit)
        while self.waiting and len(self._ends) < self.places:
            heapq.heappush(self._ends, self.now + self.seconds * self._random.uniform(0.5, 1.5))

    def _tell(self) -> None:
        self.preemptions += max(0, len(self._ends) - self.memory)
        self.waiting_most = max(self.waiting_most, self.waiting)
        load = ServerLoad(
            software=Software.VLLM,
            running=min(self.seats, len(self._ends) + self.others),
            waiting=self.waiting,
            preemptions=self.preemptions,
        )
        self.limiter.note(load, self.in_flight)


@dataclass
class SteppedServer:
    """Runs batches at whatever `seats` allow, and a call now and then, a step for a token.

    A step takes `fixed` seconds and `each` for every request in it.
    """

    fixed: float
    each: float
    capacity: int = 32
    answer_tokens: int = 24
    now: float = 0.0
    tokens: int = 0  # of batches
    steps: int = 0
    step_seconds: float = 0.0
    _left: list[int] = field(default_factory=list)  # tokens of each request of a batch
    _before: ServerLoad | None = None
    _looked_at: float = 0.0

    def __post_init__(self) -> None:
        self.seats = BatchSeats(RemoteSettings(), now=lambda: self.now)
        self._random = random.Random(0)

    def beside(self, seats: int) -> float:
        """Return the seconds of a step of a call and so many of a batch."""
        return self.fixed + self.each * (1 + seats)

    @property
    def running(self) -> int:
        return len(self._left)

    def run(self, seconds: float) -> None:
        """Work on batches alone."""
        ends_at = self.now + seconds
        while self.now < ends_at:
            self._step(calls=0)

    def call(self, tokens: int = 8) -> float:
        """Answer a call beside the batches; return the mean seconds of its tokens."""
        begun = self.now
        self.seats.call_came()
        if self.seats.is_far_over(self.running, 1):
            del self._left[self.seats.limit(self.capacity, 1) :]
        for _ in range(tokens):
            self._step(calls=1)
        self.seats.call_went()
        return (self.now - begun) / tokens

    def _step(self, *, calls: int) -> None:
        while self.running < self.seats.limit(self.capacity - calls, 1):
            self._left.append(self._random.randrange(1, 2 * self.answer_tokens))
        running = self.running + calls
        seconds = self.fixed + self.each * running
        self.now += seconds
        self.tokens += self.running
        self.steps += running
        self.step_seconds += seconds * running
        self._left = [left - 1 for left in self._left if left > 1]
        if self.now >= self._looked_at + LOOK_SECONDS:
            self._looked_at = self.now
            self._tell(running)

    def _tell(self, running: int) -> None:
        load = ServerLoad(
            software=Software.VLLM,
            running=running,
            waiting=0,
            steps=self.steps,
            step_seconds=self.step_seconds,
        )
        if self._before is not None and (sample := step_sample(self._before, load)) is not None:
            self.seats.costs.note(sample)
        self._before = load
