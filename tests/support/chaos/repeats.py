"""Compares the requests that ran again after a kill with those that may, by the server's log.

A request may be started a second time only if it was in flight when its worker was killed, or its
result was still to be made durable. Results are written in groups, one after another: what was
answered before the last group but one that was written belongs to a group that was written.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Any

Request = tuple[str, int]  # job and index

# Of machines: what could not be put into the bucket, and whose lease another one has.
OF_MACHINES = ('"results_not_written"', '"lease_lost"')
TOLD = ('"request_started"', '"request_finished"', '"results_written"', '"process_started"')


class _Life:
    """The requests of one life of a worker."""

    def __init__(self) -> None:
        self._in_flight: set[Request] = set()
        # Answered since the last write, and before it.
        self._groups: list[set[Request]] = [set(), set()]
        self._is_unwritten = False  # of the last group, something

    def follow(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "request_started":
                self._in_flight.add(_request_of(event))
            case "request_finished":
                self._in_flight.discard(_request_of(event))
                self._groups[-1].add(_request_of(event))
            case "results_not_written":
                self._is_unwritten = True
            case "results_written":
                if not self._is_unwritten:
                    self._groups = [self._groups[-1], set()]
                self._is_unwritten = False

    @property
    def may_repeat(self) -> set[Request]:
        """Requests that are not known to be durable at this moment."""
        return self._in_flight.union(*self._groups)


def check_repeats(log_lines: list[str]) -> int:
    """Return how many requests ran again; each of them was allowed to, once for each kill."""
    repeated = 0
    seen: set[Request] = set()
    may_start: set[Request] = set()
    lives: defaultdict[str, _Life] = defaultdict(_Life)  # by the name of the process
    for line in log_lines:
        if not any(words in line for words in TOLD):
            continue
        event = json.loads(line)
        if event["event"] == "process_started":
            # Whoever had the name before has ended.
            may_start |= lives.pop(event["name"], _Life()).may_repeat
            continue
        if event["event"] == "request_started":
            request = _request_of(event)
            if request in seen:
                assert request in may_start, f"repeated: {request}"
                repeated += 1
            seen.add(request)
            may_start.discard(request)
        lives[event["process"]].follow(event)
    return repeated


def check_repeats_of_machines(
    log_lines: Sequence[str], marks: Collection[int], ends: Collection[int]
) -> tuple[Counter[Request], Counter[Request]]:
    """Return how often one worker started each request, and how often it may be started again.

    That is at each of `marks`, the numbers of lines that it had written when others may have taken
    over; at `ends` its process had ended. So it is where it says that it lost a lease.
    """
    started: Counter[Request] = Counter()
    allowed: Counter[Request] = Counter()
    life = _Life()
    for number, line in enumerate([*log_lines, ""]):
        if number in marks:
            allowed.update(life.may_repeat)
        if number in ends:
            life = _Life()
        if not any(words in line for words in (*TOLD, *OF_MACHINES)):
            continue
        event = json.loads(line)
        if event["event"] == "request_started":
            started[_request_of(event)] += 1
        if event["event"] == "lease_lost":
            allowed.update(it for it in life.may_repeat if it[0] == event["job"])
        life.follow(event)
    return started, allowed


def _request_of(event: dict[str, Any]) -> Request:
    return event["job"], event["index"]
