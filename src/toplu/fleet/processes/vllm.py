"""Servers of vLLM that a worker runs itself, one for each replica of a model that it owns.

  group of servers ── HTTP on loopback, with a key ──▶ vllm serve ◀── runs, looks after ── child

Each is started again when it ends, as every engine is. To the requests they are servers like those
of others, so that their limits, their load and the seats of batches are found in the same way.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from toplu.clock import Clock
from toplu.engines.vllm.child import VllmOrder
from toplu.fleet.processes.child import EnginePipes, RunningChild, start_child
from toplu.fleet.processes.engine_handle import EngineHandle
from toplu.fleet.processes.supervisor import EngineGivenUp, Supervisor
from toplu.models.repository import repository_of
from toplu.settings.model import ModelSettings
from toplu.settings.remote import Secret, ServerSettings
from toplu.settings.server import Settings

CHILD_MODULE = "toplu.engines.vllm.child"
LOOPBACK = "127.0.0.1"
KEY_BYTES = 32


class VllmProcess:
    """A vLLM that is there; whoever asks it goes through its server's client."""

    async def close(self) -> None:
        pass


class VllmServers:
    """The vLLMs of one model in this process, over all their lives."""

    def __init__(
        self, model: ModelSettings, settings: Settings, clock: Clock, became: Callable[[], None]
    ) -> None:
        self.key = Secret(secrets.token_hex(KEY_BYTES))
        self._model = model
        self._ports = _free_ports(model.replicas)
        self._supervisors = [
            Supervisor(
                name=model.name,
                launch=lambda number=number: self._start(number),  # type: ignore[misc]
                clock=clock,
                start_attempts_max=settings.engine_start_attempts_max,
                lazy=model.lazy,
                became=became,
            )
            for number in range(model.replicas)
        ]

    @property
    def remote_model(self) -> ModelSettings:
        """Return the model with these servers as those that answer for it."""
        servers = tuple(
            ServerSettings(url=f"http://{LOOPBACK}:{port}/v1", model=self._model.name)
            for port in self._ports
        )
        return msgspec.structs.replace(self._model, servers=servers)

    @property
    def reason(self) -> str:
        """Return why the first that is not ready is not, if any."""
        return next((it.reason for it in self._supervisors if it.reason), "")

    async def run(self) -> None:
        """Keep them alive until cancelled; every process has ended when this returns."""
        async with asyncio.TaskGroup() as group:
            for supervisor in self._supervisors:
                group.create_task(supervisor.run(), name=f"vllm of {supervisor.name}")

    async def ready(self) -> None:
        """Return when one of them is; raise EngineGivenUp when all are given up."""
        waiting = [asyncio.ensure_future(it.ready()) for it in self._supervisors]
        try:
            for first in asyncio.as_completed(waiting):
                with contextlib.suppress(EngineGivenUp):
                    await first
                    return
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        raise EngineGivenUp(self.reason)

    async def _start(self, number: int) -> EngineHandle[VllmProcess]:
        port = self._ports[number]
        order = VllmOrder(
            command=command_of(self._model, port),
            environment=self._environment(number),
            health_url=f"http://{LOOPBACK}:{port}/health",
            health_seconds=self._model.remote.health_seconds,
        )
        seconds_max = self._model.vllm.start_seconds_max
        child = await start_child(CHILD_MODULE, order, pipes=EnginePipes(), seconds_max=seconds_max)
        return RunningChild(child, VllmProcess())

    def _environment(self, number: int) -> dict[str, str]:
        variables = {"VLLM_API_KEY": self.key.reveal(), "VLLM_NO_USAGE_STATS": "1"}
        if gpus := self._model.vllm.gpus_of(number):
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        return variables


def command_of(model: ModelSettings, port: int) -> list[str]:
    """Return what runs vLLM for the model; options of the settings go last and win."""
    vllm = model.vllm
    return [
        *(vllm.command, "serve", repository_of(model)),
        *("--host", LOOPBACK, "--port", str(port)),
        *("--served-model-name", model.name),
        *("--max-model-len", str(model.context_tokens)),
        *("--tensor-parallel-size", str(vllm.tensor_parallel)),
        # Interactive calls go before batches, and a batch's receipt says what was reused.
        *("--scheduling-policy", "priority", "--enable-prompt-tokens-details"),
        *vllm.args,
    ]


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens at."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
