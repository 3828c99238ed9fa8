"""An answer of another Gemini server that took several attempts costs what the last one used."""

from typing import Any

from support.engines.misbehaving_gemini import MisbehavingGemini, candidate, responding
from support.engines.misbehaving_server import Behaviour
from support.engines.pool_before_servers import world
from toplu.money import Usage

AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
WRONG, RIGHT = {"text": '{"age": "old"}'}, {"text": '{"age": 7}'}


def asking(config: dict[str, Any]) -> dict[str, Any]:
    form = {"responseMimeType": "application/json", "responseJsonSchema": AGE}
    question = {"role": "user", "parts": [{"text": "q"}]}
    return {"contents": [question], "generationConfig": form | config}


def in_turn(*answers: Behaviour) -> MisbehavingGemini:
    """Return a server that gives these answers one after another."""
    server = MisbehavingGemini(lambda *_: answers[len(server.bodies) - 1])
    return server


async def test_an_answer_costs_what_its_last_attempt_used():
    server = in_turn(*[responding(candidate(WRONG))] * 2, responding(candidate(RIGHT)))
    async with world(server) as here:
        answered = await here.answered(asking({}))
    assert answered.usage.priced == Usage(prompt_tokens=3, output_tokens=3)
    assert answered.usage.prompt_tokens == answered.usage.output_tokens == 9


async def test_candidates_cost_what_their_first_attempt_used_together():
    good, bad = candidate(RIGHT, index=0), candidate(WRONG, index=1)
    server = in_turn(responding(good, bad), responding(candidate(RIGHT, index=0)))
    async with world(server) as here:
        answered = await here.answered(asking({"candidateCount": 2}))
    assert answered.usage.priced == Usage(prompt_tokens=3, output_tokens=3)
    assert answered.usage.total_tokens == 12
