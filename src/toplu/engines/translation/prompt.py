"""The decode step: makes a Prompt of a GenerateContentRequest, or says what is wrong with it.

A request that breaks a rule is InvalidArgument with every broken rule in it; a request that
asks for what this server does not serve (see `engines.translation.supported_fields`) is
Unimplemented.
"""

import itertools
from collections.abc import Iterator
from operator import attrgetter

import msgspec
from msgspec.structs import replace

from toplu.engines.calls import Functions
from toplu.engines.functions import declarations, history
from toplu.engines.prompt import Image, Prompt, Role, Sampling, Turn
from toplu.engines.translation.media import ResolvedMedia
from toplu.engines.translation.supported_fields import find_unserved
from toplu.engines.translation.thinking import read_thinking, thinking_violations
from toplu.errors import FieldViolation, InvalidArgument, Unimplemented
from toplu.settings.server import ModelSettings
from toplu.structured.bounds import SchemaBounds
from toplu.structured.response_format import read_structure, structure_violations
from toplu.wire.gemini.content import Content, GenerateContentRequest, GenerationConfig, Part
from toplu.wire.gemini.proto_json import FAULTS_MAX

CANDIDATES_MAX = 8
STOP_SEQUENCES_MAX = 5
LOGPROBS_MAX = 20

ROLES: dict[str, Role] = {"": "user", "user": "user", "model": "assistant"}
ROLES |= dict.fromkeys(history.ROLES_OF_RESULTS, "user")

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

_ranged = attrgetter(*RANGES)

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
    bounds = SchemaBounds.of_model(model)
    _raise_violations(
        _content_violations(request),
        _config_violations(config, bounds),
        _function_violations(request, bounds),
    )
    _raise_unserved(request)
    return Prompt(
        turns=_turns(request),
        sampling=_sampling(config, model),
        candidate_count=config.candidate_count or 1,
        structure=read_structure(config, bounds),
        thinking=read_thinking(config, model),
        top_logprobs=(config.logprobs or 0) if config.response_logprobs else None,
        functions=declarations.read_functions(request, bounds),
    )


def read_prefix(request: GenerateContentRequest, model: ModelSettings) -> Prompt:
    """Return the prompt of what stands before other requests: a system text alone will do."""
    if request.contents or request.system_instruction is None:
        return read_prompt(request, model)
    # What is asked after it is another request's to say.
    question = Content(parts=[Part(text="?")])
    asking = msgspec.structs.replace(request, contents=[question])
    prompt = read_prompt(asking, model)
    return replace(prompt, turns=prompt.turns[:-1])


def read_turns(
    request: GenerateContentRequest, model: ModelSettings
) -> tuple[tuple[Turn, ...], Functions | None]:
    """Return what a prompt is made of, under the same rules as in a whole request."""
    request = GenerateContentRequest(
        contents=request.contents,
        system_instruction=request.system_instruction,
        tools=request.tools,
        tool_config=request.tool_config,
    )
    bounds = SchemaBounds.of_model(model)
    _raise_violations(_content_violations(request), _function_violations(request, bounds))
    _raise_unserved(request)
    return _turns(request), declarations.read_functions(request, bounds)


def _turns(request: GenerateContentRequest) -> tuple[Turn, ...]:
    turns = [
        _turn(ROLES[content.role or ""], spoken)
        for content in request.contents or []
        # What a model thought in earlier turns is not part of the conversation.
        if (spoken := [part for part in content.parts or [] if not part.thought])
    ]
    if request.system_instruction is not None:
        turns.insert(0, Turn("system", _text(request.system_instruction.parts or [])))
    return tuple(history.pair_results(history.join_turns(turns)))


def _turn(role: Role, parts: list[Part]) -> Turn:
    calls, results = history.read_calls(parts), history.read_results(parts)
    spoken = [part for part in parts if not part.function_call and not part.function_response]
    return Turn(role, _content(spoken), calls=calls, results=results)


def _content(parts: list[Part]) -> str | tuple[str | Image, ...]:
    """Return the parts in their order, neighbouring texts joined by a line break."""
    if not any(isinstance(part.inline_data, ResolvedMedia) for part in parts):
        return _text(parts)
    content: list[str | Image] = []
    for part in parts:
        if isinstance(part.inline_data, ResolvedMedia):
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
        role = content.role or ""
        if role not in ROLES or (role in history.ROLES_OF_RESULTS and not _has_results(content)):
            raise InvalidArgument("Please use a valid role: user, model.")
        yield from _part_violations(content, ROLES[role], f"contents[{index}]")
    if request.system_instruction is not None:
        yield from _part_violations(request.system_instruction, "system", "system_instruction")
    if request.contents and not any(
        not part.thought for content in request.contents for part in content.parts or [Part()]
    ):
        yield _violation("contents", "contents has nothing but thoughts")


def _has_results(content: Content) -> bool:
    return all(part.function_response is not None for part in content.parts or [])


def _part_violations(content: Content, role: Role, path: str) -> Iterator[FieldViolation]:
    if not content.parts:
        yield _violation(f"{path}.parts", f"{path}.parts must not be empty")
    for index, part in enumerate(content.parts or []):
        if part.text is None and all(getattr(part, payload) is None for payload in PAYLOADS):
            yield _violation(
                f"{path}.parts[{index}].data",
                "required oneof field 'data' must have one initialized field",
            )
        elif part.text is not None and not is_unicode(part.text):
            yield _violation(f"{path}.parts[{index}].text", "text has half a surrogate pair")
        for field, reason in history.part_violations(part, role):
            yield _violation(f"{path}.parts[{index}].{field}", reason)


def _function_violations(
    request: GenerateContentRequest, bounds: SchemaBounds
) -> Iterator[FieldViolation]:
    for path, reason in declarations.function_violations(request, bounds):
        yield _violation(path, reason)


def _config_violations(config: GenerationConfig, bounds: SchemaBounds) -> Iterator[FieldViolation]:
    for value, (field, (low, high)) in zip(_ranged(config), RANGES.items(), strict=True):
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
    if not all(stop and is_unicode(stop) for stop in stops):
        yield _violation(
            "generation_config.stop_sequences", "a stop sequence must be text that is not empty."
        )
    if config.logprobs is not None and not config.response_logprobs:
        yield _violation(
            "generation_config.logprobs",
            "logprobs may only be set if response_logprobs is true.",
        )
    for path, reason in (*structure_violations(config, bounds), *thinking_violations(config)):
        yield _violation(path, reason)


def is_unicode(text: str) -> bool:
    """Return whether the text can be written; half a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _violation(field: str, reason: str) -> FieldViolation:
    return FieldViolation(field, f"* GenerateContentRequest.{field}: {reason}\n")


def _raise_violations(*violations: Iterator[FieldViolation]) -> None:
    found = list(itertools.islice(itertools.chain(*violations), FAULTS_MAX))
    if found:
        raise InvalidArgument(
            "".join(violation.description for violation in found),
            details=InvalidArgument.of_fields(found).details,
        )


def _raise_unserved(request: GenerateContentRequest) -> None:
    if unserved := list(itertools.islice(find_unserved(request), FAULTS_MAX)):
        verb = "is" if len(unserved) == 1 else "are"
        raise Unimplemented(f"{', '.join(unserved)} {verb} not served by this server yet.")
