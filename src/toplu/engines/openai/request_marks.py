"""Marks requests for a server that others share: how urgent they are, and whose they are.

| field        | is                                         | written for          |
|--------------|--------------------------------------------|----------------------|
| `priority`   | of a batch: behind all that have none      | vLLM                 |
| `cache_salt` | keeps the prefixes of each project to it   | vLLM, SGLang         |

vLLM heeds the first with `--scheduling-policy priority`; without it older ones refuse it, others
pass over it. What a server refuses is not written for it again.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import structlog

from toplu.engines.http.load import Software
from toplu.engines.prompt import Prompt
from toplu.errors import InvalidArgument

log = structlog.get_logger()

T = TypeVar("T")

PRIORITY, SALT = "priority", "cache_salt"
BATCH_PRIORITY = 100  # lower ones are served first; who says nothing has 0
TAKES = {Software.VLLM: (PRIORITY, SALT), Software.SGLANG: (SALT,)}
SALT_BYTES = 16


class RequestMarks:
    """Finds out which marks one server takes, and keeps to them."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._refused: set[str] = set()

    def taken(self, software: Software | None) -> tuple[str, ...]:
        """Return which fields the server takes, as far as is known."""
        known = () if software is None else TAKES.get(software, ())
        return tuple(field for field in known if field not in self._refused)

    def write(self, prompt: Prompt, software: Software | None) -> dict[str, Any]:
        """Return the marks of a request."""
        taken = self.taken(software)
        marks: dict[str, Any] = {}
        if PRIORITY in taken and not prompt.is_urgent:
            marks[PRIORITY] = BATCH_PRIORITY
        if SALT in taken and prompt.project is not None:
            marks[SALT] = salt_of(prompt.project)
        return marks

    async def ask(
        self, asked: Callable[[dict[str, Any]], Awaitable[T]], marks: dict[str, Any]
    ) -> T:
        """Return what `asked` returns, given the marks but for those that the server refuses."""
        refused: set[str] = set()
        while True:
            try:
                answer = await asked({name: marks[name] for name in marks.keys() - refused})
            except InvalidArgument as refusal:
                field = _field_in(refusal.message, marks.keys() - refused)
                if field is None:
                    raise
                refused.add(field)
            else:
                # Words of the request that stand in a refusal may be those of a field by chance.
                if new := refused - self._refused:
                    self._refused |= new
                    log.info("server_refuses_fields", server=self._server, fields=sorted(new))
                return answer


def _field_in(message: str, fields: Iterable[str]) -> str | None:
    words = message.lower()
    return next((field for field in sorted(fields) if field in words), None)


def salt_of(project: str) -> str:
    """Return what tells the project's prefixes from others', without its name."""
    return hashlib.blake2b(project.encode(), digest_size=SALT_BYTES).hexdigest()
