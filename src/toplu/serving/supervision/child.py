"""A process of the supervisor: it reads its order, and does its work until it is told to end."""

import asyncio
import socket
import sys

import uvloop

from toplu.errors import ConfigurationError, first_of
from toplu.serving import garbage
from toplu.serving.records.logs import configure_logs
from toplu.serving.records.traces import configure_traces
from toplu.serving.stop_signals import StopSignals
from toplu.serving.supervision.parent import Parent


def main() -> None:
    """Run one process; why it cannot begin is for the supervisor to say."""
    garbage.pause()
    parent = Parent()
    configure_logs(parent.order.settings, process=parent.order.name)
    try:
        configure_traces(parent.order.settings, process=parent.order.name)
        uvloop.run(_run(parent))
    except* ConfigurationError as refusals:
        parent.tell_refusal(str(first_of(refusals)))
        sys.exit(2)


async def _run(parent: Parent) -> None:
    order, signals = parent.order, StopSignals(is_child=True)
    draining = asyncio.Event()
    parent.listen(asyncio.get_running_loop(), draining.set)
    # Each imports the half that it is.
    if order.role == "worker":
        from toplu.serving.worker_process import run_worker

        await run_worker(
            order.settings, order.replicas, signals, name=order.name, ready=parent.tell_ready
        )
        return
    from toplu.serving.api_process import run_api

    assert order.listener is not None, "the supervisor has the port"
    with socket.socket(fileno=order.listener) as listener:
        listener.setblocking(False)
        await run_api(
            order.settings,
            listener,
            signals,
            is_draining=draining.is_set,
            ready=parent.tell_ready,
        )


if __name__ == "__main__":
    main()
