"""Metadata of a client's file: the MIME type is kept as it is, or refused."""

import pytest

from toplu.errors import InvalidArgument
from toplu.files.metadata import checked_mime_type


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("jsonl", "jsonl"),
        ("application/jsonl", "application/jsonl"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("application/cu-seeme", "application/cu-seeme"),
        ("binary/octet-stream", "binary/octet-stream"),
        ("TEXT/Plain", "TEXT/Plain"),
        ("chemical/x-pdb", "chemical/x-pdb"),
        ("x-world/x-3dmf", "x-world/x-3dmf"),
        (None, "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_a_mime_type_is_kept_as_sent(sent: str | None, kept: str) -> None:
    assert checked_mime_type(sent) == kept


@pytest.mark.parametrize(
    "mime_type",
    [
        "a/b/c",
        "/",
        "a/",
        "two words",
        "a\r\nb: c",
        "a/b\n",
        "a/" + "b" * 254,
        "text/ü",
        "bad/mime_type",
        "image2/png",
        "x-/png",
    ],
)
def test_what_is_no_mime_type_is_refused(mime_type: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^Unsupported MIME type: ") as caught:
        checked_mime_type(mime_type)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300
