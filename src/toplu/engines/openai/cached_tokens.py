"""Notices a server that reuses prefixes and does not say so: its clients read 0 cached tokens."""

import structlog

from toplu.engines.chat.reply import Usage
from toplu.engines.http.load import ServerLoad

log = structlog.get_logger()

# Less may be of other clients, or of answers that are still coming.
TOKENS_MIN = 1024
OPTION = "--enable-prompt-tokens-details"  # of vLLM


class CachedTokens:
    """Compares what one server says in its answers with its own figures."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._are_told = False  # in any answer so far
        self._answers = 0
        self._tokens_before: int | None = None  # from the cache, when it was first asked
        self._has_warned = False

    def note(self, usage: Usage) -> None:
        """Take note of what an answer says."""
        self._answers += 1
        details = usage.prompt_tokens_details
        self._are_told = self._are_told or (
            details is not None and details.cached_tokens is not None
        )

    def compare(self, load: ServerLoad) -> None:
        """Log once that the answers are silent about tokens that came from the cache."""
        if self._tokens_before is None:
            self._tokens_before = load.tokens_from_cache
        tokens = load.tokens_from_cache - self._tokens_before
        if self._has_warned or self._are_told or not self._answers or tokens < TOKENS_MIN:
            return
        self._has_warned = True
        log.warning(
            "server_hides_cached_tokens",
            server=self._server,
            tokens=tokens,
            reason=f"clients read 0 cached tokens; vLLM tells them with {OPTION}",
        )
