"""Model names of URLs: which catalogue entry one stands for, or the 404 that says so."""

from toplu.engines.catalogue import Catalogue
from toplu.errors import NotFound
from toplu.settings import ModelSettings

GENERATION_METHODS = ("generateContent", "countTokens", "batchGenerateContent")


class ModelNames:
    """Finds the model that a client named."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def require(self, name: str, *, version: str, method: str) -> ModelSettings:
        """Return the entry, or raise NotFound in the words of the hosted service."""
        model = self._catalogue.resolve(name)
        if model is None:
            raise NotFound(
                f"models/{name} is not found for API version {version}, or is not supported for "
                f"{method}. Call ListModels to see the list of available models and their "
                "supported methods."
            )
        return model

    def listed(self) -> list[tuple[str, ModelSettings]]:
        """Return every name that can be listed, with its entry."""
        return self._catalogue.names()
