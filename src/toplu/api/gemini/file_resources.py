"""A kept file as its client sees it."""

import base64

from toplu.clock import timestamp
from toplu.files.library import FileSource, StoredFile
from toplu.wire.gemini.file import File


def file_resource(stored: StoredFile, *, base_url: str, version: str) -> File:
    """Return the File; only generated ones have a download address, as hosted."""
    uri = f"{base_url}/{version}/files/{stored.id}"
    is_generated = stored.source is FileSource.GENERATED
    download_uri = f"{base_url}/download/{version}/files/{stored.id}:download?alt=media"
    return File(
        name=f"files/{stored.id}",
        display_name=stored.display_name,
        mime_type=stored.mime_type,
        size_bytes=str(stored.size_bytes),
        create_time=timestamp(stored.created),
        update_time=timestamp(stored.updated),
        expiration_time=timestamp(stored.expires),
        sha256_hash=base64.b64encode(stored.sha256.encode()).decode(),
        uri=uri,
        download_uri=download_uri if is_generated else None,
        state="ACTIVE",
        source=str(stored.source),
    )
