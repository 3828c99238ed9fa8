"""The ways of asking a server for an answer of some form, the best first.

| answers with a schema | the server is given                           | and asked so            |
|-----------------------|-----------------------------------------------|-------------------------|
| own                   | the client's own schema, in `response_format` | first                   |
| relaxed               | that of our grammar, less what few can hold   | if it refuses, or fails |
| in the prompt         | the schema in words                           | if it holds to none     |

| calls   | are made                                                | where                   |
|---------|---------------------------------------------------------|-------------------------|
| tools   | by the server                                           | it takes `tools`        |
| listed  | as text: a list that the server holds to their schemas  | a call has to be made   |
| as text | in the form of `engines.functions.text_format`          | it has nothing else     |

A server refuses what it cannot do, breaks down over it, or leaves the answer empty; the next way is
tried then. No way is a promise: whether the answer has its form is for the caller to find out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from toplu.engines.calls import Functions
from toplu.engines.prompt import Prompt
from toplu.settings.remote import RemoteSettings

LAST_WAY = 3  # the attempt from which on everything is tried


class Form(Enum):
    """The form that the server is to hold the text of an answer to."""

    FREE = auto()
    OWN = auto()
    RELAXED = auto()
    GRAMMAR = auto()  # all of it, calls and thoughts too


class Calls(Enum):
    """The ways to make calls."""

    TOOLS = auto()
    LISTED = auto()
    AS_TEXT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of asking."""

    form: Form = Form.FREE
    calls: Calls
    form_in_prompt: bool = False  # the schema stands in the question as well

    @property
    def is_held(self) -> bool:
        """Whether the server is to hold the answer to a schema."""
        return self.form in (Form.OWN, Form.RELAXED) or self.calls is Calls.LISTED

    @property
    def is_read_late(self) -> bool:
        """Whether nobody knows what of the text is the answer before it is whole."""
        return self.form_in_prompt or self.calls is Calls.LISTED


def usual_calls(remote: RemoteSettings, *, takes_tools: bool) -> Calls:
    """Return how calls are made at a server, and so how a conversation is written."""
    if remote.structured in ("grammar", "llguidance") or not takes_tools:
        return Calls.AS_TEXT
    return Calls.TOOLS


def find_ways(prompt: Prompt, remote: RemoteSettings, *, takes_tools: bool) -> Iterator[Way]:
    """Yield the ways of asking for an answer, one at least."""
    calls = usual_calls(remote, takes_tools=takes_tools)
    if remote.structured == "llguidance":
        yield Way(form=Form.GRAMMAR, calls=calls)
    elif prompt.functions is not None:
        yield from _ways_of_calls(prompt.functions, prompt.attempt, remote, calls)
    elif prompt.structure is not None:
        yield from _ways_of_schema(prompt.attempt, remote, calls)
    else:
        yield Way(calls=calls)


def _ways_of_calls(
    functions: Functions, attempt: int, remote: RemoteSettings, calls: Calls
) -> Iterator[Way]:
    tools = [Way(calls=calls)] if calls is Calls.TOOLS else []
    # An attempt before this one wanted to call, and did it wrong.
    is_call = functions.must_call or attempt > 1
    held = [Way(calls=Calls.LISTED)] if is_call and remote.structured != "none" else []
    yield from (*tools, *held) if attempt < LAST_WAY else (*held, *tools)
    yield Way(calls=Calls.AS_TEXT)


def _ways_of_schema(attempt: int, remote: RemoteSettings, calls: Calls) -> Iterator[Way]:
    if remote.structured != "none":
        if attempt == 1:
            yield Way(form=Form.OWN, calls=calls)
        elif attempt >= LAST_WAY:
            # Some servers pass over a schema in silence, so that the model never reads it.
            yield Way(form=Form.RELAXED, calls=calls, form_in_prompt=True)
        yield Way(form=Form.RELAXED, calls=calls)
    yield Way(calls=calls, form_in_prompt=True)
