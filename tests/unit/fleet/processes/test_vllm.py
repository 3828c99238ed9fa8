import asyncio
from pathlib import Path

import pytest

from support.fake_clock import FakeClock
from toplu.fleet.processes.supervisor import EngineGivenUp
from toplu.fleet.processes.vllm import VllmServers, command_of
from toplu.settings.model import ModelSettings
from toplu.settings.remote import VllmSettings
from toplu.settings.server import Settings

MODEL = ModelSettings(
    name="m",
    engine="vllm",
    source="hub:someone/a-model",
    context_tokens=8192,
    replicas=2,
    vllm=VllmSettings(command="/opt/vllm", tensor_parallel=2, args=("--dtype", "half")),
)


def test_vllm_is_run_as_the_model_says() -> None:
    command = command_of(MODEL, 8100)
    assert command[:3] == ["/opt/vllm", "serve", "someone/a-model"]
    assert command[-2:] == ["--dtype", "half"]
    said = dict(zip(command[3::2], command[4::2], strict=False))
    assert said["--host"] == "127.0.0.1"
    assert said["--port"] == "8100"
    assert said["--served-model-name"] == "m"
    assert said["--max-model-len"] == "8192"
    assert said["--tensor-parallel-size"] == "2"


def test_each_replica_is_a_server_with_a_port_of_its_own() -> None:
    own = VllmServers(MODEL, Settings(), FakeClock(), lambda: None)
    first, second = own.remote_model.servers
    assert first.url != second.url
    assert {first.model, second.model} == {"m"}
    assert own.key.reveal() not in str(own.remote_model)


async def test_programs_that_cannot_be_run_are_given_up(tmp_path: Path) -> None:
    nothing = ModelSettings(
        name="m",
        engine="vllm",
        source="hub:someone/a-model",
        vllm=VllmSettings(command=str(tmp_path / "none")),
    )
    settings = Settings(engine_start_attempts_max=1)
    own = VllmServers(nothing, settings, FakeClock(), lambda: None)
    async with asyncio.TaskGroup() as group:
        group.create_task(own.run())
        with pytest.raises(EngineGivenUp, match="cannot be run: No such file"):
            await own.ready()
