"""Puts the contents of a cache before a request."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import msgspec
from msgspec.structs import replace

from toplu.engines.generation import Generation
from toplu.engines.prompt import KeptPrefix, Prompt, Turn
from toplu.engines.translation.prompt import read_prefix, read_prompt
from toplu.errors import InvalidArgument, TopluError
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest

SET_BY_THE_CACHE = (
    "CachedContent can not be used with GenerateContent request setting system_instruction, tools "
    "or tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent "
    "request."
)


@dataclass(frozen=True, kw_only=True)
class CachedPrefix:
    """The contents of one cache, and how they begin a prompt of its model."""

    id: str
    request: GenerateContentRequest  # of contents, system instruction, tools and tool config
    model: ModelSettings
    tokens: int

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """The contents as the engine gets them; only where it is asked in prompts."""
        return read_prefix(self.request, self.model).turns

    def joined(self, request: GenerateContentRequest) -> GenerateContentRequest:
        """Return the request with what is cached before its own contents, whatever they are."""
        return msgspec.structs.replace(
            request,
            cached_content=None,
            contents=[*(self.request.contents or []), *(request.contents or [])],
            system_instruction=self.request.system_instruction,
            tools=self.request.tools,
            tool_config=self.request.tool_config,
        )

    def before(self, request: GenerateContentRequest) -> GenerateContentRequest:
        """Return the two joined, or raise what is wrong with the prompt that they make."""
        own = msgspec.structs.replace(request, cached_content=None)
        together = self.joined(own)
        try:
            read_prompt(together if own.contents else own, self.model)
        except TopluError:
            read_prompt(own, self.model)  # its own fault is raised with its own places
            raise
        return together

    def mark(self, prompt: Prompt) -> Prompt:
        """Return the prompt with the cached turns that it begins with as its kept prefix."""
        pairs = zip(self.turns, prompt.turns, strict=False)
        # The model's turns are joined where the request goes on with one.
        shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        if not shared:
            return prompt
        kept = KeptPrefix(id=self.id, turns=shared, tokens=self.tokens)
        return replace(prompt, kept_prefix=kept)

    def count(self, generation: Generation) -> Generation:
        """Return the generation with the cache among its cached tokens.

        They are what the client was promised, even where an engine had to compute them again.
        """
        promised = min(self.tokens, generation.prompt_tokens)
        return replace(generation, cached_tokens=max(generation.cached_tokens, promised))


def check_use(request: GenerateContentRequest) -> None:
    """Raise InvalidArgument if a request with a cache sets what only the cache may set."""
    if request.system_instruction or request.tools or request.tool_config:
        raise InvalidArgument(SET_BY_THE_CACHE)
