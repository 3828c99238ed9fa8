"""Keeps a model's control tokens out of texts that people and documents bring.

llama.cpp fills the chat template, then reads control tokens wherever they stand: `<|im_end|>`
within a user's text would end the user's turn, and what follows it could be a turn of the model
or of the system. So an invisible character goes into each: the model reads it as the text that
it is.
"""

import re
from collections.abc import Iterable
from typing import Any

WORD_JOINER = "\N{WORD JOINER}"  # has no width and allows no line break
# Where llama.cpp puts the images of a message.
MEDIA_MARKER = "<__media__>"
# Values of a message that its client did not write.
NOT_SAID = frozenset({"role", "type", "image_url"})


class ControlTokens:
    """The control tokens of one model."""

    def __init__(self, tokens: Iterable[str]) -> None:
        # One character cannot be broken, and is no mark that a template would use.
        known = {token for token in (*tokens, MEDIA_MARKER) if len(token) > 1}
        longest_first = sorted(known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def break_in(self, value: Any) -> Any:
        """Return messages, or any part of them, with every control token in their texts broken."""
        match value:
            case str():
                return self._pattern.sub(_broken, value)
            case list():
                return [self.break_in(item) for item in value]
            case dict():
                return {
                    name: item if name in NOT_SAID else self.break_in(item)
                    for name, item in value.items()
                }
            case _:
                return value


def _broken(token: re.Match[str]) -> str:
    return token[0][0] + WORD_JOINER + token[0][1:]
