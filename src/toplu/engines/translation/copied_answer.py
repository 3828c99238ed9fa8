"""The response to a request that asked the very same as another one."""

import msgspec

from toplu.clock import random_id
from toplu.engines.translation.answer import CALL_ID_LENGTH, RESPONSE_ID_LENGTH
from toplu.wire.gemini.content import Candidate, GenerateContentResponse, Part
from toplu.wire.gemini.message import Response


def copy_of(response: Response) -> Response:
    """Return the response as another request gets it: equal, with the ids of its own.

    What a server relayed keeps the ids of its calls, for it may have signed them.
    """
    if isinstance(response, GenerateContentResponse):
        return msgspec.structs.replace(
            response,
            response_id=random_id(RESPONSE_ID_LENGTH),
            candidates=[_candidate(candidate) for candidate in response.candidates],
        )
    if isinstance(response, dict) and "responseId" in response:
        return response | {"responseId": random_id(RESPONSE_ID_LENGTH)}
    return response


def _candidate(candidate: Candidate) -> Candidate:
    parts = candidate.content.parts or []
    if not any(part.function_call for part in parts):
        return candidate
    content = msgspec.structs.replace(candidate.content, parts=[_part(part) for part in parts])
    return msgspec.structs.replace(candidate, content=content)


def _part(part: Part) -> Part:
    if part.function_call is None:
        return part
    call = msgspec.structs.replace(part.function_call, id=random_id(CALL_ID_LENGTH))
    return msgspec.structs.replace(part, function_call=call)
