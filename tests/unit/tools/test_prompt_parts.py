"""Tokens of the texts, of the images and of what was found add up to the prompt."""

import msgspec
import pytest

from toplu.engines.generation import Completion, Generation
from toplu.engines.translation.answer import write_answer
from toplu.settings.server import ModelSettings
from toplu.tools.prompt_parts import PromptParts, part_usage
from toplu.wire.gemini import message

MODEL = ModelSettings(name="m", engine="echo")


def usage_of(*, cached: int = 0, **parts):
    completion = Completion(text="Yes.", tokens=2, hit_token_limit=False)
    generation = Generation(completions=(completion,), prompt_tokens=10, cached_tokens=cached)
    told = PromptParts(**{"asked_tokens": None, "image_tokens": 0} | parts)
    response = part_usage(write_answer(generation, MODEL), told)
    return msgspec.json.decode(message.write(response))["usageMetadata"]


def details(**counts: int):
    return [{"modality": name, "tokenCount": count} for name, count in counts.items()]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({}, (10, details(TEXT=10), None, None)),
        ({"image_tokens": 4}, (10, details(TEXT=6, IMAGE=4), None, None)),
        # An engine that cannot tell has nothing made up for it.
        ({"image_tokens": None}, (10, None, None, None)),
        ({"asked_tokens": 7}, (7, details(TEXT=7), 3, details(TEXT=3))),
        (
            {"asked_tokens": 7, "image_tokens": 4},
            (7, details(TEXT=3, IMAGE=4), 3, details(TEXT=3)),
        ),
    ],
)
def test_the_parts_of_a_prompt_are_returned(parts, told):
    usage = usage_of(**parts)
    names = (
        "promptTokenCount",
        "promptTokensDetails",
        "toolUsePromptTokenCount",
        "toolUsePromptTokensDetails",
    )
    assert tuple(usage.get(name) for name in names) == told
    assert usage["totalTokenCount"] == 12


def test_which_of_the_cached_tokens_are_of_images_is_not_made_up():
    assert usage_of(cached=5)["cacheTokensDetails"] == details(TEXT=5)
    usage = usage_of(cached=5, image_tokens=4)
    assert usage["cachedContentTokenCount"] == 5
    assert "cacheTokensDetails" not in usage
    assert usage_of(cached=9, asked_tokens=7)["cachedContentTokenCount"] == 7
