"""Reads how a request wants its model to think."""

from collections.abc import Iterator

from toplu.engines.prompt import Thinking
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import GenerationConfig
from toplu.wire.gemini.thinking import ThinkingConfig, ThinkingLevel

PATH = "generation_config.thinking_config"
AS_THE_MODEL_LIKES = -1

# Tokens, as Google's own OpenAI-compatible API counts the efforts of the same names.
BUDGETS: dict[ThinkingLevel, int] = {
    ThinkingLevel.MINIMAL: 1024,
    ThinkingLevel.LOW: 1024,
    ThinkingLevel.MEDIUM: 8192,
    ThinkingLevel.HIGH: 24576,
    ThinkingLevel.XHIGH: 24576,
}


def thinking_violations(config: GenerationConfig) -> Iterator[tuple[str, str]]:
    """Yield the path and the reason of everything wrong with the thinking asked for."""
    wanted = config.thinking_config or ThinkingConfig()
    if wanted.thinking_budget is not None and wanted.thinking_budget < AS_THE_MODEL_LIKES:
        yield f"{PATH}.thinking_budget", "thinking_budget must be -1 or more."
    if wanted.thinking_budget is not None and wanted.thinking_level in BUDGETS:
        yield PATH, "only one of thinking_budget and thinking_level may be set."


def read_thinking(config: GenerationConfig, model: ModelSettings) -> Thinking | None:
    """Return how the model is to think, None if it is no model that thinks."""
    if model.thinking is None:
        return None
    wanted = config.thinking_config or ThinkingConfig()
    tokens_max: int | None
    if wanted.thinking_level in BUDGETS:
        tokens_max = BUDGETS[wanted.thinking_level]
    elif wanted.thinking_budget in (None, AS_THE_MODEL_LIKES):
        tokens_max = model.thinking.budget_tokens
    else:
        tokens_max = wanted.thinking_budget
    return Thinking(
        tokens_max=tokens_max,
        is_told=bool(wanted.include_thoughts),
        end=model.thinking.end,
    )
