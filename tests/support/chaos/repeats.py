"""Compares the requests that ran again after a kill with those that may, by the server's log.

A request may be started a second time only if it was in flight when the server was killed, or its
result was still to be made durable. Results are written in groups, one after another: what was
answered before the last group but one that was written belongs to a group that was written.
"""

import json
from collections import Counter
from dataclasses import dataclass

Request = tuple[str, int]  # job and index


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The requests in the log of one life of the server."""

    started: Counter[Request]
    may_repeat: set[Request]  # not known to be durable when it was killed


def read_run(log_lines: list[str]) -> Run:
    """Read the log of one life, up to its kill."""
    started: Counter[Request] = Counter()
    in_flight: set[Request] = set()
    groups: list[set[Request]] = [set(), set()]  # answered since the last write, and before it
    for line in log_lines:
        if '"request_' not in line and '"results_written"' not in line:
            continue
        event = json.loads(line)
        match event["event"]:
            case "request_started":
                request = (event["job"], event["index"])
                started[request] += 1
                in_flight.add(request)
            case "request_finished":
                request = (event["job"], event["index"])
                in_flight.discard(request)
                groups[-1].add(request)
            case "results_written":
                groups = [groups[-1], set()]
    return Run(started=started, may_repeat=in_flight.union(*groups))


def check_repeats(lives: list[list[str]]) -> int:
    """Return how many requests ran again; each of them was allowed to."""
    repeated = 0
    may_start: set[Request] | None = None
    seen: set[Request] = set()
    for log_lines in lives:
        run = read_run(log_lines)
        assert all(count == 1 for count in run.started.values()), run.started.most_common(1)
        again = run.started.keys() & seen
        assert may_start is None or again <= may_start, f"repeated: {again - may_start}"
        repeated += len(again)
        seen |= run.started.keys()
        # What was allowed to repeat and has not yet is still allowed to.
        may_start = run.may_repeat | ((may_start or set()) - run.started.keys())
    return repeated
