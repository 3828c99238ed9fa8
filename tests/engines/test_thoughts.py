"""The promises of models that think: thoughts first, counted apart, within the budget."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from msgspec.structs import replace as changed

from support.engines.engines_under_test import LLAMA_CPP, a_prompt, structure_of
from toplu.engines.generation import Piece
from toplu.engines.prompt import Prompt, Thinking
from toplu.engines.translation.prompt import read_prompt
from toplu.fleet.processes.engine_handle import EngineHandle, EngineStartFailed
from toplu.fleet.processes.llama_cpp import start_llama_cpp
from toplu.settings.server import Settings, ThinkingSettings
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import GenerateContentRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "What is the capital of France? Tell me all about it."
BUDGET = 6


def thinking_prompt(budget: int | None, **values) -> Prompt:
    return replace(a_prompt(QUESTION, **values), thinking=Thinking(tokens_max=budget))


async def test_thoughts_stay_within_their_budget_and_apart_from_the_text(thinker: EngineHandle):
    generation = await thinker.engine.generate(thinking_prompt(BUDGET, tokens_max=40), 0)
    (completion,) = generation.completions
    assert completion.thoughts
    assert completion.text
    assert len(completion.thoughts.split()) <= BUDGET
    # With what ends them: in the vocabulary of SmolLM2, four tokens.
    assert 0 < completion.thought_tokens <= BUDGET + 4
    assert completion.tokens > 0


async def test_a_model_that_is_not_to_think_says_its_answer_at_once(thinker: EngineHandle):
    generation = await thinker.engine.generate(thinking_prompt(0), 0)
    (completion,) = generation.completions
    assert (completion.thoughts, completion.thought_tokens) == ("", 0)
    assert completion.text


async def test_the_limit_of_an_answer_is_the_limit_of_its_thoughts_too(thinker: EngineHandle):
    generation = await thinker.engine.generate(thinking_prompt(None, tokens_max=4), 0)
    (completion,) = generation.completions
    assert completion.hit_token_limit
    assert (completion.text, completion.tokens) == ("", 0)
    assert completion.thought_tokens == 4


async def test_a_stream_tells_all_thoughts_before_the_text(thinker: EngineHandle):
    pieces: list[Piece] = []

    async def listen(piece: Piece) -> None:
        pieces.append(piece)

    prompt = replace(thinking_prompt(BUDGET, tokens_max=20, candidates=2), top_logprobs=1)
    generation = await thinker.engine.generate(prompt, 1, listen)
    for index, completion in enumerate(generation.completions):
        heard = [piece for piece in pieces if piece.index == index]
        kinds = [piece.is_thought for piece in heard]
        assert kinds == sorted(kinds, reverse=True)
        assert "".join(each.text for each in heard if each.is_thought) == completion.thoughts
        assert "".join(each.text for each in heard if not each.is_thought) == completion.text
        # Log-probabilities are those of the text.
        assert "".join(step.chosen.token for step in completion.steps) == completion.text


async def test_a_structure_holds_the_text_and_leaves_the_thoughts_free(thinker: EngineHandle):
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    prompt = replace(
        thinking_prompt(BUDGET, tokens_max=60),
        structure=structure_of(
            {"responseMimeType": "application/json", "responseJsonSchema": schema}
        ),
    )
    (completion,) = (await thinker.engine.generate(prompt, 0)).completions
    assert completion.thoughts
    assert "{" not in completion.thoughts
    assert set(json.loads(completion.text)) == {"a"}


CALLING = {
    "contents": [{"parts": [{"text": "How warm is it in Paris?"}]}],
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "measure",
                    "parameters": {
                        "type": "OBJECT",
                        "properties": {"celsius": {"type": "BOOLEAN"}},
                        "required": ["celsius"],
                    },
                }
            ]
        }
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    "generationConfig": {
        "temperature": 0,
        "maxOutputTokens": 200,
        "thinkingConfig": {"thinkingBudget": BUDGET},
    },
}


async def test_calls_come_after_thoughts(thinker: EngineHandle):
    model = changed(LLAMA_CPP, thinking=ThinkingSettings())
    prompt = read_prompt(proto_json.read_value(GenerateContentRequest, CALLING), model)
    (completion,) = (await thinker.engine.generate(prompt, 0)).completions
    assert completion.thoughts
    assert "measure" not in completion.text
    assert completion.calls
    for call in completion.calls:
        assert call.name == "measure"
        assert isinstance(call.arguments["celsius"], bool)


@pytest.mark.model
async def test_a_chat_template_that_cannot_be_read_starts_no_engine(tmp_path: Path):
    model = changed(LLAMA_CPP, chat_template=str(tmp_path / "none.jinja"))
    path = next(Settings().model_dir.rglob("*.gguf"))
    with pytest.raises(EngineStartFailed, match=r"none\.jinja cannot be read"):
        await start_llama_cpp(model, path, Settings(), prefixes=tmp_path)
