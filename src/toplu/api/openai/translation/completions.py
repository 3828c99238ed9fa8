"""Text completions: the prompt is the one message of a chat, and the text is its answer."""

from collections.abc import Iterator

from toplu.api.openai.translation.asked import AnswerForm, Asked
from toplu.api.openai.translation.chat_answer import (
    parts_of,
    reason_of,
    text_of,
    usage_of,
)
from toplu.api.openai.translation.sampling import config_of, sampling_of, tier_of
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part
from toplu.wire.openai.completion import Completion, CompletionRequest, TextChoice, TextLogprobs
from toplu.wire.openai.message import (
    UNSET,
    FreeForm,
    InvalidParameter,
    UnsupportedParameter,
    read,
)


def read_completion(body: bytes | FreeForm) -> Asked:
    """Return what the body asks for; InvalidParameter says what is wrong, and where."""
    request = read(CompletionRequest, body)
    if request.suffix:
        raise UnsupportedParameter("suffix")
    if request.echo:
        raise UnsupportedParameter("echo")
    if request.best_of not in (None, 1, request.n):
        raise UnsupportedParameter("best_of", "'best_of' is served where it equals 'n'.")
    config = config_of(
        **sampling_of(request),
        response_logprobs=None if request.logprobs is None else True,
        logprobs=request.logprobs,
    )
    prompt = Content(role="user", parts=[Part(text=_prompt(request))])
    return Asked(
        form=AnswerForm(
            model=request.model,
            include_usage=bool(request.stream_options and request.stream_options.include_usage),
        ),
        requests=(
            GenerateContentRequest(
                contents=[prompt],
                generation_config=config,
                service_tier=tier_of(request.service_tier),
            ),
        ),
        streams=bool(request.stream),
    )


def _prompt(request: CompletionRequest) -> str:
    prompt = request.prompt
    if isinstance(prompt, list) and len(prompt) == 1:
        (prompt,) = prompt
    if not isinstance(prompt, str):
        raise InvalidParameter(
            "prompt", "'prompt' must be one text here: not several of them, and no tokens."
        )
    return prompt


def completion(response: FreeForm, form: AnswerForm, *, created: int) -> Completion:
    """Return the completion; `created` is in seconds since 1970."""
    return Completion(
        id=f"cmpl-{response.get('responseId', '')}",
        created=created,
        model=form.model,
        choices=[
            _choice(candidate.get("index", place), candidate, reason_of(candidate, has_calls=False))
            for place, candidate in enumerate(response.get("candidates", []))
        ],
        usage=usage_of(response),
    )


class CompletionChunks:
    """Turns the chunks of one streamed answer, in their order."""

    def __init__(self, form: AnswerForm, *, created: int) -> None:
        self._form = form
        self._created = created
        self._last: FreeForm = {}

    def turn(self, chunk: FreeForm) -> Iterator[Completion]:
        """Yield the chunk that this one becomes."""
        self._last = chunk
        choices = []
        for place, candidate in enumerate(chunk.get("candidates", [])):
            ends = candidate.get("finishReason") is not None
            reason = reason_of(candidate, has_calls=False) if ends else None
            choices.append(_choice(candidate.get("index", place), candidate, reason))
        yield self._chunk(choices)

    def end(self) -> Iterator[Completion]:
        """Yield what follows the answer: its usage, if that was asked for."""
        if self._form.include_usage:
            yield self._chunk([], is_usage=True)

    def _chunk(self, choices: list[TextChoice], *, is_usage: bool = False) -> Completion:
        usage = usage_of(self._last) if is_usage else None
        return Completion(
            id=f"cmpl-{self._last.get('responseId', '')}",
            created=self._created,
            model=self._form.model,
            choices=choices,
            usage=usage if self._form.include_usage else UNSET,
        )


def _choice(index: int, candidate: FreeForm, reason: str | None) -> TextChoice:
    return TextChoice(
        index=index,
        text=text_of(parts_of(candidate)),
        logprobs=_logprobs(candidate),
        finish_reason=reason,
    )


def _logprobs(candidate: FreeForm) -> TextLogprobs | None:
    result = candidate.get("logprobsResult")
    if result is None:
        return None
    chosen = result.get("chosenCandidates", [])
    tops = result.get("topCandidates") or [{}] * len(chosen)
    offsets = [0]
    for token in chosen:
        offsets.append(offsets[-1] + len(token["token"]))
    return TextLogprobs(
        tokens=[token["token"] for token in chosen],
        token_logprobs=[token["logProbability"] for token in chosen],
        top_logprobs=[
            {each["token"]: each["logProbability"] for each in top.get("candidates", [])}
            for top in tops
        ],
        text_offset=offsets[:-1],
    )
