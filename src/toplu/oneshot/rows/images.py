"""Images that rows name by their paths, as parts of requests."""

import base64
from pathlib import Path

from toplu.documents.image_type import find_image_type
from toplu.errors import ConfigurationError
from toplu.settings.bounds import MIB

IMAGE_BYTES_MAX = 14 * MIB  # in base64 it is to fit a line


class ImageFolder:
    """The folder in and below which the images of a table are: that of the table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def part(self, named: str, place: str) -> dict[str, object]:
        """Return the image as a part; ConfigurationError with the place if there is none."""
        path = (self._folder / named).resolve()
        if not path.is_relative_to(self._folder):
            raise ConfigurationError(f"{place}: `{named}` is not below {self._folder}")
        try:
            if path.stat().st_size > IMAGE_BYTES_MAX:
                raise ConfigurationError(
                    f"{place}: `{named}` has more than {IMAGE_BYTES_MAX} bytes"
                )
            content = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"{place}: `{named}` cannot be read: {reason}") from error
        kind = find_image_type(content)
        if kind is None:
            raise ConfigurationError(f"{place}: `{named}` is no image of a known kind")
        data = base64.b64encode(content).decode()
        return {"inlineData": {"mimeType": kind, "data": data}}
