"""Reads the documents and images of a request, for its project and its model.

request ──▶ each inlineData: its bytes ──────────────┬──▶ text  ──┬──▶ request of texts and of
        └─▶ each fileData: the project's own file ───┴──▶ image ──┘    images written here

For a server that is given requests as they came, only the project's own files are put in place.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from toplu.documents.fault import DocumentFault
from toplu.documents.image import PlainImage
from toplu.documents.image_reader import ImageReader
from toplu.documents.image_type import ImageType
from toplu.documents.reader import DocumentReader
from toplu.engines.prompt import Image
from toplu.engines.translation.media import MediaPart, find_attached, with_read, write_document
from toplu.errors import FieldViolation, InvalidArgument, TopluError, Unimplemented
from toplu.files.inline_files import InlineFiles
from toplu.files.library import Library
from toplu.files.part_source import PartSource, Sources, find_carried
from toplu.job import ProjectId
from toplu.outbound.fetcher import Fetcher
from toplu.settings.server import ModelSettings, Settings
from toplu.wire.gemini.content import (
    Blob,
    GenerateContentRequest,
    GenerationConfig,
    MediaResolution,
    Part,
)

# The part of the longer side that a model sees of an image; of all others it sees all.
SIDE_DIVISORS = {
    MediaResolution.MEDIA_RESOLUTION_LOW: 4,
    MediaResolution.MEDIA_RESOLUTION_MEDIUM: 2,
}
UNSAID = frozenset({None, MediaResolution.MEDIA_RESOLUTION_UNSPECIFIED})
# The names of the roles of the wire whose images a model can see.
SHOWING_ROLES = frozenset({"", "user"})

Resolve = Callable[[GenerateContentRequest, ModelSettings], Awaitable[GenerateContentRequest]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """The project and the model, and the size of images whose part names none."""

    project: ProjectId
    model: ModelSettings
    resolution: MediaResolution | None


class Attachments:
    """Reads the documents and images of requests, for any project."""

    def __init__(self, *, settings: Settings, library: Library) -> None:
        self._settings = settings
        self._library = library
        self._sources = Sources(library=library, fetcher=Fetcher(settings.inputs))
        self._documents = DocumentReader(settings)
        self._images = ImageReader(settings)

    def of_project(self, project: ProjectId) -> Resolve:
        """Return what resolves requests with the files of that project, and of no other."""

        async def resolve(
            request: GenerateContentRequest, model: ModelSettings
        ) -> GenerateContentRequest:
            return await self.resolve(request, project, model)

        return resolve

    async def resolve(
        self, request: GenerateContentRequest, project: ProjectId, model: ModelSettings
    ) -> GenerateContentRequest:
        """Return the request with what every such part is read as, or raise what is wrong."""
        attached = list(find_attached(request))
        documents_max = self._settings.request_documents_max
        if len(attached) > documents_max:
            raise InvalidArgument(
                f"* GenerateContentRequest.contents: {len(attached)} documents; at most "
                f"{documents_max} are read for a request.\n"
            )
        if model.is_relayed:
            return await self._enclose(request, attached, project, model)
        config = request.generation_config or GenerationConfig()
        asking = _Asking(project=project, model=model, resolution=config.media_resolution)
        room = _Room(self._settings)
        read: dict[str, Sequence[str | Image]] = {}
        for each in attached:
            try:
                read[each.path] = await self._read(each, asking, room)
            except DocumentFault as fault:
                raise _refusal(each, fault) from fault
        return with_read(request, read)

    async def _enclose(
        self,
        request: GenerateContentRequest,
        attached: list[MediaPart],
        project: ProjectId,
        model: ModelSettings,
    ) -> GenerateContentRequest:
        enclosures = InlineFiles(self._library, project, model.remote.files_bytes_max)
        enclosed: dict[str, Sequence[Blob]] = {}
        for each in attached:
            try:
                blob = await enclosures.find(each)
            except DocumentFault as fault:
                raise _refusal(each, fault) from fault
            if blob is not None:
                enclosed[each.path] = [blob]
        return with_read(request, enclosed)

    async def _read(
        self, attached: MediaPart, asking: _Asking, room: "_Room"
    ) -> Sequence[str | Image]:
        part = attached.part
        carried = await find_carried(part, self._sources, asking.project, asking.model)
        media_type = carried.media_type
        if isinstance(media_type, ImageType):
            if attached.role not in SHOWING_ROLES:
                raise DocumentFault(
                    f"is {media_type}, and models see only what the user shows.", unserved=True
                )
            room.take_place()
            image = await self._read_image(media_type, carried, part, asking)
            room.take_image(image)
            return [image]
        is_seen = asking.model.sees and attached.role in SHOWING_ROLES
        pieces = await self._documents.read(
            media_type,
            carried.size_bytes,
            carried.fetch,
            key=carried.key,
            shown_side=self._side(part, asking) if is_seen else None,
        )
        read = [piece if isinstance(piece, str) else _shown(piece) for piece in pieces]
        room.take_document(read)
        return write_document(read, name=carried.name, media_type=media_type.name)

    async def _read_image(
        self, media_type: ImageType, carried: PartSource, part: Part, asking: _Asking
    ) -> Image:
        image = await self._images.read(
            media_type,
            carried.size_bytes,
            carried.fetch,
            side_max=self._side(part, asking),
            key=carried.key,
        )
        return _shown(image)

    def _side(self, part: Part, asking: _Asking) -> int:
        """Return the longer side at most of an image, as the part or the request asks for."""
        resolution = asking.resolution
        if part.media_resolution is not None and part.media_resolution.level not in UNSAID:
            resolution = part.media_resolution.level
        divisor = 1 if resolution is None else SIDE_DIVISORS.get(resolution, 1)
        return max(1, self._settings.image_side_max // divisor)


class _Room:
    """The room that is left for the documents and images of one request together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._characters = 0
        self._images = 0
        self._image_bytes = 0

    def take_text(self, text: str) -> None:
        self._characters += len(text)
        characters_max = self._settings.document_characters_max
        if self._characters > characters_max:
            raise DocumentFault(
                f"the documents of the request have more text than {characters_max} characters "
                "together."
            )

    def take_document(self, pieces: Sequence[str | Image]) -> None:
        for piece in pieces:
            if isinstance(piece, str):
                self.take_text(piece)
            else:
                self.take_place()
                self.take_image(piece)

    def take_place(self) -> None:
        """Count an image before it is read."""
        self._images += 1
        if self._images > self._settings.request_images_max:
            raise DocumentFault(
                f"a request shows at most {self._settings.request_images_max} images."
            )

    def take_image(self, image: Image) -> None:
        self._image_bytes += len(image.data)
        bytes_max = self._settings.request_image_bytes_max
        if self._image_bytes > bytes_max:
            raise DocumentFault(
                f"the images of the request have more than {bytes_max} bytes together, as they "
                "are shown."
            )


def _shown(image: PlainImage) -> Image:
    return Image(
        media_type=image.media_type, width=image.width, height=image.height, data=image.data
    )


def _refusal(attached: MediaPart, fault: DocumentFault) -> TopluError:
    is_inline = attached.part.inline_data is not None
    if fault.unserved:
        path = attached.path.replace("system_instruction", "systemInstruction")
        return Unimplemented(f"{path}.{'inlineData' if is_inline else 'fileData'} {fault.message}")
    field = f"{attached.path}.{'inline_data' if is_inline else 'file_data'}"
    return InvalidArgument.of_fields(
        [FieldViolation(field, f"* GenerateContentRequest.{field}: {fault.message}\n")]
    )
