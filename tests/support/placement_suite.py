"""The promises of placement, for a server in whichever way its replicas are placed."""

from support.jobs import check_every_request_has_one_outcome, create_job, question, results_of
from support.placements import MOST, PlacedServer

ASKED = {"contents": [{"parts": [{"text": "one two three"}]}]}
FLASH = "/v1beta/models/gemini-2.5-flash:generateContent"
MANY = 5000  # requests: more than one replica would be done with in time
FEW = 12


def check_replicas_come_and_go(found: PlacedServer) -> None:
    """Replicas come when work waits and go when none does."""
    check_rest(found)
    check_a_call_has_one_started(found)
    check_work_that_would_be_late_has_more_started(found)
    found.wait_for_replicas(0)
    check_a_batch_has_one_started(found)
    found.wait_for_replicas(0)


def check_rest(found: PlacedServer) -> None:
    assert found.figure("toplu_replicas_wanted") == 0
    ready = found.server.call("GET", "/readyz")
    assert (ready.status, ready.json()["engines"]) == (200, {"echo": "IDLE"})


def check_a_call_has_one_started(found: PlacedServer) -> None:
    answer = found.server.call("POST", FLASH, ASKED)
    assert answer.status == 200, answer.body
    assert found.figure("toplu_replicas") == found.figure("toplu_replicas_wanted") == 1


def check_work_that_would_be_late_has_more_started(found: PlacedServer) -> None:
    job = create_many(found)
    found.wait_for_replicas(MOST)
    found.kill_a_replica()
    found.wait_for_replicas(MOST)
    assert found.server.call("POST", f"/v1beta/{job}:cancel").status == 200


def check_a_batch_has_one_started(found: PlacedServer) -> None:
    job = create_job(found.server, [question(number) for number in range(FEW)])
    check_every_request_has_one_outcome(results_of(found.server, job), FEW)


def create_many(found: PlacedServer) -> str:
    """Return a batch that wants as many replicas as there may be."""
    return create_job(found.server, [question(number) for number in range(MANY)])
