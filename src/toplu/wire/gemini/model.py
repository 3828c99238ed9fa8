"""Models: what a client can ask for."""

from toplu.wire.gemini.message import Message


class Model(Message, frozen=True, kw_only=True):
    """A model of the catalogue under one of its names."""

    name: str
    base_model_id: str
    version: str
    display_name: str
    description: str
    input_token_limit: int
    output_token_limit: int
    supported_generation_methods: list[str]
    temperature: float
    max_temperature: float
    top_p: float
    top_k: int
    thinking: bool | None = None


class ListModelsResponse(Message, frozen=True, kw_only=True):
    """A page of models."""

    models: list[Model] | None = None
    next_page_token: str | None = None
