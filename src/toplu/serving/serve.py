"""Runs a server as its settings say: several processes, or one."""

import asyncio

from toplu.serving import garbage
from toplu.serving.records.logs import configure_logs
from toplu.settings.server import Settings


def run_server(settings: Settings) -> None:
    """Run until a signal ends it."""
    garbage.pause()
    configure_logs(settings)
    if settings.workers:
        from toplu.serving.supervision.supervisor import supervise

        asyncio.run(supervise(settings))
        return
    import uvloop

    from toplu.serving.one_process import serve_in_one_process
    from toplu.serving.records.traces import configure_traces

    configure_traces(settings, process="server")
    uvloop.run(serve_in_one_process(settings))
