"""Writes answers into a line that waited for them.

    ${answer-7.text} ──▶ the text        ${answer-7.json.items.0} ──▶ a part of it, read as JSON
    ${answer-7.finishReason} ──▶ STOP    $${ ──▶ ${

Only inside the decoded text values of the request, and once: what is inserted is not looked at.
Where some answers are there and others to come, the line goes on waiting for these, and the rest of
it is written such that it comes out as it is.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from toplu.batch.chains.answers import Answer, is_field
from toplu.errors import FailedPrecondition, InvalidArgument
from toplu.wire.gemini import message
from toplu.wire.gemini.after import Waiting

OPEN, CLOSE, ESCAPED = "${", "}", "$${"
QUOTED_LENGTH_MAX = 60  # of what is no expansion
WAITING = ("after", "after_failed", "afterFailed")


class Expansion:
    """The answers to keys of one line; the line goes on waiting for the others."""

    def __init__(self, waiting: Waiting, answers: Mapping[str, Answer], bytes_max: int) -> None:
        self._answers = answers
        # The longest first: a key may begin with another one.
        self._keys = sorted(waiting.keys, key=len, reverse=True)
        self._awaited = [key for key in waiting.keys if key not in answers]
        self._runs_anyway = waiting.runs_anyway
        self._bytes_max = bytes_max
        self._inserted = 0  # characters

    def of_line(self, line: bytes) -> bytes:
        """Return the line expanded.

        FailedPrecondition: an answer lacks what is asked of it. InvalidArgument: the line is wrong.
        """
        if not self._runs_anyway:
            for key, answer in self._answers.items():
                if answer.has_failed:
                    raise FailedPrecondition(f'the line with the key "{key}" has failed')
        members = msgspec.json.decode(line)
        members["request"] = self._of_value(members["request"])
        if self._awaited:
            members["after"] = self._awaited
        else:
            members = {name: it for name, it in members.items() if name not in WAITING}
        written = message.write(members)
        self._check_length(len(written))
        return written

    def _of_value(self, value: Any) -> Any:
        match value:
            case str():
                return self._of_text(value) if OPEN in value else value
            case list():
                return [self._of_value(item) for item in value]
            case dict():
                return {name: self._of_value(item) for name, item in value.items()}
            case _:
                return value

    def _of_text(self, text: str) -> str:
        done: list[str] = []  # what goes on waiting, and what is written before it
        pieces: list[str] = []
        place = 0
        while (found := text.find(OPEN, place)) >= 0:
            if found > place and text[found - 1] == ESCAPED[0]:
                pieces += (text[place : found - 1], OPEN)
                place = found + len(OPEN)
                continue
            pieces.append(text[place:found])
            key, field, place = self._named(text, found)
            if key in self._awaited:
                done += (self._final(pieces, is_before=True), text[found:place])
                pieces = []
            else:
                pieces.append(self._value_of(key, field))
        pieces.append(text[place:])
        return "".join([*done, self._final(pieces)])

    def _final(self, pieces: list[str], *, is_before: bool = False) -> str:
        """Return what comes out as these pieces; `is_before` something that goes on waiting."""
        text = "".join(pieces)
        if not self._awaited:
            return text
        if is_before and text.endswith(ESCAPED[0]):
            raise FailedPrecondition("an answer ends with $ before another that is awaited")
        return text.replace(OPEN, ESCAPED)

    def _named(self, text: str, found: int) -> tuple[str, str, int]:
        """Return key and field of the expansion at the place, and the place behind it."""
        begin = found + len(OPEN)
        for key in self._keys:
            end = text.find(CLOSE, begin + len(key))
            field = text[begin + len(key) + 1 : end]
            if text.startswith(f"{key}.", begin) and end >= 0 and is_field(field):
                return key, field, end + len(CLOSE)
        raise InvalidArgument(
            f"'{text[found : found + QUOTED_LENGTH_MAX]}' is no expansion: after ${{ comes a key "
            "of 'after' with .text, .json, .json.PATH or .finishReason; $${ stands for ${"
        )

    def _value_of(self, key: str, field: str) -> str:
        value = self._answers[key].find(field)
        if value is None:
            if not self._runs_anyway:
                raise FailedPrecondition(f'the answer to the key "{key}" has no {field}')
            return ""
        self._inserted += len(value)
        self._check_length(self._inserted)
        return value

    def _check_length(self, length: int) -> None:
        if length > self._bytes_max:
            raise InvalidArgument(f"expanded, the line is longer than {self._bytes_max} bytes")
