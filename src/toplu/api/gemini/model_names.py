"""Model names of URLs: which catalogue entry one stands for, or the 404 that says so."""

from toplu.errors import InvalidArgument, NotFound
from toplu.models.catalogue import Catalogue
from toplu.settings.server import Kind, ModelSettings

METHODS = {
    Kind.GENERATION: (
        "generateContent",
        "streamGenerateContent",
        "countTokens",
        "createCachedContent",
        "batchGenerateContent",
    ),
    Kind.EMBEDDING: ("embedContent", "batchEmbedContents", "asyncBatchEmbedContent"),
}


class ModelNames:
    """Finds the model that a client named."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._literals = frozenset(name for name, _ in catalogue.names())

    def require(self, name: str, *, version: str, method: str | None) -> ModelSettings:
        """Return the entry, or raise NotFound in the words of the hosted service.

        With a method, the model must be of the kind that has it.
        """
        model = self._catalogue.resolve(name)
        # After a colon stands a method, unless the name is known as a whole: no glob may take
        # GET models/x:generateContent for a model.
        is_method = ":" in name and name not in self._literals
        # A name of another service, such as publishers/google/models/x, is nobody's here.
        is_path = "/" in name and name not in self._literals
        if model is None or is_method or is_path or method not in (None, *METHODS[model.kind]):
            raise NotFound(
                f"models/{name} is not found for API version {version}, or is not supported for "
                f"{method or 'generateContent'}. Call ListModels to see the list of available "
                "models and their supported methods."
            )
        return model

    def listed(self) -> list[tuple[str, ModelSettings]]:
        """Return every name that can be listed, with its entry."""
        return self._catalogue.names()


def check_model(path: str, given: str | None, name: str) -> None:
    """Raise InvalidArgument if the message at `path` names another model than its URL does."""
    if given is not None and given.removeprefix("models/") != name:
        raise InvalidArgument(
            f"* {path}.model: {given} is not the model of the URL, models/{name}\n"
        )
