"""Makes files of what is at addresses that clients name: a copy, with its ETag."""

from toplu.files.metadata import DISPLAY_NAME_LENGTH_MAX, UNKNOWN_MIME_TYPE, FileTerms
from toplu.files.uploads import Uploads
from toplu.job import ProjectId
from toplu.outbound.fetcher import Fetcher
from toplu.store.rows.files import StoredFile
from toplu.wire.gemini import message
from toplu.wire.gemini.file import FileMetadata


class Registration:
    """Fetches addresses once, and keeps what was there as a file of the project."""

    def __init__(self, *, fetcher: Fetcher, uploads: Uploads) -> None:
        self._fetcher = fetcher
        self._uploads = uploads

    async def register(self, project: ProjectId, uri: str, field: str) -> StoredFile:
        """Return the kept file; raises what `Fetcher.opened` and `Uploads.whole` raise."""
        async with self._fetcher.opened(project, uri, field) as fetched:

            async def read_terms() -> FileTerms:
                return FileTerms(origin=message.write(fetched.origin))

            name = fetched.origin.uri.rstrip("/").rpartition("/")[2]
            return await self._uploads.whole(
                project,
                FileMetadata(display_name=name[:DISPLAY_NAME_LENGTH_MAX]),
                mime_type=fetched.mime_type or UNKNOWN_MIME_TYPE,
                chunks=fetched.chunks,
                read_terms=read_terms,
            )
