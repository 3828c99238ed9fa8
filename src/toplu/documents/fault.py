"""The error of a document that has no text for the model."""


class DocumentFault(Exception):
    """A document that is not read; the message follows the name of the part that carries it."""

    def __init__(self, message: str, *, unserved: bool = False, passing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.unserved = unserved  # right for the Gemini API, and nothing that is read here
        self.passing = passing  # the same bytes may be read another time
