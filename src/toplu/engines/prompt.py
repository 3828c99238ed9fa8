"""The decode step: makes a Prompt of a GenerateContentRequest, or says what is wrong with it.

A request that breaks a rule is InvalidArgument with every broken rule in it; a request that
asks for what this server does not serve (see `engines.served`) is Unimplemented.
"""

import itertools
from collections.abc import Iterator

from toplu.engines.attached import Shown
from toplu.engines.engine import Image, Prompt, Role, Sampling, Turn
from toplu.engines.served import find_unserved
from toplu.engines.structured.structure import read_structure, structure_violations
from toplu.engines.thinking import read_thinking, thinking_violations
from toplu.errors import FieldViolation, InvalidArgument, Unimplemented
from toplu.gemini.content import Content, GenerateContentRequest, GenerationConfig, Part
from toplu.settings import ModelSettings

CANDIDATES_MAX = 8
STOP_SEQUENCES_MAX = 5
LOGPROBS_MAX = 20

ROLES: dict[str, Role] = {"": "user", "user": "user", "model": "assistant"}

# Field: lowest and highest value.
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 2**31 - 1),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    "candidate_count": (1, CANDIDATES_MAX),
    "max_output_tokens": (1, 2**31 - 1),
    "logprobs": (0, LOGPROBS_MAX),
}

PAYLOADS = (
    "text",
    "inline_data",
    "file_data",
    "function_call",
    "function_response",
    "executable_code",
    "code_execution_result",
    "tool_call",
    "tool_response",
)


def read_prompt(request: GenerateContentRequest, model: ModelSettings) -> Prompt:
    """Return what the engine of `model` is asked; `request.model` is the caller's to check."""
    config = request.generation_config or GenerationConfig()
    _raise_violations([*_content_violations(request), *_config_violations(config)])
    _raise_unserved(request)
    return Prompt(
        turns=_turns(request),
        sampling=_sampling(config, model),
        candidate_count=config.candidate_count or 1,
        structure=read_structure(config),
        thinking=read_thinking(config, model),
        top_logprobs=(config.logprobs or 0) if config.response_logprobs else None,
    )


def read_turns(
    contents: list[Content] | None, system_instruction: Content | None = None
) -> tuple[Turn, ...]:
    """Return the conversation alone, under the same rules as in a whole request."""
    request = GenerateContentRequest(contents=contents, system_instruction=system_instruction)
    _raise_violations(list(_content_violations(request)))
    _raise_unserved(request)
    return _turns(request)


def _turns(request: GenerateContentRequest) -> tuple[Turn, ...]:
    turns = [
        Turn(ROLES[content.role or ""], _content(spoken))
        for content in request.contents or []
        # What a model thought in earlier turns is not part of the conversation.
        if (spoken := [part for part in content.parts or [] if not part.thought])
    ]
    if request.system_instruction is not None:
        turns.insert(0, Turn("system", _text(request.system_instruction.parts or [])))
    return tuple(_join_answers(turns))


def _join_answers(turns: list[Turn]) -> Iterator[Turn]:
    """Make one turn of what the model said in a row: SDKs keep a turn for each streamed chunk."""
    for role, spoken in itertools.groupby(turns, key=lambda turn: turn.role):
        if role == "assistant":
            yield Turn(role, "".join(turn.text for turn in spoken))
        else:
            yield from spoken


def _content(parts: list[Part]) -> str | tuple[str | Image, ...]:
    """Return the parts in their order, neighbouring texts joined by a line break."""
    if not any(isinstance(part.inline_data, Shown) for part in parts):
        return _text(parts)
    content: list[str | Image] = []
    for part in parts:
        if isinstance(part.inline_data, Shown):
            content.append(part.inline_data.image)
        elif content and isinstance(content[-1], str):
            content[-1] += f"\n{part.text or ''}"
        else:
            content.append(part.text or "")
    return tuple(content)


def _text(parts: list[Part]) -> str:
    return "\n".join(part.text or "" for part in parts)


def _sampling(config: GenerationConfig, model: ModelSettings) -> Sampling:
    return Sampling(
        temperature=_either(config.temperature, model.temperature),
        top_p=_either(config.top_p, model.top_p),
        top_k=model.top_k if config.top_k is None else config.top_k,
        presence_penalty=_either(config.presence_penalty, 0.0),
        frequency_penalty=_either(config.frequency_penalty, 0.0),
        seed=config.seed,
        stop_sequences=tuple(config.stop_sequences or ()),
        output_tokens_max=min(
            config.max_output_tokens or model.output_tokens_max, model.output_tokens_max
        ),
    )


def _either(given: float | None, default: float) -> float:
    return default if given is None else given


def _content_violations(request: GenerateContentRequest) -> Iterator[FieldViolation]:
    if not request.contents:
        yield _violation("contents", "contents is not specified")
    for index, content in enumerate(request.contents or []):
        if (content.role or "") not in ROLES:
            raise InvalidArgument("Please use a valid role: user, model.")
        yield from _part_violations(content, f"contents[{index}]")
    if request.system_instruction is not None:
        yield from _part_violations(request.system_instruction, "system_instruction")
    if request.contents and not any(
        not part.thought for content in request.contents for part in content.parts or [Part()]
    ):
        yield _violation("contents", "contents has nothing but thoughts")


def _part_violations(content: Content, path: str) -> Iterator[FieldViolation]:
    if not content.parts:
        yield _violation(f"{path}.parts", f"{path}.parts must not be empty")
    for index, part in enumerate(content.parts or []):
        if all(getattr(part, payload) is None for payload in PAYLOADS):
            yield _violation(
                f"{path}.parts[{index}].data",
                "required oneof field 'data' must have one initialized field",
            )
        elif part.text is not None and not _is_unicode(part.text):
            yield _violation(f"{path}.parts[{index}].text", "text has half a surrogate pair")


def _config_violations(config: GenerationConfig) -> Iterator[FieldViolation]:
    for field, (low, high) in RANGES.items():
        value = getattr(config, field)
        # Written so that NaN, which compares with nothing, is refused as well.
        if value is not None and not low <= value <= high:
            yield _violation(
                f"generation_config.{field}", f"{field} must be in the range [{low}, {high}]."
            )
    stops = config.stop_sequences or []
    if len(stops) > STOP_SEQUENCES_MAX:
        yield _violation(
            "generation_config.stop_sequences",
            f"there must be at most {STOP_SEQUENCES_MAX} stop sequences.",
        )
    if not all(stop and _is_unicode(stop) for stop in stops):
        yield _violation(
            "generation_config.stop_sequences", "a stop sequence must be text that is not empty."
        )
    if config.logprobs is not None and not config.response_logprobs:
        yield _violation(
            "generation_config.logprobs",
            "logprobs may only be set if response_logprobs is true.",
        )
    for path, reason in (*structure_violations(config), *thinking_violations(config)):
        yield _violation(path, reason)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _violation(field: str, reason: str) -> FieldViolation:
    return FieldViolation(field, f"* GenerateContentRequest.{field}: {reason}\n")


def _raise_violations(violations: list[FieldViolation]) -> None:
    if violations:
        raise InvalidArgument(
            "".join(violation.description for violation in violations),
            details=InvalidArgument.of_fields(violations).details,
        )


def _raise_unserved(request: GenerateContentRequest) -> None:
    if unserved := list(find_unserved(request)):
        verb = "is" if len(unserved) == 1 else "are"
        raise Unimplemented(f"{', '.join(unserved)} {verb} not served by this server yet.")
