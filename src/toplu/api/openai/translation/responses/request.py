"""A response's body to a GenerateContentRequest: its items are the messages of a chat."""

from typing import Any

import msgspec

from toplu.api.openai.translation.asked import AnswerForm, Asked
from toplu.api.openai.translation.contents import read_contents
from toplu.api.openai.translation.functions import Choice, read_functions
from toplu.api.openai.translation.sampling import (
    answered_tier,
    config_of,
    read_format,
    thinking_of,
    tier_of,
)
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part
from toplu.wire.openai.chat import (
    ChatMessage,
    ContentPart,
    FileInput,
    ImageUrl,
    JsonSchemaFormat,
    ResponseFormat,
)
from toplu.wire.openai.message import FreeForm, InvalidParameter, UnsupportedParameter, read
from toplu.wire.openai.response import (
    FunctionChoice,
    FunctionTool,
    InputItem,
    InputPart,
    ResponseRequest,
)
from toplu.wire.openai.tool import (
    AllowedTools,
    FunctionCall,
    FunctionDefinition,
    NamedFunction,
    ToolCall,
    ToolChoice,
)

# Nothing is stored that a later call could name.
UNSERVED = ("previous_response_id", "conversation", "prompt")
TEXTS = frozenset({"input_text", "output_text", "text"})
# Fields of the request that stand in its answer again.
ECHOED = ("instructions", "max_output_tokens", "metadata", "temperature", "top_p")


def read_response(body: bytes | FreeForm) -> Asked:
    """Return what the body asks for; InvalidParameter says what is wrong, and where."""
    request = read(ResponseRequest, body)
    _refuse_unserved(request)
    messages = [_message(item, f"input[{at}]") for at, item in enumerate(_items(request.input))]
    system, turns = read_contents([each for each in messages if each is not None], "input")
    functions = read_functions(_functions_in(request.tools or []), _choice(request.tool_choice))
    config = config_of(
        temperature=request.temperature,
        top_p=request.top_p,
        max_output_tokens=request.max_output_tokens,
        thinking_config=thinking_of(
            request.reasoning.effort if request.reasoning else None, "reasoning.effort"
        ),
        response_logprobs=True if request.top_logprobs else None,
        logprobs=request.top_logprobs or None,
        **_format(request),
    )
    return Asked(
        form=AnswerForm(
            model=request.model,
            service_tier=answered_tier(request.service_tier),
            one_call=request.parallel_tool_calls is False,
            echo=_echo(request),
        ),
        requests=(
            GenerateContentRequest(
                contents=turns,
                system_instruction=_with_instructions(request.instructions, system),
                tools=functions.tools,
                tool_config=functions.config,
                generation_config=config,
                service_tier=tier_of(request.service_tier),
            ),
        ),
        streams=bool(request.stream),
    )


def _refuse_unserved(request: ResponseRequest) -> None:
    for name in UNSERVED:
        if getattr(request, name) is not None:
            raise UnsupportedParameter(
                name, f"'{name}' is not served: nothing of a response is stored here."
            )
    if request.background:
        raise UnsupportedParameter("background", "'background' is not served: make a batch of it.")


def _with_instructions(instructions: str | None, system: Content | None) -> Content | None:
    if instructions is None:
        return system
    said = [] if system is None else system.parts or []
    return Content(parts=[Part(text=instructions), *said])


def _items(given: str | list[InputItem]) -> list[InputItem]:
    return [InputItem(role="user", content=given)] if isinstance(given, str) else given


def _message(item: InputItem, at: str) -> ChatMessage | None:
    match item.type:
        case "message" if item.role is not None:
            return ChatMessage(role=item.role, content=_content(item.content, at))
        case "function_call" if item.call_id is not None and item.name is not None:
            function = FunctionCall(name=item.name, arguments=item.arguments or "{}")
            call = ToolCall(id=item.call_id, function=function)
            return ChatMessage(role="assistant", tool_calls=[call])
        case "function_call_output" if item.call_id is not None:
            return ChatMessage(
                role="tool", tool_call_id=item.call_id, content=_content(item.output, at)
            )
        case "reasoning":
            return None  # earlier thoughts are no part of the conversation
        case "message" | "function_call" | "function_call_output":
            raise InvalidParameter(at, f"'{at}' lacks a field of a {item.type}.")
        case _:
            raise UnsupportedParameter(at, f"'{at}': items of type '{item.type}' are not served.")


def _content(content: str | list[InputPart] | None, at: str) -> str | list[ContentPart] | None:
    if not isinstance(content, list):
        return content
    return [_part(part, f"{at}.content[{index}]") for index, part in enumerate(content)]


def _part(part: InputPart, at: str) -> ContentPart:
    if part.type in TEXTS:
        return ContentPart(type="text", text=part.text)
    if part.type == "refusal":
        return ContentPart(type="refusal", refusal=part.refusal)
    if part.type == "input_image" and part.image_url is not None:
        return ContentPart(type="image_url", image_url=ImageUrl(url=part.image_url))
    if part.type in {"input_image", "input_file"}:
        file = FileInput(file_id=part.file_id, file_data=part.file_data, filename=part.filename)
        return ContentPart(type="file", file=file)
    raise UnsupportedParameter(at, f"'{at}': parts of type '{part.type}' are not served.")


def _functions_in(tools: list[FunctionTool]) -> list[FunctionDefinition]:
    found = []
    for index, tool in enumerate(tools):
        at = f"tools[{index}]"
        if tool.type != "function":
            raise UnsupportedParameter(
                f"{at}.type", f"'{at}.type': tools of type '{tool.type}' are not served."
            )
        if tool.name is None:
            raise InvalidParameter(f"{at}.name", f"Missing required parameter: '{at}.name'.")
        found.append(
            FunctionDefinition(
                name=tool.name, description=tool.description, parameters=tool.parameters
            )
        )
    return found


def _choice(choice: str | FunctionChoice | None) -> Choice:
    if not isinstance(choice, FunctionChoice):
        return choice
    if choice.type == "allowed_tools" and choice.mode is not None:
        tools = [_named(each) for each in choice.tools or []]
        return ToolChoice(
            type="allowed_tools", allowed_tools=AllowedTools(mode=choice.mode, tools=tools)
        )
    return _named(choice)


def _named(choice: FunctionChoice) -> ToolChoice:
    function = None if choice.name is None else NamedFunction(name=choice.name)
    return ToolChoice(type=choice.type, function=function)


def _format(request: ResponseRequest) -> dict[str, Any]:
    form = request.text.format if request.text else None
    if form is None:
        return {}
    schema = None
    if form.json_schema is not None:
        schema = JsonSchemaFormat(name=form.name, json_schema=form.json_schema)
    return read_format(ResponseFormat(type=form.type, json_schema=schema), "text.format")


def _echo(request: ResponseRequest) -> FreeForm:
    """Return the fields that the answer repeats, those alone that were given."""
    echo: FreeForm = {
        name: value for name in ECHOED if (value := getattr(request, name)) is not None
    }
    if request.tools:
        echo["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": tool.strict if tool.strict is not None else True,
            }
            for tool in request.tools
        ]
    if request.tool_choice is not None:
        echo["tool_choice"] = msgspec.to_builtins(request.tool_choice)
    if request.text is not None and request.text.format is not None:
        echo["text"] = {"format": msgspec.to_builtins(request.text.format)}
    return echo
