from toplu.engines.llama_cpp.control_tokens import MEDIA_MARKER, WORD_JOINER, ControlTokens

TOKENS = ControlTokens(["<|im_end|>", "<|im|>", "<s>", "<s>x", "|"])


def test_every_token_in_a_text_is_broken_and_nothing_is_lost() -> None:
    text = "a<|im_end|><s>x<s>|<|im_end|"
    broken = TOKENS.break_in(text)
    assert broken == text.replace("<|im_end|>", f"<{WORD_JOINER}|im_end|>").replace(
        "<s>", f"<{WORD_JOINER}s>"
    )
    assert broken.replace(WORD_JOINER, "") == text
    assert TOKENS.break_in(broken) == broken


def test_messages_are_broken_wherever_a_client_can_write() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:<s>"}}
    messages = [
        {"role": "<s>", "content": "<s>"},
        {"role": "user", "content": [{"type": "text", "text": f"see {MEDIA_MARKER}"}, image]},
        {"role": "assistant", "content": None, "calls": [{"arguments": "<s>", "index": 3}]},
    ]
    s = f"<{WORD_JOINER}s>"
    assert TOKENS.break_in(messages) == [
        {"role": "<s>", "content": s},
        {
            "role": "user",
            "content": [{"type": "text", "text": f"see <{WORD_JOINER}__media__>"}, image],
        },
        {"role": "assistant", "content": None, "calls": [{"arguments": s, "index": 3}]},
    ]


def test_a_model_without_control_tokens_reads_everything_as_it_is() -> None:
    assert ControlTokens([]).break_in("<s> <|im_end|>") == "<s> <|im_end|>"
