"""Functions and the choice among them, as tools of a GenerateContentRequest."""

from collections.abc import Sequence
from dataclasses import dataclass

from toplu.wire.gemini.tool import (
    FunctionCallingConfig,
    FunctionDeclaration,
    Mode,
    Tool,
    ToolConfig,
)
from toplu.wire.openai.message import InvalidParameter, UnsupportedParameter
from toplu.wire.openai.tool import FunctionDefinition, ToolChoice

NO_PARAMETERS = {"type": "object", "properties": {}}
MODES = {"none": Mode.NONE, "auto": Mode.AUTO, "required": Mode.ANY}

Choice = str | ToolChoice | None


@dataclass(frozen=True, slots=True)
class FunctionUse:
    """The functions of a request."""

    tools: list[Tool] | None = None
    config: ToolConfig | None = None


def declare(function: FunctionDefinition) -> FunctionDeclaration:
    """Return the declaration; a function without parameters takes none."""
    parameters = NO_PARAMETERS if function.parameters is None else function.parameters
    return FunctionDeclaration(
        name=function.name, description=function.description, parameters_json_schema=parameters
    )


def read_functions(functions: Sequence[FunctionDefinition], choice: Choice) -> FunctionUse:
    """Return the tools with the mode that the choice stands for; raises InvalidParameter."""
    if not functions:
        if choice not in (None, "none", "auto"):
            raise InvalidParameter("tool_choice", "'tool_choice' needs functions in 'tools'.")
        return FunctionUse()
    allowed = _allowed(choice)
    known = {function.name for function in functions}
    for name in allowed or ():
        if name not in known:
            raise InvalidParameter(
                "tool_choice", f"'tool_choice': no function '{name}' in 'tools'."
            )
    mode = _mode(choice)
    if allowed is not None and mode is Mode.AUTO:
        # What may not be called is not shown.
        functions = [function for function in functions if function.name in allowed]
        allowed = None
    tools = [Tool(function_declarations=[declare(function) for function in functions])]
    if mode is None:
        return FunctionUse(tools)
    calling = FunctionCallingConfig(mode=mode, allowed_function_names=allowed)
    return FunctionUse(tools, ToolConfig(function_calling_config=calling))


def _mode(choice: Choice) -> Mode | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        return MODES[choice]
    return Mode.ANY if choice.allowed_tools is None else MODES[choice.allowed_tools.mode]


def _allowed(choice: Choice) -> list[str] | None:
    if not isinstance(choice, ToolChoice):
        return None
    if choice.type == "function" and choice.function is not None:
        return [choice.function.name]
    if choice.type == "allowed_tools" and choice.allowed_tools is not None:
        named = [each.function for each in choice.allowed_tools.tools]
        return [function.name for function in named if function is not None]
    raise UnsupportedParameter("tool_choice", f"'tool_choice': type '{choice.type}' is not served.")
