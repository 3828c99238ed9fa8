"""Answers in the generic form, taken apart at once and while they are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu.engines.calls import FunctionCall
from toplu.engines.functions.parser import before_calls, with_calls
from toplu.engines.generation import Completion, DecodingStep, Piece, TokenLogprob

CALL = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
F = FunctionCall(name="f", arguments={"a": 1})
QUOTING = (
    '<tool_call>\n{"name": "f", "arguments": {"a": "</tool_call>\\n<tool_call>"}}\n</tool_call>'
)


def spoken(text: str, *, hit_token_limit: bool = False) -> Completion:
    return with_calls(Completion(text=text, tokens=1, hit_token_limit=hit_token_limit))


async def told(pieces: list[str]) -> str:
    heard: list[str] = []

    async def listen(piece: Piece) -> None:
        assert piece.text
        heard.append(piece.text)

    take = before_calls(listen)
    for text in pieces:
        await take(Piece(index=0, text=text, prompt_tokens=1))
    return "".join(heard)


@pytest.mark.parametrize(
    ("answer", "text", "calls"),
    [
        ("Hello", "Hello", ()),
        ("", "", ()),
        ("a <tool_ca", "a <tool_ca", ()),
        ("ends \n", "ends \n", ()),
        (CALL, "", (F,)),
        (f"Let me see.\n\n{CALL}", "Let me see.", (F,)),
        (f"{CALL}\n{CALL}", "", (F, F)),
        (f"{CALL}{CALL}\n", "", (F, F)),
        (QUOTING, "", (FunctionCall(name="f", arguments={"a": "</tool_call>\n<tool_call>"}),)),
    ],
)
async def test_an_answer_is_text_and_calls(answer: str, text: str, calls: tuple[FunctionCall, ...]):
    completion = spoken(answer)
    assert (completion.text, completion.calls, completion.broken_call) == (text, calls, False)
    assert text.startswith(await told([answer]))
    assert text.startswith(await told(list(answer)))


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        ("<tool_call>", ()),
        ('<tool_call>\n{"name": "f", "arg', ()),
        ('<tool_call>\n{"name": "f", "arguments": {}}', ()),
        ('<tool_call>\n{"name": "f"}\n</tool_call>', ()),
        ("<tool_call>\n[1]\n</tool_call>", ()),
        ("<tool_call>\n1e999999\n</tool_call>", ()),
        (f"{CALL}\n<tool_", (F,)),
        (f"{CALL}\nand so on", (F,)),
    ],
)
def test_a_call_that_is_none_is_left_out_and_reported(answer: str, calls: tuple[FunctionCall, ...]):
    completion = spoken(answer)
    assert (completion.text, completion.calls, completion.broken_call) == ("", calls, True)
    at_limit = spoken(answer, hit_token_limit=True)
    assert (at_limit.text, at_limit.calls, at_limit.broken_call) == ("", calls, False)


def test_an_answer_that_had_to_call_and_does_not_is_broken():
    completion = Completion(text="Hello", tokens=1, hit_token_limit=False)
    assert with_calls(completion, must_call=True).broken_call
    cut_off = Completion(text="", tokens=1, hit_token_limit=True)
    assert not with_calls(cut_off, must_call=True).broken_call


def test_half_a_mark_at_the_limit_is_half_a_call():
    assert spoken("Well \n<tool_c", hit_token_limit=True).text == "Well"
    assert spoken("<", hit_token_limit=True).text == ""
    assert spoken("1 > 0 \n", hit_token_limit=True).text == "1 > 0 \n"


@given(
    st.lists(
        st.sampled_from(["a", " ", "\n", "<", "tool", "_call", ">", "<tool_call>", CALL]),
        max_size=9,
    ),
    st.booleans(),
)
async def test_what_is_sent_is_the_beginning_of_the_text(pieces: list[str], limit: bool):
    completion = spoken("".join(pieces), hit_token_limit=limit)
    heard = await told(pieces)
    assert completion.text.startswith(heard)
    assert not heard.endswith((" ", "\n"))


async def test_thoughts_pass_and_steps_keep_their_order():
    heard: list[Piece] = []

    async def listen(piece: Piece) -> None:
        heard.append(piece)

    def step(token: str) -> DecodingStep:
        return DecodingStep(
            chosen=TokenLogprob(token=token, token_id=None, logprob=0.0), likeliest=()
        )

    take = before_calls(listen)
    thought = Piece(index=0, text="<tool_call> or not?", prompt_tokens=1, is_thought=True)
    await take(thought)
    tokens = ["Well", " ", "<", "3", "\n", CALL]
    for token in tokens:
        await take(Piece(index=0, text=token, prompt_tokens=1, steps=(step(token),)))
    assert heard[0] == thought
    assert "".join(piece.text for piece in heard[1:]) == "Well <3"
    steps = [each.chosen.token for piece in heard for each in piece.steps]
    assert steps == tokens[: len(steps)]
