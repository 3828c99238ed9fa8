import asyncio
from pathlib import Path

import pytest

from support.fleet.scripted_engine import NO_GROUNDER, RestlessClock, a_request, eventually
from support.waiting import PATIENCE_SECONDS
from toplu.errors import Internal
from toplu.fleet.fleet import Fleet
from toplu.fleet.work import Answer, Tier
from toplu.models.catalogue import Catalogue
from toplu.settings.server import EchoSettings, ModelSettings, Settings

FRAGILE = ModelSettings(name="fragile", engine="echo", echo=EchoSettings(crash_pattern="boom"))
STURDY = ModelSettings(name="sturdy", engine="echo")
BROKEN = ModelSettings(name="broken", engine="llama_cpp", source="path:/no/such.gguf")


def a_fleet(*models: ModelSettings) -> Fleet:
    settings = Settings(models=models, engine_start_attempts_max=2)
    return Fleet(settings, Catalogue(models), RestlessClock(), NO_GROUNDER, Path("unused"))


async def test_every_model_of_the_catalogue_is_brought_up_or_given_up():
    fleet = a_fleet(STURDY, BROKEN)
    assert fleet.status() == {"sturdy": "STARTING", "broken": "STARTING"}
    async with asyncio.TaskGroup() as group:
        run = group.create_task(fleet.run())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while fleet.status() != {"sturdy": "READY", "broken": "GIVEN_UP"}:
                await asyncio.sleep(0)
        run.cancel()
    assert fleet.status() == {"sturdy": "STOPPED", "broken": "GIVEN_UP"}


async def test_a_request_that_crashes_its_engine_does_not_touch_other_engines():
    fleet = a_fleet(FRAGILE, STURDY)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        run = group.create_task(fleet.run())
        with pytest.raises(Internal, match="crashed 3 times"):
            await fleet.pool("fragile").run(Answer(request=a_request("boom"), tier=Tier.BATCH))
        await eventually(lambda: fleet.status()["sturdy"] == "READY")
        for name in ("fragile", "sturdy"):
            answered = await fleet.pool(name).run(Answer(request=a_request("fine")))
            assert answered.response.model_version == name
        run.cancel()
