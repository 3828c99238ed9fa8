"""A server that reuses prefixes and does not say so is named once in the log."""

from collections.abc import Sequence

import pytest

from support.fleet.scripted_engine import captured_logs
from toplu.engines.chat.reply import PromptTokens, Usage
from toplu.engines.http.load import ServerLoad, Software
from toplu.engines.openai.cached_tokens import TOKENS_MIN, CachedTokens

SILENT = Usage(prompt_tokens=100)
TOLD = Usage(prompt_tokens=100, prompt_tokens_details=PromptTokens(cached_tokens=0))


def load_with(tokens: int) -> ServerLoad:
    return ServerLoad(software=Software.VLLM, running=1, waiting=0, tokens_from_cache=tokens)


@pytest.mark.parametrize(
    ("answers", "tokens", "warnings"),
    [
        ([SILENT], 10 * TOKENS_MIN, 1),
        ([SILENT], TOKENS_MIN - 1, 0),
        ([TOLD, SILENT], 10 * TOKENS_MIN, 0),
        ([], 10 * TOKENS_MIN, 0),
    ],
)
def test_only_what_was_reused_since_and_is_never_told_is_worth_a_warning(
    answers: Sequence[Usage], tokens: int, warnings: int
) -> None:
    cached = CachedTokens("http://a/v1")
    cached.compare(load_with(5000))
    for usage in answers:
        cached.note(usage)
    with captured_logs() as entries:
        cached.compare(load_with(5000 + tokens))
        cached.compare(load_with(5000 + tokens))
    hidden = [entry for entry in entries if entry["event"] == "server_hides_cached_tokens"]
    assert len(hidden) == warnings
