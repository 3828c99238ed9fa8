"""Asks servers that speak the Gemini API again for answers that do not validate."""

import msgspec

from toplu.engines.relay import Relay, RelayedRequest
from toplu.fleet.adapters.further_attempt import SEED_STEP, sampled_again, write_correction
from toplu.fleet.adapters.response_proof import ResponseProof, candidates_of
from toplu.money import NO_TOKENS, Usage
from toplu.wire.gemini.content import Content, GenerateContentRequest, GenerationConfig, Part
from toplu.wire.gemini.message import FreeForm
from toplu.wire.gemini.token_usage import sum_usage, usage_of


async def relay_valid(
    relay: Relay, request: GenerateContentRequest, proof: ResponseProof, *, attempts_max: int
) -> tuple[FreeForm, Usage]:
    """Return a response whose every candidate with STOP validates, else says what it breaks.

    A candidate that breaks its form is asked for again, alone, `attempts_max` times in all. The
    usage is that of all attempts together. Beside it comes what of it was discarded: all but the
    last attempt, or of several candidates, whose tokens are not counted apart, all but the first.
    """
    response = await relay.generate(RelayedRequest(request))
    discarded = NO_TOKENS
    faults = await proof.find_faults(response)
    for attempt in range(1, attempts_max):
        for place, fault in faults.items():
            again = _named(request, fault["finishMessage"], attempt * SEED_STEP + place)
            answer = await relay.generate(RelayedRequest(again))
            is_alone = len(response["candidates"]) == 1 and candidates_of(answer)
            discarded = usage_of(response) if is_alone else discarded + usage_of(answer)
            response = _replaced(response, place, answer)
        faults = await proof.find_faults(response) if faults else {}
    if not faults:
        return response, discarded
    marked = [faults.get(place, each) for place, each in enumerate(response["candidates"])]
    return response | {"candidates": marked}, discarded


def _replaced(response: FreeForm, place: int, answer: FreeForm) -> FreeForm:
    """Return the response with the answer in place of a candidate, if it has one."""
    usage = sum_usage(response["usageMetadata"], answer["usageMetadata"])
    answered = candidates_of(answer)
    if not answered:
        return response | {"usageMetadata": usage}
    candidates = list(response["candidates"])
    index = {"index": candidates[place]["index"]} if "index" in candidates[place] else {}
    candidates[place] = answered[0] | index
    return response | answer | {"candidates": candidates, "usageMetadata": usage}


def _named(
    request: GenerateContentRequest, violation: str, seed_step: int
) -> GenerateContentRequest:
    """Return the request of a further attempt: what was wrong is named to the model."""
    config = request.generation_config or GenerationConfig()
    temperature, seed = sampled_again(config.temperature, config.seed, seed_step)
    return msgspec.structs.replace(
        request,
        contents=_corrected(request.contents or [], violation),
        generation_config=msgspec.structs.replace(
            config,
            temperature=temperature,
            seed=seed,
            candidate_count=None if config.candidate_count is None else 1,
        ),
    )


def _corrected(contents: list[Content], violation: str) -> list[Content]:
    *before, last = contents
    parts = last.parts or []
    # Text among results would be read as another turn.
    if last.role not in (None, "", "user") or any(part.function_response for part in parts):
        return contents
    correction = Part(text=write_correction(violation))
    return [*before, msgspec.structs.replace(last, parts=[*parts, correction])]
