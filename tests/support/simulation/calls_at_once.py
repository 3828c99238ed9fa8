"""Interactive calls of a history, which preempt."""

import contextlib
from typing import TYPE_CHECKING

from support.simulation.lines import words_of

if TYPE_CHECKING:
    from support.simulation.history import History


def ask_at_once(history: "History") -> None:
    """Have a project ask something, and look at what it is told."""
    text = f"call {history.chance.random():.9f} {words_of(history.chance)}"

    async def ask() -> None:
        answer = None
        with contextlib.suppress(Exception):
            answer = await (await history.server.api(history.projects[0])).ask(text)
        if answer is not None and answer != text:
            history.server.report(f"a call was told {answer!r}, and asked {text!r}")

    history.server.begin(ask())
