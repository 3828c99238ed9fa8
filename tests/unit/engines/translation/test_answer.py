import msgspec

from toplu.engines.generation import Completion, Generation
from toplu.engines.translation.answer import write_answer
from toplu.settings.server import ModelSettings
from toplu.wire.gemini import message

MODEL = ModelSettings(name="m", engine="echo")


def answer_of(*, cached_tokens: int = 0):
    generation = Generation(
        completions=(
            Completion(text="Yes.", tokens=2, hit_token_limit=False),
            Completion(text="", tokens=3, hit_token_limit=True),
        ),
        prompt_tokens=10,
        cached_tokens=cached_tokens,
    )
    return msgspec.json.decode(message.write(write_answer(generation, MODEL)))


def test_each_completion_is_a_candidate_that_says_why_it_ends():
    assert answer_of()["candidates"] == [
        {
            "content": {"role": "model", "parts": [{"text": "Yes."}]},
            "finishReason": "STOP",
            "index": 0,
        },
        {
            "content": {"role": "model", "parts": [{"text": ""}]},
            "finishReason": "MAX_TOKENS",
            "index": 1,
        },
    ]


def test_the_usage_adds_up():
    assert answer_of()["usageMetadata"] == {
        "promptTokenCount": 10,
        "candidatesTokenCount": 5,
        "totalTokenCount": 15,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
    }


def test_cached_tokens_are_part_of_the_prompt():
    usage = answer_of(cached_tokens=4)["usageMetadata"]
    assert usage["promptTokenCount"] == 10
    assert usage["cachedContentTokenCount"] == 4
    assert usage["cacheTokensDetails"] == [{"modality": "TEXT", "tokenCount": 4}]


def test_the_answer_names_the_model_that_gave_it_and_itself():
    first, second = answer_of(), answer_of()
    assert first["modelVersion"] == "m"
    assert first["responseId"] != second["responseId"]
