"""Models: how each stands, and a prompt to try one with."""

import json
import time
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.dashboard.gate import VERSION, PageGate, Visit
from toplu.api.dashboard.rendering import cut, render
from toplu.api.doors.asked import ask
from toplu.api.doors.forwarded_call import Doors
from toplu.api.gemini.model_names import ModelNames
from toplu.errors import InvalidArgument, TopluError
from toplu.settings.server import Kind, ModelSettings
from toplu.wire.gemini import message
from toplu.workers.roster import Roster

PATH = "/ui/models"
PROMPT_LENGTH_MAX = 20_000
ANSWER_LENGTH_MAX = 20_000
OUTPUT_TOKENS_MAX = 512


class ModelPages:
    """Handlers of the page of models."""

    def __init__(self, *, names: ModelNames, roster: Roster, doors: Doors) -> None:
        self._names = names
        self._roster = roster
        self._doors = doors

    def routes(self, gate: PageGate) -> list[Route]:
        return [
            Route(PATH, gate.page(self.show), methods=["GET"]),
            Route(PATH, gate.form(self.test), methods=["POST"]),
        ]

    async def show(self, visit: Visit) -> Response:
        """Show every model."""
        return await self._page(visit, model=visit.asked("model"), prompt="", answer=None)

    async def test(self, visit: Visit, fields: dict[str, str]) -> Response:
        """Ask a model the prompt, as any call would, and show its answer."""
        name, prompt = fields.get("model", ""), fields.get("prompt", "")
        if not prompt.strip() or len(prompt) > PROMPT_LENGTH_MAX:
            raise InvalidArgument(f"A prompt has 1 to {PROMPT_LENGTH_MAX} characters.")
        model = self._names.require(name, version=VERSION, method=None)
        begun = time.perf_counter()
        try:
            answer = _answer_of(await self._ask(visit, name, model, prompt))
        except TopluError as error:
            answer = {"text": error.message, "is_fault": True}
        answer["seconds"] = time.perf_counter() - begun
        line = {"key": "line-1", "request": _request_of(model, prompt)}
        answer["line"] = json.dumps(line, ensure_ascii=False)
        return await self._page(visit, model=name, prompt=prompt, answer=answer)

    async def _ask(
        self, visit: Visit, name: str, model: ModelSettings, prompt: str
    ) -> dict[str, Any]:
        method = "embedContent" if model.kind is Kind.EMBEDDING else "generateContent"
        body = message.write(_request_of(model, prompt))
        doors = await self._doors.of(model.name, body)
        path = f"/{VERSION}/models/{name}:{method}"
        found = await ask(doors, visit.project, path, body, visit.request.receive)
        return dict(msgspec.json.decode(found))

    async def _page(self, visit: Visit, **more: Any) -> Response:
        present = await self._roster.present()
        states, reasons = present.states(), present.reasons()
        models = [
            {
                "name": name,
                "engine": model.name,
                "kind": model.kind.value,
                "state": states[model.name].lower() if model.name in states else "not here",
                "reason": reasons.get(model.name, ""),
                "lanes": sum(it.lanes for it in present.capacities(model.name)),
                "tokens": None if model.is_remote else model.context_tokens,
            }
            for name, model in self._names.listed()
        ]
        return render("models.html", visit.visitor, path=PATH, models=models, **more)


def _request_of(model: ModelSettings, prompt: str) -> dict[str, Any]:
    if model.kind is Kind.EMBEDDING:
        return {"content": {"parts": [{"text": prompt}]}}
    return {
        "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "generationConfig": {"maxOutputTokens": OUTPUT_TOKENS_MAX},
    }


def _answer_of(found: dict[str, Any]) -> dict[str, Any]:
    if "embedding" in found:
        values = found["embedding"]["values"]
        return {"text": f"a vector of {len(values)} numbers", "is_fault": False, "tokens": 0}
    candidate = found["candidates"][0]
    parts = candidate.get("content", {}).get("parts", [])
    text = "".join(part.get("text", "") for part in parts)
    return {
        "text": cut(text, ANSWER_LENGTH_MAX),
        "is_fault": False,
        "tokens": found.get("usageMetadata", {}).get("candidatesTokenCount", 0),
    }
