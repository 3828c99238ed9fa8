"""Models: what can be asked for, and with which methods."""

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.model_names import METHODS, ModelNames
from toplu.api.http.gate import Call, Gate
from toplu.api.http.paging import PAGE_QUERY, page_size, page_token
from toplu.api.http.responses import json_response
from toplu.errors import InvalidArgument
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.model import ListModelsResponse, Model

PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000


class ModelsApi:
    """Handlers of `models/…`."""

    def __init__(self, *, names: ModelNames) -> None:
        self._names = names

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route(
                "/{version:version}/models",
                gate.endpoint(self.list, query=PAGE_QUERY),
                methods=["GET"],
            ),
            Route(
                "/{version:version}/tunedModels",
                gate.endpoint(self.list_tuned, query=PAGE_QUERY | {"filter"}),
                methods=["GET"],
            ),
            Route("/{version:version}/models/{model}", gate.endpoint(self.find), methods=["GET"]),
        ]

    async def list(self, call: Call) -> Response:
        """Answer with a page of models; the token is the index of the page's first one."""
        listed = self._names.listed()
        token = page_token(call) or "0"
        if token not in map(str, range(len(listed) + 1)):
            raise InvalidArgument(f"page_token is not one of ours: {token}")
        first = int(token)
        last = first + page_size(call, default=PAGE_SIZE, largest=PAGE_SIZE_MAX)
        page = ListModelsResponse(
            models=[_model_of(name, model) for name, model in listed[first:last]] or None,
            next_page_token=str(last) if last < len(listed) else None,
        )
        return await json_response(call.request, page)

    async def list_tuned(self, call: Call) -> Response:
        """Answer that there are none: models are the operator's, not the client's."""
        return await json_response(call.request, {})

    async def find(self, call: Call) -> Response:
        """Answer with the model under the name that was asked for."""
        name = call.path("model")
        model = self._names.require(name, version=call.version, method=None)
        return await json_response(call.request, _model_of(name, model))


def _model_of(name: str, model: ModelSettings) -> Model:
    served_by = f"Answered by {model.display_name or model.name}"
    return Model(
        name=f"models/{name}",
        base_model_id=name,
        version=model.name,
        display_name=model.display_name or model.name,
        description=f"{served_by}, run by the {model.engine} engine.",
        input_token_limit=model.context_tokens,
        output_token_limit=model.output_tokens_max,
        supported_generation_methods=list(METHODS[model.kind]),
        temperature=model.temperature,
        max_temperature=2.0,
        top_p=model.top_p,
        top_k=model.top_k,
        thinking=True if model.thinking is not None else None,
    )
