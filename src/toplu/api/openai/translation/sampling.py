"""The rules for sampling an answer, and its form."""

from typing import Any

from toplu.wire.gemini.content import GenerationConfig
from toplu.wire.gemini.content import ServiceTier as CoreTier
from toplu.wire.gemini.thinking import ThinkingConfig, ThinkingLevel
from toplu.wire.openai.chat import JsonSchemaFormat, ResponseFormat, SamplingFields
from toplu.wire.openai.message import InvalidParameter, UnsupportedParameter

JSON = "application/json"
TIERS = {"flex": CoreTier.FLEX, "priority": CoreTier.PRIORITY}
SEED_BITS = 31  # what the core has for a seed; a longer one is folded, so that it stays one
LEVELS = {
    "minimal": ThinkingLevel.MINIMAL,
    "low": ThinkingLevel.LOW,
    "medium": ThinkingLevel.MEDIUM,
    "high": ThinkingLevel.HIGH,
    "xhigh": ThinkingLevel.XHIGH,
}


def sampling_of(request: SamplingFields) -> dict[str, Any]:
    """Return the fields of a GenerationConfig that both forms of completions have."""
    if request.logit_bias:
        raise UnsupportedParameter("logit_bias")
    stop = [request.stop] if isinstance(request.stop, str) else request.stop
    return {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k if request.top_k is None or request.top_k > 0 else None,
        "candidate_count": request.n,
        "stop_sequences": stop or None,
        "max_output_tokens": request.max_tokens,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "seed": None if request.seed is None else fold_seed(request.seed),
    }


def tier_of(asked: str | None) -> CoreTier | None:
    """Return the tier of the core; those that it has no word for are the usual one."""
    return TIERS.get(asked or "auto")


def answered_tier(asked: str | None) -> str:
    """Return the tier as an answer says it."""
    return asked if asked in TIERS else "default"


def fold_seed(seed: int) -> int:
    """Return a seed of 31 bits; equal seeds stay equal."""
    return seed % (1 << SEED_BITS)


def read_format(form: ResponseFormat | None, at: str = "response_format") -> dict[str, Any]:
    """Return the fields of a GenerationConfig that hold an answer to a form."""
    if form is None or form.type == "text":
        return {}
    if form.type == "json_object":
        return {"response_mime_type": JSON}
    if form.json_schema is None:
        raise InvalidParameter(
            f"{at}.json_schema", f"Missing required parameter: '{at}.json_schema'."
        )
    return format_of_schema(form.json_schema)


def format_of_schema(named: JsonSchemaFormat) -> dict[str, Any]:
    """Return the fields that hold an answer to the schema, whether or not it is to be strict."""
    schema = {} if named.json_schema is None else named.json_schema
    return {"response_mime_type": JSON, "response_json_schema": schema}


def thinking_of(effort: str | None, at: str = "reasoning_effort") -> ThinkingConfig | None:
    """Return how much the model is to think; one that cannot think takes every wish."""
    if effort is None:
        return None
    if effort == "none":
        return ThinkingConfig(thinking_budget=0)
    if effort not in LEVELS:
        known = ", ".join(["none", *LEVELS])
        raise InvalidParameter(at, f"Invalid value for '{at}': '{effort}'; known are {known}.")
    return ThinkingConfig(thinking_level=LEVELS[effort])


def config_of(**fields: Any) -> GenerationConfig | None:
    """Return the config, None if nothing is asked for."""
    given = {name: value for name, value in fields.items() if value is not None}
    return GenerationConfig(**given) if given else None
