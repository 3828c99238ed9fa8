"""What a client may ask of its batches beyond the Gemini API: see COMPATIBILITY, Extensions."""

from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gate import Call, Gate
from toplu.api.json_lines import JsonLines
from toplu.batch.kept_results import KeptResults
from toplu.job import JobId
from toplu.settings import Settings

COUNT_HEADER = "X-Toplu-Result-Count"
COMPLETE_HEADER = "X-Toplu-Complete"


class BatchExtensions:
    """The door to the calls of our own on `batches/…`."""

    def __init__(self, *, settings: Settings, results: KeptResults) -> None:
        self._settings = settings
        self._results = results

    def routes(self, gate: Gate) -> list[Route]:
        batch = "/{version:version}/batches/{batch}"
        return [Route(f"{batch}:results", gate.endpoint(self.results), methods=["GET"])]

    async def results(self, call: Call) -> Response:
        """Answer with the results so far, in input order, whatever the state of the batch."""
        async with AsyncExitStack() as stack:
            reading = await stack.enter_async_context(
                self._results.so_far(call.project, JobId(call.path("batch")))
            )
            return JsonLines(
                reading.pieces,
                stack.pop_all(),
                headers={
                    COUNT_HEADER: str(reading.count),
                    COMPLETE_HEADER: str(reading.is_complete).lower(),
                },
                stall_seconds_max=self._settings.stream_stall_seconds_max,
            )
