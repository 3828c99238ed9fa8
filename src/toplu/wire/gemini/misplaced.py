"""Fields that older official SDKs put in the wrong place of a batch, and where they belong.

    requests[]                              written by
      tools, toolConfig, safetySettings,
      cachedContent, systemInstruction ──┐  Python 1.24; without the last, JavaScript 1.16
      request                            │
        tools, … ◀───────────────────────┤
        generationConfig                 │
          systemInstruction ─────────────┘  JavaScript 1.16

No field is known in two of these places, so that nothing else is taken for one of them.
"""

from typing import Any

from toplu.errors import FieldViolation, InvalidArgument

# The name in proto snake_case: the spellings of a client.
OF_THE_REQUEST = {
    "system_instruction": ("systemInstruction", "system_instruction"),
    "safety_settings": ("safetySettings", "safety_settings"),
    "tools": ("tools",),
    "tool_config": ("toolConfig", "tool_config"),
    "cached_content": ("cachedContent", "cached_content"),
}
PATH = "batch.input_config.requests.requests"


def lift_misplaced(body: Any) -> None:
    """Move the fields of each inline request into its `request`, in place.

    A field given in two places is InvalidArgument. What has another shape than it should is
    left alone: reading the message complains of it.
    """
    config = _member(_member(body, "batch"), "inputConfig", "input_config")
    entries = _member(_member(config, "requests"), "requests")
    for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        request = _member(entry, "request")
        if isinstance(request, dict):
            _lift(entry, request, OF_THE_REQUEST, f"{PATH}[{index}]")
            generation_config = _member(request, "generationConfig", "generation_config")
            if isinstance(generation_config, dict):
                from_config = {"system_instruction": OF_THE_REQUEST["system_instruction"]}
                path = f"{PATH}[{index}].request.generation_config"
                _lift(generation_config, request, from_config, path)


def _lift(
    source: dict[str, Any],
    request: dict[str, Any],
    fields: dict[str, tuple[str, ...]],
    path: str,
) -> None:
    for name, spellings in fields.items():
        for spelling in spellings:
            value = source.pop(spelling, None)
            if value is None:
                continue
            if _member(request, *spellings) is not None:
                raise _given_twice(f"{path}.{name}")
            request[spellings[0]] = value


def _member(value: Any, *spellings: str) -> Any:
    """Return the object's member under the first spelling that it has, or None."""
    if not isinstance(value, dict):
        return None
    return next((value[name] for name in spellings if value.get(name) is not None), None)


def _given_twice(path: str) -> InvalidArgument:
    reason = "the request has this field in another place already"
    return InvalidArgument.of_fields(
        [FieldViolation(path, f"* BatchGenerateContentRequest.{path}: {reason}\n")]
    )
