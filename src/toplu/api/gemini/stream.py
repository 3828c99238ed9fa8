r"""The two forms of streams of the Gemini API.

?alt=sse    data: {chunk}\r\n\r\n …          an event for each chunk, and no other at the end
otherwise   [{chunk},\r\n{chunk} … ]         one list, written bit by bit
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from toplu.api.http.error_responses import body_of, render
from toplu.api.http.gate import Endpoint
from toplu.api.http.responses import CONTENT_TYPE
from toplu.api.http.streaming.streamed_answer import Form

STREAM_FORMS = frozenset({"json", "sse"})  # values of `alt`

EVENTS = Form(
    content_type="text/event-stream",
    before_first=b"data: ",
    before_next=b"data: ",
    after_each=b"\r\n\r\n",
    at_end=b"",
    render=render,
    body_of=body_of,
)
LIST = Form(
    content_type=CONTENT_TYPE,
    before_first=b"[",
    before_next=b",\r\n",
    after_each=b"",
    at_end=b"]",
    render=partial(render, in_list=True),
    body_of=body_of,
)


def in_its_form(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with its errors in a list of one where a stream would be a list."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # noqa: BLE001  # rendered as the router would do it
            return await form_of(request).render(request, error)

    return answer


def form_of(request: Request) -> Form:
    """Return the form that the call asks for."""
    return EVENTS if request.query_params.get("alt") == "sse" else LIST
