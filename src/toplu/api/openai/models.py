"""Models: what can be asked for under OpenAI's API."""

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.model_names import ModelNames
from toplu.api.http.gate import Call
from toplu.api.http.responses import json_response
from toplu.api.openai.gate import PREFIX, OpenaiGate
from toplu.errors import NotFound
from toplu.job import Method
from toplu.settings.server import Kind, ModelSettings
from toplu.wire.openai.message import InvalidParameter
from toplu.wire.openai.model import Model, Models

METHODS = {Method.GENERATE: "generateContent", Method.EMBED: "embedContent"}
# The models are the operator's, and nobody says when they were made.
CREATED = 0
VERSION = "v1"


class ModelNotFound(InvalidParameter):
    """No model of that name can do what is asked."""

    http_status = 404


class OpenaiModels:
    """Finds and lists models."""

    def __init__(self, names: ModelNames) -> None:
        self._names = names

    def routes(self, gate: OpenaiGate) -> list[Route]:
        return [
            Route(f"{PREFIX}/models", gate.endpoint(self.list), methods=["GET"]),
            Route(f"{PREFIX}/models/{{model:path}}", gate.endpoint(self.find), methods=["GET"]),
        ]

    def require(self, name: str, method: Method | None = None) -> ModelSettings:
        """Return the entry of the name, or raise ModelNotFound."""
        try:
            return self._names.require(
                name, version=VERSION, method=None if method is None else METHODS[method]
            )
        except NotFound as error:
            what = "" if method is None else f" for {KINDS[method]}"
            raise ModelNotFound(
                "model",
                f"The model '{name}' does not exist{what}, or you do not have access to it.",
                reason="model_not_found",
            ) from error

    async def list(self, call: Call) -> Response:
        """Answer with every name that is listed; the API knows no pages of them."""
        models = Models(data=[_model(name, model) for name, model in self._names.listed()])
        return await json_response(call.request, models)

    async def find(self, call: Call) -> Response:
        """Answer with the model under the name that was asked for."""
        name = call.path("model")
        return await json_response(call.request, _model(name, self.require(name)))


KINDS = {Method.GENERATE: Kind.GENERATION.value, Method.EMBED: Kind.EMBEDDING.value}


def _model(name: str, model: ModelSettings) -> Model:
    return Model(id=name, created=CREATED, owned_by=model.display_name or model.name)
