"""Compares the requests that ran again after a kill with those that may, by the server's log.

A request may be started a second time only if it was in flight when its worker was killed, or its
result was still to be made durable. Results are written in groups, one after another: what was
answered before the last group but one that was written belongs to a group that was written.
"""

import json
from collections import defaultdict
from typing import Any

Request = tuple[str, int]  # job and index

TOLD = ('"request_started"', '"request_finished"', '"results_written"', '"process_started"')


class _Life:
    """The requests of one life of a worker."""

    def __init__(self) -> None:
        self._in_flight: set[Request] = set()
        # Answered since the last write, and before it.
        self._groups: list[set[Request]] = [set(), set()]

    def follow(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "request_started":
                self._in_flight.add(_request_of(event))
            case "request_finished":
                self._in_flight.discard(_request_of(event))
                self._groups[-1].add(_request_of(event))
            case "results_written":
                self._groups = [self._groups[-1], set()]

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


def _request_of(event: dict[str, Any]) -> Request:
    return event["job"], event["index"]
