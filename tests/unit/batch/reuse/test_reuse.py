"""Answers are found in outputs of batches that are there when they are wanted."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from support.batch.batch_world import PROJECT, BatchWorld, answer_all
from toplu.batch import paths
from toplu.batch.provenance.model_facts import FactReader
from toplu.batch.reuse.kept_answers import KeptAnswers
from toplu.batch.reuse.reuse import Reuse
from toplu.batch.run.request_runner import RequestRunner
from toplu.files.library import Library
from toplu.fleet.work import Answered
from toplu.job import Job, JobId
from toplu.settings.model import ModelSettings
from toplu.store.rows.reuse import ReuseRows
from toplu.wire.gemini.content import (
    GenerateContentRequest,
    GenerateContentResponse,
    UsageMetadata,
)
from toplu.wire.gemini.jsonl import read_line

MODEL = ModelSettings(name="echo", engine="echo")


@dataclass
class Engine:
    """Answers at once, and remembers what it was asked."""

    lanes: int = 1
    window: int = 2
    copies: bool = True  # whether its answers are right for others
    shortened: bool = False
    asked: list[str] = field(default_factory=list)

    async def may_copy(self, _: GenerateContentRequest, **__: Any) -> bool:
        return self.copies

    async def answer(self, request: GenerateContentRequest, **_: Any) -> Answered:
        self.asked.append(str((request.contents or [])[0].parts[0].text))
        response = GenerateContentResponse(
            candidates=[],
            usage_metadata=UsageMetadata(prompt_token_count=5, total_token_count=7),
            model_version="m",
            response_id=f"id-{len(self.asked)}",
        )
        return Answered.of(response, shortened=self.shortened)


def a_line(text: str) -> bytes:
    request = {"contents": [{"parts": [{"text": text}]}], "generationConfig": {"temperature": 0}}
    return json.dumps({"key": text, "request": request}).encode()


LINES = [a_line(text) for text in ("one", "two", "three")]


def reuse_of(world: BatchWorld, model: ModelSettings = MODEL) -> Reuse:
    kept = KeptAnswers(
        settings=world.settings,
        clock=world.clock,
        rows=ReuseRows(world.database),
        blobs=world.blobs,
    )
    return Reuse(facts=FactReader(model, world.settings), library=cast("Library", None), kept=kept)


async def run(
    world: BatchWorld,
    name: str,
    engine: Engine,
    known: Reuse | None = None,
    lines: list[bytes] = LINES,
    **changes: Any,
) -> Job:
    """Return a job with these lines that has succeeded."""
    await world.keep_job(name, lines, **{"reuse": True} | changes)
    await world.planner().step()
    writer = world.writer()
    requests = RequestRunner(engine, world.settings, reuse=known or reuse_of(world))
    await answer_all(world, requests, writer)
    await writer.flush()
    await world.assembler().step()
    return await world.job(name)


async def test_a_job_has_the_answers_of_one_before(world: BatchWorld) -> None:
    engine = Engine()
    await run(world, "first", engine)
    job = await run(world, "second", engine, lines=[*LINES, a_line("new")])
    assert sorted(engine.asked) == ["new", "one", "three", "two"]
    assert (job.usage.reused_requests, job.usage.reused_tokens) == (3, 21)
    assert (job.usage.prompt_tokens, job.counts.succeeded) == (5, 4)
    first, second = await world.output("first"), await world.output("second")
    assert [it["key"] for it in second] == ["one", "two", "three", "new"]
    ids = {it["response"].pop("responseId") for it in (*first, *second)}
    assert len(ids) == 7
    assert first == second[:3]


async def test_what_is_not_the_models_last_word_is_not_lent(world: BatchWorld) -> None:
    for name, engine in (("a", Engine(copies=False)), ("b", Engine(shortened=True))):
        await run(world, f"{name}1", engine)
        await run(world, f"{name}2", engine)
        assert len(engine.asked) == 6


async def test_another_model_under_the_same_name_has_not_said_it(world: BatchWorld) -> None:
    engine = Engine()
    await run(world, "first", engine)
    other = replace(MODEL, temperature=0.5)
    await run(world, "second", engine, reuse_of(world, other))
    assert len(engine.asked) == 6


async def test_a_batch_that_is_deleted_meanwhile_lends_nothing(world: BatchWorld) -> None:
    engine, reuse = Engine(), reuse_of(world)
    await run(world, "first", engine)
    job = await world.keep_job("second", LINES, reuse=True)
    digests = await digests_of(reuse, job)
    assert await reuse.find(job, digests[0]) is not None
    await world.jobs.mark_deleted(PROJECT, JobId("first"), world.clock.now())
    # Its bytes are there still, and it is among the batches that were found a moment ago.
    assert await world.blobs.size(paths.answers(JobId("first")))
    assert await reuse.find(job, digests[1]) is None


async def test_bytes_that_are_gone_are_no_answer_and_no_fault(world: BatchWorld) -> None:
    engine, reuse = Engine(), reuse_of(world)
    await run(world, "first", engine)
    job = await world.keep_job("second", LINES, reuse=True)
    digests = await digests_of(reuse, job)
    assert await reuse.find(job, digests[0]) is not None
    await world.blobs.delete(paths.output_lines(JobId("first")))
    assert await reuse.find(job, digests[0]) is None
    await world.blobs.delete(paths.answers(JobId("first")))
    assert await reuse.find(job, digests[0]) is None


async def test_a_batch_that_ends_meanwhile_is_found_soon(world: BatchWorld) -> None:
    engine, reuse = Engine(), reuse_of(world)
    job = await world.keep_job("asking", LINES, reuse=True)
    digests = await digests_of(reuse, job)
    assert await reuse.find(job, digests[0]) is None
    await world.jobs.mark_deleted(PROJECT, job.id, world.clock.now())
    await run(world, "first", engine)
    world.clock.advance(timedelta(seconds=6))
    assert await reuse.find(job, digests[0]) is not None


async def test_answers_are_too_old_after_a_while(tmp_path: Path) -> None:
    world = await BatchWorld.open(tmp_path / "own", reuse_seconds=3600.0)
    engine = Engine()
    await run(world, "first", engine)
    world.clock.advance(timedelta(minutes=59))
    await run(world, "second", engine)
    assert len(engine.asked) == 3
    world.clock.advance(timedelta(minutes=2))
    await run(world, "third", engine)
    assert len(engine.asked) == 6
    await world.close()


async def test_only_the_last_batches_are_looked_at(tmp_path: Path) -> None:
    world = await BatchWorld.open(tmp_path / "own", reuse_batches_max=1)
    engine = Engine()
    await run(world, "first", engine)
    await run(world, "other", engine, lines=[a_line("other")])
    await run(world, "again", engine)
    assert len(engine.asked) == 7
    await world.close()


async def test_a_job_that_does_not_share_has_no_index(world: BatchWorld) -> None:
    await run(world, "first", Engine(), reuse=False)
    assert await world.blobs.size(paths.answers(JobId("first"))) is None


async def digests_of(reuse: Reuse, job: Job) -> list[bytes]:
    digests = [await reuse.digest(job, read_line(line, 1).request) for line in LINES]
    return [it for it in digests if it is not None]
