"""The folder of the sockets through which the processes of one data folder speak to each other.

A path of a socket has 107 bytes at most, so where the data folder's own is too long, the sockets
are in the folder for temporary files, under a name that follows from the data folder's. Only its
owner may enter it.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from toplu.errors import ConfigurationError

PATH_BYTES_MAX = 107  # on Linux; one byte less than the kernel's field
NAME_BYTES_MAX = 24
NAME = "run"


def socket_folder(data_dir: Path) -> Path:
    """Return the folder, made if it is not there; ConfigurationError if it is not ours alone."""
    folder = data_dir.resolve() / NAME
    if len(os.fsencode(folder)) + 1 + NAME_BYTES_MAX > PATH_BYTES_MAX:
        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"toplu-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigurationError(
            f"{folder}: is not a folder of this user's alone, and the sockets of the server are "
            "to be in it; remove it, or set TMPDIR to another folder"
        )
    return folder
