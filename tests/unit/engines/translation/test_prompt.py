from typing import Any

import msgspec
import pytest

from toplu.engines.prompt import Image, Turn
from toplu.engines.translation.media import with_read
from toplu.engines.translation.prompt import read_prompt, read_turns
from toplu.errors import InvalidArgument, TopluError, Unimplemented
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import Content, GenerateContentRequest, GenerationConfig, Part

MODEL = ModelSettings(
    name="m", engine="echo", output_tokens_max=100, temperature=0.3, top_p=0.8, top_k=5
)
HELLO = {"contents": [{"parts": [{"text": "Hello"}]}]}


def prompt_of(fields: dict[str, Any]):
    return read_prompt(msgspec.convert(fields, GenerateContentRequest), MODEL)


def configured(**config: Any):
    return HELLO | {"generationConfig": config}


def refusal_of(fields: dict[str, Any]) -> TopluError:
    with pytest.raises(TopluError) as refusal:
        prompt_of(fields)
    return refusal.value


def test_an_absent_role_is_the_user_and_the_model_is_the_assistant():
    prompt = prompt_of(
        {
            "systemInstruction": {"role": "system", "parts": [{"text": "Be"}, {"text": "brief."}]},
            "contents": [
                {"parts": [{"text": "a"}, {"text": "b"}]},
                {"role": "model", "parts": [{"text": "c"}]},
                {"role": "user", "parts": [{"text": "d"}]},
            ],
        }
    )
    assert prompt.turns == (
        Turn("system", "Be\nbrief."),
        Turn("user", "a\nb"),
        Turn("assistant", "c"),
        Turn("user", "d"),
    )


def test_an_image_that_was_read_stands_where_it_stood():
    image = Image(media_type="image/png", width=1, height=1, data=b"")
    sent = {"inlineData": {"mimeType": "image/png", "data": "eA=="}}
    texts = [{"text": text} for text in "abc"]
    request = msgspec.convert(
        {"contents": [{"parts": [sent, *texts[:2], sent, sent, texts[2]]}, {"parts": [sent]}]},
        GenerateContentRequest,
    )
    paths = [f"contents[0].parts[{index}]" for index in (0, 3, 4)] + ["contents[1].parts[0]"]
    read = with_read(request, {path: [image] for path in paths})
    assert read_prompt(read, MODEL).turns == (
        Turn("user", (image, "a\nb", image, image, "c")),
        Turn("user", (image,)),
    )
    with pytest.raises(Unimplemented, match=r"^contents\[1\]\.parts\[0\]\.inlineData is not"):
        read_prompt(with_read(request, {path: [image] for path in paths[:3]}), MODEL)


def test_the_chunks_of_a_streamed_answer_are_one_turn():
    def said(role: str, *texts: str) -> list[dict[str, Any]]:
        return [{"role": role, "parts": [{"text": text}]} for text in texts]

    contents = [*said("user", "a", "b"), *said("model", "Good ", "day", ""), *said("user", "c")]
    assert prompt_of({"contents": contents}).turns == (
        Turn("user", "a"),
        Turn("user", "b"),
        Turn("assistant", "Good day"),
        Turn("user", "c"),
    )


def test_thoughts_of_earlier_turns_are_left_out():
    parts = [{"text": "Hm.", "thought": True, "thoughtSignature": "eA=="}, {"text": "Yes."}]
    prompt = prompt_of(
        {"contents": [*HELLO["contents"], {"role": "model", "parts": parts}, *HELLO["contents"]]}
    )
    assert prompt.turns[1] == Turn("assistant", "Yes.")
    only_thoughts = {"role": "model", "parts": parts[:1]}
    assert len(prompt_of({"contents": [*HELLO["contents"], only_thoughts]}).turns) == 1


def test_what_is_not_set_is_decided_by_the_model():
    sampling = prompt_of(HELLO).sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.3, 0.8, 5)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (0.0, 0.0)
    assert (sampling.seed, sampling.stop_sequences, sampling.output_tokens_max) == (None, (), 100)
    assert prompt_of(HELLO).candidate_count == 1


def test_what_is_set_is_kept_even_if_it_is_zero():
    prompt = prompt_of(
        configured(
            temperature=0,
            topP=0,
            topK=0,
            seed=0,
            presencePenalty=-2,
            frequencyPenalty=2,
            maxOutputTokens=7,
            stopSequences=["a", "b"],
            candidateCount=8,
        )
    )
    sampling = prompt.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed) == (0, 0, 0, 0)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (-2, 2)
    assert (sampling.output_tokens_max, sampling.stop_sequences) == (7, ("a", "b"))
    assert prompt.candidate_count == 8


def test_no_answer_is_longer_than_the_model_allows():
    assert prompt_of(configured(maxOutputTokens=101)).sampling.output_tokens_max == 100


PREFIX = "* GenerateContentRequest."
NO_DATA = "required oneof field 'data' must have one initialized field\n"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "contents: contents is not specified\n"),
        ({"contents": []}, "contents: contents is not specified\n"),
        ({"contents": [{}]}, "contents[0].parts: contents[0].parts must not be empty\n"),
        ({"contents": [{"parts": [{}]}]}, "contents[0].parts[0].data: " + NO_DATA),
        (
            {"contents": [{"parts": [{"text": "a"}, {"thought": True}]}]},
            "contents[0].parts[1].data: " + NO_DATA,
        ),
        (
            HELLO | {"systemInstruction": {"parts": [{}]}},
            "system_instruction.parts[0].data: " + NO_DATA,
        ),
        (
            {"contents": [{"parts": [{"text": "a", "thought": True}]}]},
            "contents: contents has nothing but thoughts\n",
        ),
        (
            {"contents": [{"parts": [{"text": "\ud800"}]}]},
            "contents[0].parts[0].text: text has half a surrogate pair\n",
        ),
        (
            configured(temperature=2.1),
            "generation_config.temperature: temperature must be in the range [0.0, 2.0].\n",
        ),
        (
            configured(temperature=float("nan")),
            "generation_config.temperature: temperature must be in the range [0.0, 2.0].\n",
        ),
        (
            configured(candidateCount=0),
            "generation_config.candidate_count: candidate_count must be in the range [1, 8].\n",
        ),
        (
            configured(stopSequences=list("abcdef")),
            "generation_config.stop_sequences: there must be at most 5 stop sequences.\n",
        ),
        (
            configured(stopSequences=[""]),
            "generation_config.stop_sequences: a stop sequence must be text that is not empty.\n",
        ),
    ],
)
def test_a_broken_rule_is_named_with_its_path(fields: dict[str, Any], message: str):
    refusal = refusal_of(fields)
    assert isinstance(refusal, InvalidArgument)
    assert refusal.message == PREFIX + message


@pytest.mark.parametrize(
    "config",
    [
        {"maxOutputTokens": 0},
        {"maxOutputTokens": -1},
        {"candidateCount": 9},
        {"topP": 1.1},
        {"topK": -1},
        {"presencePenalty": 2.5},
        {"frequencyPenalty": -2.5},
        {"temperature": -0.1},
    ],
)
def test_a_value_out_of_range_is_an_invalid_argument(config: dict[str, Any]):
    assert isinstance(refusal_of(configured(**config)), InvalidArgument)


def test_every_broken_rule_is_named():
    refusal = refusal_of(configured(temperature=9, topP=9))
    assert refusal.message.count("\n") == 2
    assert [item["field"] for item in refusal.details[0]["fieldViolations"]] == [
        "generation_config.temperature",
        "generation_config.top_p",
    ]


@pytest.mark.parametrize("role", ["system", "function", "assistant", "USER"])
def test_any_other_role_is_refused(role: str):
    refusal = refusal_of({"contents": [{"role": role, "parts": [{"text": "a"}]}]})
    assert isinstance(refusal, InvalidArgument)
    assert refusal.message == "Please use a valid role: user, model."


def test_logprobs_without_the_wish_for_them_are_an_invalid_argument():
    refusal = refusal_of(configured(logprobs=3))
    assert isinstance(refusal, InvalidArgument)
    assert "response_logprobs is true" in refusal.message


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (configured(responseFormat={"text": {}}), "generationConfig.responseFormat"),
        (configured(responseMimeType="application/xml"), "generationConfig.responseMimeType"),
        (configured(responseModalities=["TEXT", "IMAGE"]), "generationConfig.responseModalities"),
        (configured(speechConfig={}), "generationConfig.speechConfig"),
        (HELLO | {"tools": [{"googleSearch": {}, "urlContext": {}}]}, "tools[0].urlContext"),
        (HELLO | {"toolConfig": {"retrievalConfig": {"a": 1}}}, "toolConfig.retrievalConfig"),
        (HELLO | {"cachedContent": "cachedContents/x"}, "cachedContent"),
        (
            {"contents": [*HELLO["contents"], {"parts": [{"inlineData": {"data": "eA=="}}]}]},
            "contents[1].parts[0].inlineData",
        ),
        (
            {"contents": [{"parts": [{"text": "a"}, {"fileData": {"fileUri": "u"}}]}]},
            "contents[0].parts[1].fileData",
        ),
        (
            HELLO | {"systemInstruction": {"parts": [{"executableCode": {}}]}},
            "systemInstruction.parts[0].executableCode",
        ),
    ],
)
def test_a_feature_that_is_not_served_is_refused_by_name(fields: dict[str, Any], path: str):
    refusal = refusal_of(fields)
    assert isinstance(refusal, Unimplemented)
    assert refusal.message == f"{path} is not served by this server yet."


def test_every_feature_that_is_not_served_is_named():
    refusal = refusal_of(configured(speechConfig={}, imageConfig={}))
    assert refusal.message == (
        "generationConfig.speechConfig, generationConfig.imageConfig are not served by this "
        "server yet."
    )


@pytest.mark.parametrize(
    "fields",
    [
        HELLO | {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]},
        HELLO | {"tools": [], "toolConfig": {}, "cachedContent": "", "store": True},
        HELLO | {"labels": {"team": "a"}, "store": False},
        HELLO | {"serviceTier": "flex", "model": "models/gemini-2.5-flash"},
        configured(responseMimeType="text/plain", responseModalities=["TEXT"]),
        configured(responseLogprobs=False, mediaResolution="MEDIA_RESOLUTION_LOW"),
        # The model does not think.
        configured(thinkingConfig={"thinkingBudget": 8}),
        configured(thinkingConfig={"includeThoughts": True, "thinkingLevel": "HIGH"}),
        {"contents": [{"parts": [{"text": "Hello", "partMetadata": {"a": 1}}]}]},
    ],
)
def test_what_asks_for_nothing_but_plain_text_is_served(fields: dict[str, Any]):
    assert prompt_of(fields) == prompt_of(HELLO)


def test_turns_alone_are_read_by_the_same_rules():
    request = GenerateContentRequest(
        contents=[Content(parts=[Part(text="a")])],
        system_instruction=Content(parts=[Part(text="b")]),
        generation_config=GenerationConfig(speech_config={}),
    )
    assert read_turns(request, MODEL) == ((Turn("system", "b"), Turn("user", "a")), None)
    with pytest.raises(InvalidArgument, match="contents is not specified"):
        read_turns(GenerateContentRequest(), MODEL)
    with pytest.raises(Unimplemented, match=r"contents\[0\]\.parts\[0\]\.executableCode"):
        read_turns(
            GenerateContentRequest(contents=[Content(parts=[Part(executable_code={})])]), MODEL
        )
