"""Recognises the errors of servers for a prompt that is longer than their context.

| server    | words                                                                              |
|-----------|------------------------------------------------------------------------------------|
| llama.cpp | request (P tokens) exceeds the available context size (C tokens)                   |
|           | input (P tokens) is too large to process. … (current batch size: C)                |
| OpenAI    | maximum context length is C tokens … (P in your prompt                             |
| vLLM      | maximum context length is C tokens … (P in the messages, … or … P input tokens     |
| SGLang    | maximum context length of C tokens … P tokens from the input                       |
|           | The input (P tokens) is longer than the model's context length (C tokens)          |
| TGI       | must be <= C. Given: P `inputs` tokens, or: must have less than C tokens. Given: P |
"""

import re
from dataclasses import dataclass

CONTEXT = re.compile(
    r"maximum context length (?:is|of) (\d+)|context (?:length|size) \((\d+) tokens\)"
    r"|must be <= (\d+)|must have less than (\d+) tokens|current batch size: (\d+)"
)
PROMPT = re.compile(
    r"(\d+) in (?:the messages|your prompt)|(\d+) input tokens|(\d+) tokens from the input"
    r"|(?:input|request) \((\d+) tokens\)|Given: (\d+)"
)


@dataclass(frozen=True, slots=True)
class ContextOverflow:
    """A server's refusal of a request that is too long for it."""

    prompt_tokens: int
    context_tokens: int

    @property
    def room(self) -> int:
        """Return how many tokens the answer may have."""
        return max(0, self.context_tokens - self.prompt_tokens)

    @property
    def message(self) -> str:
        """Return the message for a client, in the words of the hosted service."""
        # The answer needs room for one token at least.
        return self.message_for(self.context_tokens - 1)

    def message_for(self, tokens_max: int) -> str:
        """Return the same where so many tokens are allowed."""
        return (
            f"The input token count ({self.prompt_tokens}) exceeds the maximum number of "
            f"tokens allowed ({tokens_max})."
        )


def read_overlength(message: str) -> ContextOverflow | None:
    """Return what the message says, None if it is about something else."""
    context, prompt = CONTEXT.search(message), PROMPT.search(message)
    if context is None or prompt is None:
        return None
    return ContextOverflow(_number(prompt), _number(context))


def _number(found: re.Match[str]) -> int:
    return int(next(group for group in found.groups() if group is not None))
