"""A chat completion's body to a GenerateContentRequest."""

from toplu.api.openai.translation.asked import AnswerForm, Asked
from toplu.api.openai.translation.contents import read_contents
from toplu.api.openai.translation.functions import read_functions
from toplu.api.openai.translation.sampling import (
    answered_tier,
    config_of,
    read_format,
    sampling_of,
    thinking_of,
    tier_of,
)
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.openai.chat import ChatRequest
from toplu.wire.openai.message import FreeForm, InvalidParameter, UnsupportedParameter, read
from toplu.wire.openai.tool import FunctionDefinition, Tool

# Known to OpenAI's API and not served; what is neither here nor a field of ours passes.
UNSERVED = ("audio", "functions", "function_call", "web_search_options")


def read_chat(body: bytes | FreeForm) -> Asked:
    """Return what the body asks for; InvalidParameter says what is wrong, and where."""
    request = read(ChatRequest, body)
    _refuse_unserved(request)
    system, turns = read_contents(request.messages)
    functions = read_functions(functions_in(request.tools or []), request.tool_choice)
    sampling = sampling_of(request)
    if request.max_completion_tokens is not None:
        sampling["max_output_tokens"] = request.max_completion_tokens
    config = config_of(
        **sampling,
        **read_format(request.response_format),
        thinking_config=thinking_of(request.reasoning_effort),
        response_logprobs=request.logprobs or None,
        logprobs=_top_logprobs(request),
    )
    return Asked(
        form=AnswerForm(
            model=request.model,
            service_tier=answered_tier(request.service_tier),
            one_call=request.parallel_tool_calls is False,
            include_usage=bool(request.stream_options and request.stream_options.include_usage),
        ),
        requests=(
            GenerateContentRequest(
                contents=turns,
                system_instruction=system,
                tools=functions.tools,
                tool_config=functions.config,
                generation_config=config,
                service_tier=tier_of(request.service_tier),
            ),
        ),
        streams=bool(request.stream),
    )


def functions_in(tools: list[Tool]) -> list[FunctionDefinition]:
    """Return the functions of the tools; UnsupportedParameter names any other tool."""
    found = []
    for index, tool in enumerate(tools):
        at = f"tools[{index}]"
        if tool.type != "function":
            raise UnsupportedParameter(
                f"{at}.type", f"'{at}.type': tools of type '{tool.type}' are not served."
            )
        if tool.function is None:
            raise InvalidParameter(
                f"{at}.function", f"Missing required parameter: '{at}.function'."
            )
        found.append(tool.function)
    return found


def _refuse_unserved(request: ChatRequest) -> None:
    for name in UNSERVED:
        if getattr(request, name) is not None:
            raise UnsupportedParameter(name)
    if request.modalities not in (None, [], ["text"]):
        raise UnsupportedParameter("modalities", "'modalities': only text is served.")


def _top_logprobs(request: ChatRequest) -> int | None:
    if request.top_logprobs and not request.logprobs:
        raise InvalidParameter("top_logprobs", "'top_logprobs' needs 'logprobs' to be true.")
    return request.top_logprobs if request.logprobs else None
