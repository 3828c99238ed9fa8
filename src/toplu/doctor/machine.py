"""The machine under a server: its folder, its disk, its port and its limits. Blocking."""

import http.client
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from toplu.doctor.check import Check, fault, fine, warning
from toplu.documents.formats.ocr import check_ocr
from toplu.errors import ConfigurationError
from toplu.serving.sockets.listener import bind
from toplu.settings.bounds import GIB, MIB
from toplu.settings.server import Settings
from toplu.store.data_folder import PRIVATE_UMASK

SPACE_BYTES_MIN = GIB
SPACE_SHARE_MIN = 0.05
SYNCS = 5
# A group of results waits for one: with more, small groups are what limits a fast engine.
SYNC_SECONDS_MAX = 0.05
FILES_OF_A_CONNECTION = 2  # a socket, and what is read or written for it
ANSWER_SECONDS = 2.0


def check_machine(settings: Settings) -> Iterator[Check]:
    """Yield what is found, whether or not a server runs here."""
    yield from _check_folder(settings.data_dir)
    yield _check_port(settings)
    yield _check_open_files(settings)
    yield from _check_ocr(settings)


def _check_folder(folder: Path) -> Iterator[Check]:
    there = _nearest(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        yield fault(
            "data folder",
            f"{there} cannot be written into",
            "name another folder with --data-dir, or change its owner",
        )
        return
    if folder.exists() and folder.stat().st_mode & PRIVATE_UMASK:
        yield warning(
            "data folder", f"{folder} can be read by others", f"chmod 700 {folder}; serve does it"
        )
    else:
        yield fine("data folder", str(folder) if folder.exists() else f"{folder}, not there yet")
    yield _check_space(there)
    yield _check_syncs(there)


def _check_space(folder: Path) -> Check:
    disk = shutil.disk_usage(folder)
    found = f"{disk.free / GIB:.1f} of {disk.total / GIB:.1f} GiB are free"
    if disk.free < SPACE_BYTES_MIN:
        return fault("disk", found, "make space: without it batches wait")
    if disk.free < SPACE_SHARE_MIN * disk.total:
        return warning("disk", found, "make space before it is full")
    return fine("disk", found)


def _check_syncs(folder: Path) -> Check:
    taken = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".toplu-doctor-") as file:
        for _ in range(SYNCS):
            begun = time.monotonic()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            taken.append(time.monotonic() - begun)
    seconds = median(taken)
    found = f"a write is durable after {seconds * 1000:.1f} ms"
    if seconds > SYNC_SECONDS_MAX:
        mend = "use a local disk for the data folder: each group of results waits for this"
        return warning("durable writes", found, mend)
    return fine("durable writes", found)


def _check_port(settings: Settings) -> Check:
    place = f"{settings.host}:{settings.port}"
    try:
        bind(settings).close()
    except ConfigurationError as error:
        if _is_ours(settings):
            return fine("port", f"{place} has a toplu server, which is alive")
        found, _, mend = str(error).partition("; ")
        return fault("port", found, mend)
    return fine("port", f"{place} is free")


def _is_ours(settings: Settings) -> bool:
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104  # any is asked by loopback
    connection = http.client.HTTPConnection(host, settings.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/openapi.json")
        answer = connection.getresponse()
        return b'"title":"toplu"' in answer.read(16 * MIB)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _check_open_files(settings: Settings) -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_OF_A_CONNECTION * settings.connections_max
    found = f"a process may have {soft} open"
    if soft < needed:
        mend = f"ulimit -n {needed}, or LimitNOFILE={needed} of its systemd unit"
        return warning("open files", f"{found}; connections_max needs {needed}", mend)
    return fine("open files", found)


def _check_ocr(settings: Settings) -> Iterator[Check]:
    if settings.ocr == "never":
        return
    try:
        check_ocr(settings)
    except ConfigurationError as error:
        yield fault("ocr", str(error), "apt install tesseract-ocr and tesseract-ocr-LANGUAGE, say")
    else:
        yield fine("ocr", f"Tesseract reads {settings.ocr_languages}")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the one that it would be made in."""
    folder = folder.resolve()
    return next(path for path in (folder, *folder.parents) if path.exists())
