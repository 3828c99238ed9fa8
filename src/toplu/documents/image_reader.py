"""Reads images: checks what they are, and has each written again in a child process."""

import math
from collections.abc import Hashable

from toplu.documents.child import ImageOrder
from toplu.documents.fault import DocumentFault
from toplu.documents.image import PlainImage
from toplu.documents.image_type import ImageType, find_image_type
from toplu.documents.reader import Fetch
from toplu.documents.reading_process import read_image_in_child
from toplu.documents.readings import Readings, check_size
from toplu.settings.server import Settings


class ImageReader:
    """Makes plain images of those that clients send, for every request of a server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._images = Readings[PlainImage](
            bytes_max=settings.image_bytes_max,
            readers_max=settings.image_readers_max,
            weight_max=settings.images_kept_bytes_max,
            weight_of=lambda image: len(image.data),
        )

    async def read(
        self,
        media_type: ImageType,
        size_bytes: int,
        fetch: Fetch,
        *,
        side_max: int,
        key: Hashable | None = None,
    ) -> PlainImage:
        """Return the image with its longer side at most `side_max`, or raise DocumentFault.

        The bytes are fetched when there is a place to read them. Calls with an equal key, where
        one is given, are for the same bytes.
        """
        own_key = None if key is None else (key, media_type, side_max)

        async def read() -> PlainImage:
            data = await fetch()
            check_size(len(data), self._settings.image_bytes_max)
            found = find_image_type(data)
            if found is not media_type:
                raise DocumentFault(f"is not {media_type}{f': it is {found}' if found else ''}.")
            return await read_image_in_child(self._order(media_type, side_max, data), data)

        return await self._images.read(own_key, size_bytes, read)

    def _order(self, media_type: ImageType, side_max: int, data: bytes) -> ImageOrder:
        return ImageOrder(
            media_type=media_type,
            size_bytes=len(data),
            pixels_max=self._settings.image_pixels_max,
            side_max=side_max,
            memory_bytes_max=self._settings.document_memory_bytes_max,
            cpu_seconds_max=math.ceil(self._settings.document_seconds_max),
        )
