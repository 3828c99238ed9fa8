"""The encode step: makes the GenerateContentResponse of a Generation."""

from collections.abc import Iterator

from toplu import clock
from toplu.engines.generation import Completion, Generation
from toplu.engines.translation.logprobs import average_logprob, write_logprobs
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import (
    Candidate,
    Content,
    FinishReason,
    GenerateContentResponse,
    Modality,
    ModalityTokenCount,
    Part,
    UsageMetadata,
)
from toplu.wire.gemini.tool import FunctionCall

RESPONSE_ID_LENGTH = 22
CALL_ID_LENGTH = 12
SHORTENED = "The answer was ended to keep within maxOutputTokens."


def write_answer(generation: Generation, model: ModelSettings) -> GenerateContentResponse:
    """Return the response, with the model that really answered as its `modelVersion`."""
    return GenerateContentResponse(
        candidates=[
            _candidate(completion, index) for index, completion in enumerate(generation.completions)
        ],
        usage_metadata=_usage(generation),
        model_version=model.name,
        response_id=clock.random_id(RESPONSE_ID_LENGTH),
    )


def _candidate(completion: Completion, index: int) -> Candidate:
    return Candidate(
        content=Content(role="model", parts=list(_parts(completion))),
        finish_reason=_finish_reason(completion),
        finish_message=completion.violation or (SHORTENED if completion.shortened else None),
        avg_logprobs=average_logprob(completion.steps),
        logprobs_result=write_logprobs(completion.steps),
        index=index,
    )


def _parts(completion: Completion) -> Iterator[Part]:
    if completion.thoughts:
        yield Part(text=completion.thoughts, thought=True)
    if completion.text or not completion.calls:
        yield Part(text=completion.text)
    for call in completion.calls:
        identity = call.id or clock.random_id(CALL_ID_LENGTH)
        function_call = FunctionCall(id=identity, name=call.name, args=call.arguments)
        yield Part(function_call=function_call)


def _finish_reason(completion: Completion) -> FinishReason:
    if completion.hit_token_limit:
        return FinishReason.MAX_TOKENS
    if completion.broken_call:
        return FinishReason.MALFORMED_FUNCTION_CALL
    return FinishReason.OTHER if completion.violation else FinishReason.STOP


def _usage(generation: Generation) -> UsageMetadata:
    """Return the tokens of all attempts together."""
    prompt_tokens = cached_tokens = answer_tokens = thought_tokens = 0
    for attempt in generation.attempts:
        prompt_tokens += attempt.prompt_tokens
        cached_tokens += attempt.cached_tokens
        for completion in attempt.completions:
            answer_tokens += completion.tokens
            thought_tokens += completion.thought_tokens
    return UsageMetadata(
        prompt_token_count=prompt_tokens,
        cached_content_token_count=cached_tokens or None,
        candidates_token_count=answer_tokens,
        thoughts_token_count=thought_tokens or None,
        total_token_count=prompt_tokens + thought_tokens + answer_tokens,
        prompt_tokens_details=text_tokens(prompt_tokens),
        cache_tokens_details=text_tokens(cached_tokens) if cached_tokens else None,
        candidates_tokens_details=text_tokens(answer_tokens),
    )


def prompt_details(tokens: int, image_tokens: int | None) -> list[ModalityTokenCount] | None:
    """Return the breakdown by modality of a prompt; None if nobody knows it."""
    if image_tokens is None:
        return None
    of_images = ModalityTokenCount(modality=Modality.IMAGE, token_count=image_tokens)
    return [*text_tokens(tokens - image_tokens), *([of_images] if image_tokens else [])]


def text_tokens(count: int) -> list[ModalityTokenCount]:
    """Return the breakdown by modality of tokens that are all text."""
    return [ModalityTokenCount(modality=Modality.TEXT, token_count=count)]
