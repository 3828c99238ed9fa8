"""The folder of the sockets through which the processes of one data folder speak to each other.

A path of a socket has 107 bytes at most, so where the data folder's own is too long, the sockets
are in the folder for temporary files (in `/tmp` where that is too long as well, as clusters have
it), under a name that follows from the data folder's. Only its owner may enter it.
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
SHORTEST_PARENT = Path("/tmp")  # noqa: S108  # the folder made in it is its owner's alone


def socket_folder(data_dir: Path) -> Path:
    """Return the folder, made if it is not there; ConfigurationError if it is not ours alone."""
    own = data_dir.resolve() / NAME
    name = f"toplu-{os.getuid()}-{hashlib.sha256(os.fsencode(own)).hexdigest()[:16]}"
    short = (it for it in (own, Path(tempfile.gettempdir()) / name) if _has_room(it))
    folder = next(short, SHORTEST_PARENT / name)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigurationError(
            f"{folder}: is not a folder of this user's alone, and the sockets of the server are "
            "to be in it; remove it, or set TMPDIR to another folder"
        )
    return folder


def _has_room(folder: Path) -> bool:
    return len(os.fsencode(folder)) + 1 + NAME_BYTES_MAX <= PATH_BYTES_MAX
