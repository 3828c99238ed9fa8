"""A real engine that is killed while it works."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from support.engines.engines_under_test import LLAMA_CPP
from support.fleet.scripted_engine import NO_GROUNDER
from support.waiting import PATIENCE_SECONDS
from toplu.clock import SystemClock
from toplu.fleet.adapters.prompt import PromptAdapter
from toplu.fleet.pool import Pool
from toplu.fleet.processes.launch import launch_of
from toplu.fleet.processes.supervisor import Supervisor
from toplu.fleet.work import Answer, Tier
from toplu.settings.server import Settings
from toplu.wire.gemini.content import Content, GenerateContentRequest, GenerationConfig, Part


def a_request(text: str) -> GenerateContentRequest:
    return GenerateContentRequest(
        contents=[Content(parts=[Part(text=text)])],
        generation_config=GenerationConfig(max_output_tokens=12, temperature=0),
    )


@pytest.mark.model
async def test_a_killed_engine_costs_no_request_its_answer(tmp_path: Path):
    settings = Settings(data_dir=tmp_path)
    supervisor = Supervisor(
        name="m",
        launch=launch_of(LLAMA_CPP, settings, tmp_path),
        clock=SystemClock(),
        start_attempts_max=settings.engine_start_attempts_max,
    )
    pool = Pool(
        model=LLAMA_CPP,
        supervisor=supervisor,
        settings=settings,
        adapter=PromptAdapter(LLAMA_CPP, NO_GROUNDER),
    )
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        run = group.create_task(supervisor.run())
        calls = [
            group.create_task(
                pool.run(Answer(request=a_request(f"Say {number}."), tier=Tier.BATCH))
            )
            for number in range(8)
        ]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        first_pid = supervisor.pid
        assert first_pid is not None
        assert not all(call.done() for call in calls)
        os.kill(first_pid, signal.SIGKILL)
        answers = await asyncio.gather(*calls)
        assert supervisor.pid not in (None, first_pid)
        run.cancel()
    assert all(each.response.candidates[0].content.parts for each in answers)
    with pytest.raises(ProcessLookupError):
        os.kill(first_pid, 0)
