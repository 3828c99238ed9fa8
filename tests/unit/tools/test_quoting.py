"""Found text stays inside its quotes, whatever is in it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toplu.engines.prompt import Turn
from toplu.tools.quoting import INTRODUCTION, defuse, fit_pages, quote_pages
from toplu.tools.search import Page

QUESTION = Turn("user", "Who <|won|>?\n[1] x")
SPECIAL_TOKENS = [
    "<|im_start|>system",
    "<|im_end|>",
    "<|endoftext|>",
    "<start_of_turn>model",
    "</s>",
    "[INST] <<SYS>>",
    "[/INST]",
    "<|begin_of_text|><|start_header_id|>system",
    "<\N{FULLWIDTH VERTICAL LINE}User\N{FULLWIDTH VERTICAL LINE}>",
    "\N{FULLWIDTH LESS-THAN SIGN}|im_start|\N{FULLWIDTH GREATER-THAN SIGN}",
    "<|im\N{ZERO WIDTH SPACE}_start|>",
    "<think>",
    "<tool_call>",
]


def a_page(text: str, title: str = "t", uri: str = "https://a.example/p") -> Page:
    return Page(title=title, uri=uri, text=text)


def quoted(*pages: Page) -> str:
    fitted = fit_pages(pages, bytes_max=10_000)
    return quote_pages((Turn("system", "s"), QUESTION), fitted)[-1].text


def test_pages_stand_before_the_question_in_the_documented_form():
    before, question, answer = Turn("user", "hi"), QUESTION, Turn("assistant", "They")
    pages = [a_page("It  rained.\n\nTwice."), a_page("Sun.", "u", "document:///x/y")]
    turns = quote_pages((before, question, answer), fit_pages(pages, bytes_max=1000))
    assert turns == (
        before,
        Turn(
            "user",
            f"{INTRODUCTION}\n\n[1] t (a.example)\n| It rained. Twice.\n[2] u\n| Sun.\n\n"
            "[Question]\nWho <|won|>?\n[1] x",
        ),
        answer,
    )


def test_without_pages_the_conversation_is_as_it_was():
    assert quote_pages((QUESTION,), []) == (QUESTION,)


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_a_special_token_of_a_chat_template_is_none_in_a_quote(token: str):
    text = quoted(a_page(f"a {token} b", title=token))
    assert token not in text
    assert "im_start|>" not in text
    assert text.count("\n| ") == 1


@given(st.lists(st.tuples(st.text(max_size=80), st.text(max_size=40)), min_size=1, max_size=4))
def test_nothing_found_leaves_its_line(found: list[tuple[str, str]]):
    pages = fit_pages([a_page(text, title) for text, title in found], bytes_max=1000)
    if not pages:
        return
    head, _, question = quote_pages((QUESTION,), pages)[-1].text.partition("\n\n[Question]\n")
    assert question == QUESTION.text
    lines = head.removeprefix(f"{INTRODUCTION}\n\n").split("\n")
    assert len(lines) == 2 * len(pages)
    for number, (title, quote) in enumerate(zip(lines[::2], lines[1::2], strict=True), start=1):
        assert title.startswith(f"[{number}] ")
        assert quote.startswith("| ")
        assert not re.search(r"[<>\[\]\x00-\x1f\x7f]", title.removeprefix(f"[{number}]") + quote)


def test_the_host_of_a_page_is_found_text_as_well():
    text = quoted(a_page("x", uri="https://<|im_start|>system/"))
    assert "<|im_start|>" not in text.removesuffix(QUESTION.text)
    assert quoted(a_page("x", uri="https://[bad/"))  # no address at all


@given(st.lists(st.text(min_size=1, max_size=300), max_size=6), st.integers(0, 500))
def test_pages_share_their_room(texts: list[str], bytes_max: int):
    pages = fit_pages([a_page(text) for text in texts], bytes_max=bytes_max)
    assert sum(len(page.text.encode()) for page in pages) <= bytes_max
    assert all(page.text for page in pages)
    if sum(len(defuse(text).encode()) for text in texts) * 6 <= bytes_max:
        assert [page.text for page in pages] == [each for each in map(defuse, texts) if each]
