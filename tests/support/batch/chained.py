"""Jobs whose lines wait for lines, run by hand."""

import json
from dataclasses import dataclass, field
from typing import Any

from support.batch.batch_world import BatchWorld, answer_all
from toplu.batch.run.request_runner import RequestRunner
from toplu.errors import Internal
from toplu.fleet.work import Answered
from toplu.job import Job, JobState
from toplu.money import Usage
from toplu.wire.gemini.content import (
    Candidate,
    Content,
    FinishReason,
    GenerateContentRequest,
    GenerateContentResponse,
    Part,
    UsageMetadata,
)

STEPS_MAX = 50
COST = Usage(prompt_tokens=3, output_tokens=2)


def asking(key: str, text: str, *after: str, **members: Any) -> bytes:
    """Return a deterministic line that waits for the lines with these keys."""
    request = {"contents": [{"parts": [{"text": text}]}], "generationConfig": {"temperature": 0}}
    waits = {"after": list(after)} if after else {}
    return json.dumps({"key": key} | waits | members | {"request": request}).encode()


@dataclass
class Repeating:
    """Answers with the text in angle brackets, but for one, and counts."""

    lanes: int = 1
    window: int = 2
    failing: str | None = "fail"
    asked: list[str] = field(default_factory=list)

    async def may_copy(self, _: GenerateContentRequest, **__: Any) -> bool:
        return True

    async def answer(self, request: GenerateContentRequest, **_: Any) -> Answered:
        text = (request.contents or [])[0].parts[0].text or ""
        self.asked.append(text)
        if text == self.failing:
            raise Internal("it failed")
        content = Content(role="model", parts=[Part(text=f"<{text}>")])
        candidate = Candidate(content=content, finish_reason=FinishReason.STOP, index=0)
        response = GenerateContentResponse(
            candidates=[candidate],
            usage_metadata=UsageMetadata(prompt_token_count=3, total_token_count=5),
            model_version="held",
            response_id="one",
        )
        return Answered(response=response, usage=COST)


async def run_wave(world: BatchWorld, pool: Repeating) -> None:
    """Answer everything that is planned."""
    writer = world.writer()
    await answer_all(world, RequestRunner(pool, world.settings), writer)
    await writer.step()


async def run_whole(world: BatchWorld, pool: Repeating, name: str = "one") -> Job:
    """Plan the job, and bring it to its end."""
    await world.planner().step()
    await world.orderer().step()
    for _ in range(STEPS_MAX):
        await run_wave(world, pool)
        await world.assembler().step()
        job = await world.job(name)
        if job.is_final:
            assert job.state is JobState.SUCCEEDED
            return job
    raise AssertionError("it does not end")


async def said(world: BatchWorld, name: str = "one") -> dict[str, Any]:
    """Return by key the text of each response, or the error, in input order."""
    return {line["key"]: said_by(line) for line in await world.output(name)}


def said_by(line: dict[str, Any]) -> Any:
    """Return the text of the response of an output line, or code and message of its error."""
    if "error" in line:
        return line["error"]["code"], line["error"]["message"]
    return line["response"]["candidates"][0]["content"]["parts"][0]["text"]
