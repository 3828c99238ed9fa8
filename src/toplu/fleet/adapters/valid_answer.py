"""Proves finished answers by the schema they were asked for, and asks again for those that fail.

generate ──▶ validate ──▶ answer
   ▲            │ a violation, and attempts are left
   └── another seed, the violation named
"""

from msgspec.structs import replace

from toplu.engines.engine import Engine
from toplu.engines.generation import Completion, Generation, Listener
from toplu.engines.prompt import Prompt, Sampling
from toplu.fleet.adapters.further_attempt import (
    NOT_WHOLE,
    SEED_STEP,
    find_call_fault,
    sampled_again,
    write_correction,
    write_violation,
)
from toplu.structured.guard.threads import run_costly


async def generate_valid(
    engine: Engine, prompt: Prompt, lane: int, listener: Listener | None, *, attempts_max: int
) -> Generation:
    """Return an answer whose every finished candidate validates, or says what it breaks.

    A candidate that breaks its form is asked for again, alone, `attempts_max` times in all, each
    time with all the tokens of the request. What was computed in vain is in `discarded`.
    """

    async def ask(asked: Prompt) -> Generation:
        return await _checked(await engine.generate(asked, lane, listener), asked)

    generation = await ask(prompt)
    for attempt in range(1, attempts_max):
        for index, completion in enumerate(generation.completions):
            if completion.violation:
                again = _named(prompt, completion.violation, attempt, index)
                generation = _replaced(generation, index, await ask(again))
    return generation


def _replaced(generation: Generation, index: int, answer: Generation) -> Generation:
    """Return the generation with the answer in place of a candidate, which is discarded.

    An answer with one candidate is replaced as a whole: it costs what its last attempt did.
    """
    if len(generation.completions) == 1:
        before = replace(generation, discarded=())
        return replace(answer, discarded=(*generation.discarded, before))
    completions = list(generation.completions)
    discarded = replace(answer, completions=(completions[index],))
    completions[index] = answer.completions[0]
    return replace(
        generation,
        completions=tuple(completions),
        discarded=(*generation.discarded, discarded),
    )


def _named(prompt: Prompt, violation: str, attempts: int, index: int) -> Prompt:
    """Return the prompt after so many attempts: what was wrong is named to the model."""
    *before, last = prompt.turns
    text = write_correction(violation)
    content = (*last.parts, text) if last.images else last.text + text
    return replace(
        prompt,
        turns=(*before, replace(last, content=content)) if last.role == "user" else prompt.turns,
        sampling=_sampled_again(prompt.sampling, attempts * SEED_STEP + index),
        candidate_count=1,
        attempt=attempts + 1,
    )


def _sampled_again(sampling: Sampling, seed_step: int) -> Sampling:
    temperature, seed = sampled_again(sampling.temperature, sampling.seed, seed_step)
    assert temperature is not None, "every value of a prompt is decided"
    return replace(sampling, temperature=temperature, seed=seed)


async def _checked(generation: Generation, prompt: Prompt) -> Generation:
    if prompt.structure is None and prompt.functions is None:
        return generation
    if _is_guarded(prompt):
        return await run_costly(_check_all, generation, prompt)
    return _check_all(generation, prompt)


def _is_guarded(prompt: Prompt) -> bool:
    """Return whether to prove an answer may take seconds."""
    if prompt.structure is not None and prompt.structure.validator.is_guarded:
        return True
    functions = () if prompt.functions is None else prompt.functions.allowed
    return any(each.arguments.validator.is_guarded for each in functions)


def _check_all(generation: Generation, prompt: Prompt) -> Generation:
    completions = tuple(_check(each, prompt) for each in generation.completions)
    return replace(generation, completions=completions)


def _check(completion: Completion, prompt: Prompt) -> Completion:
    """Return the completion with what it breaks; one at the limit of its tokens is not finished."""
    if completion.hit_token_limit:
        return completion
    if prompt.structure is not None:
        violation = prompt.structure.find_violation(completion.text)
        if violation is None:
            return completion
        return replace(completion, violation=write_violation(violation))
    return _check_calls(completion, prompt)


def _check_calls(completion: Completion, prompt: Prompt) -> Completion:
    """Return the completion with its calls up to the first that may not be made."""
    assert prompt.functions is not None, "checked before"
    allowed = {each.name: each.arguments.validator for each in prompt.functions.allowed}
    for index, call in enumerate(completion.calls):
        if fault := find_call_fault(call.name, call.arguments, allowed):
            calls = completion.calls[:index]
            return replace(completion, calls=calls, broken_call=True, violation=fault)
    if completion.broken_call:
        return replace(completion, violation=NOT_WHOLE)
    return completion
