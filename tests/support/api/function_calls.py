"""Requests that declare functions, and the calls that the echo engine answers them with."""

from typing import Any

from support.api.batch_calls import asking

CITY = {"type": "STRING", "minLength": "1"}
WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"days": {"type": "INTEGER", "minimum": 2}, "first_city": CITY},
        "required": ["first_city", "days"],
        "propertyOrdering": ["first_city", "days"],
    },
}
TIME = {
    "name": "get_time",
    "parametersJsonSchema": {
        "$defs": {"zone": {"enum": ["UTC", "CET"]}},
        "type": "object",
        "properties": {"zone": {"$ref": "#/$defs/zone"}},
        "required": ["zone"],
    },
}
PING = {"name": "ping.all"}
TOOLS = [{"functionDeclarations": [WEATHER, TIME]}, {"function_declarations": [PING]}]

OF_WEATHER = ("get_weather", {"first_city": "a", "days": 10})
OF_TIME = ("get_time", {"zone": "CET"})
OF_PING = ("ping.all", {})


def calling(text: str, mode: str | None = None, *allowed: str, **fields: Any) -> dict[str, Any]:
    config = {"mode": mode} | ({"allowedFunctionNames": allowed} if allowed else {})
    chosen = {} if mode is None else {"toolConfig": {"functionCallingConfig": config}}
    return asking(text) | {"tools": TOOLS} | chosen | fields
