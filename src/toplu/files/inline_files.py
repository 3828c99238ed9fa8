"""Files that requests name, put into them: the servers that are asked know nothing of our files."""

from toplu.documents.fault import DocumentFault
from toplu.engines.translation.media import MediaPart
from toplu.files.library import Library
from toplu.files.part_source import FILE_URI, check_single
from toplu.job import ProjectId
from toplu.wire.gemini.content import Blob, FileData


class InlineFiles:
    """Reads the files of one request, of a bounded size together."""

    def __init__(self, library: Library, project: ProjectId, bytes_max: int) -> None:
        self._library = library
        self._project = project
        self._bytes_max = bytes_max
        self._bytes = 0

    async def find(self, attached: MediaPart) -> Blob | None:
        """Return the file that the part names, None if what it has is for the server to read."""
        check_single(attached.part)
        named = attached.part.file_data
        if named is None or FILE_URI.fullmatch(named.file_uri or "") is None:
            return None
        return await self._read(named, named.file_uri or "")

    async def _read(self, named: FileData, uri: str) -> Blob:
        file = await self._library.get(self._project, uri)
        self._bytes += file.size_bytes
        if self._bytes > self._bytes_max:
            raise DocumentFault(
                f"the files of the request have more than {self._bytes_max} bytes together."
            )
        try:
            data = await self._library.read(file)
        except FileNotFoundError:
            # It was deleted since: the library says so, as it does of any missing file.
            await self._library.get(self._project, uri)
            raise
        return Blob(
            mime_type=named.mime_type or file.mime_type,
            data=data,
            display_name=named.display_name,
        )
