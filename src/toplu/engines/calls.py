"""The functions of a request as an engine gets them, and the calls and results of a conversation.

tools, toolConfig ──▶ Functions ──▶ engine ──▶ FunctionCall ──▶ the client calls ──▶ FunctionResult
                                                    └────── in the history, paired ──────┘
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from toplu.structured.structure import Structure

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function as the model reads it."""

    name: str
    description: str
    parameters: dict[str, Any]  # JSON Schema of an object
    arguments: Structure  # the same


class Functions(msgspec.Struct, frozen=True, kw_only=True):
    """The functions of a request, one at least, and which calls an answer may have.

    An answer calls allowed functions alone, with arguments that `parameters` allow, and at most
    CALLS_MAX times. Unless it has to call, it may be text, or text with calls behind it.
    """

    declared: tuple[Function, ...]
    allowed: tuple[Function, ...]  # of the declared; one at least
    must_call: bool
    rules: str  # of the symbol `answer` in the form of `engines.functions.text_format`, in Lark


class FunctionCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call that the model asks for."""

    name: str
    arguments: Arguments
    id: str | None = None  # None: in an answer, from an engine that gives none


class FunctionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a call, as the client gives it."""

    name: str
    response: dict[str, Any]
    id: str  # of the call


# Calls in one answer. A small model that is not sure when to stop would fill its answer with them.
CALLS_MAX = 8
