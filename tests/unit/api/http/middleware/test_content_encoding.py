"""Bodies are decoded piece by piece, and those that are not what they say are refused."""

import gzip
import zlib
from collections.abc import Iterator

import pytest

from toplu.api.http.middleware.content_encoding import (
    OVERHEAD_BYTES_MAX,
    PIECE_BYTES,
    DecodedBodies,
    Decoder,
)
from toplu.errors import InvalidArgument, TopluError, Unimplemented, UnsupportedEncoding

TEXT = b"".join(b"%d, a line that is told from all others\n" % number for number in range(5000))
EMPTY_MEMBER = gzip.compress(b"")


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


ENCODED = [
    ("gzip", gzip.compress(TEXT)),
    ("x-gzip", gzip.compress(TEXT)),
    ("gzip", gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:])),
    ("gzip", gzip.compress(TEXT) + bytes(1000)),
    ("gzip", EMPTY_MEMBER + gzip.compress(TEXT)),
    ("deflate", zlib.compress(TEXT)),
    ("deflate", raw_deflate(TEXT)),
]
FORMS = ["gzip", "x-gzip", "two members", "zeros behind", "empty member", "zlib", "raw deflate"]


def decoded(coding: str, data: bytes, piece_bytes: int) -> bytes:
    decoder = Decoder(coding)
    pieces: list[bytes] = []
    for start in range(0, len(data), piece_bytes):
        pieces += decoder.decode(data[start : start + piece_bytes])
    decoder.finish()
    assert max(map(len, pieces), default=0) <= PIECE_BYTES
    return b"".join(pieces)


@pytest.mark.parametrize("piece_bytes", [1, 3, 1000, 10**9])
@pytest.mark.parametrize(("coding", "data"), ENCODED, ids=FORMS)
def test_bodies_are_decoded_however_they_are_cut(
    coding: str, data: bytes, piece_bytes: int
) -> None:
    assert decoded(coding, data, piece_bytes) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_empty_body_is_an_empty_one(coding: str) -> None:
    assert decoded(coding, b"", 1) == b""


@pytest.mark.parametrize(
    ("coding", "data", "reason"),
    [
        ("gzip", b"{}", "incorrect header"),
        ("gzip", gzip.compress(TEXT)[:-1], "ends too early"),
        ("gzip", gzip.compress(TEXT)[:-8] + bytes(8), "incorrect data check"),
        ("gzip", gzip.compress(TEXT) + b"more", "incorrect header"),
        ("deflate", zlib.compress(TEXT) + b"more", "bytes follow its end"),
        ("deflate", zlib.compress(TEXT)[:1], "ends too early"),
        ("deflate", gzip.compress(TEXT), "not valid deflate"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(coding: str, data: bytes, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        decoded(coding, data, 1000)


def test_a_bomb_grows_by_one_piece_at_a_time() -> None:
    bomb = Decoder("gzip").decode(gzip.compress(bytes(10**8)))
    assert [len(next(bomb)) for _ in range(3)] == [PIECE_BYTES] * 3


def test_a_body_that_decodes_to_nothing_has_an_end() -> None:
    with pytest.raises(InvalidArgument, match="much longer"):
        decoded("gzip", EMPTY_MEMBER * (OVERHEAD_BYTES_MAX // len(EMPTY_MEMBER) + 1), 64 * 1024)


async def body_of(headers: dict[str, str], *pieces: bytes) -> bytes:
    """Return the body that a handler behind the middleware reads."""
    whole = bytearray()
    sent: Iterator[bytes] = iter(pieces)

    async def receive() -> dict[str, object]:
        piece = next(sent, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(_message: object) -> None:
        raise AssertionError("the handler sends nothing")

    async def handler(_scope: object, receive: object, _send: object) -> None:
        while True:
            message = await receive()  # type: ignore[operator]
            whole.extend(message["body"])
            if not message["more_body"]:
                return

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await DecodedBodies(handler)({"type": "http", "headers": raw}, receive, send)
    return bytes(whole)


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("GZIP", gzip.compress(TEXT)),
        ("identity, gzip", gzip.compress(TEXT)),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
        ("identity", TEXT),
        ("", TEXT),
    ],
)
async def test_codings_are_undone_in_reverse_order(coding: str, data: bytes) -> None:
    assert await body_of({"Content-Encoding": coding}, data[:50], data[50:]) == TEXT


@pytest.mark.parametrize(
    ("headers", "error", "name"),
    [
        ({"Content-Encoding": "br"}, UnsupportedEncoding, "br"),
        ({"Content-Encoding": "zstd, gzip"}, UnsupportedEncoding, "zstd, gzip"),
        ({"Content-Encoding": "gzip, gzip, gzip"}, UnsupportedEncoding, "3 codings"),
        ({"Transfer-Encoding": "gzip, chunked"}, Unimplemented, "gzip, chunked"),
    ],
)
async def test_other_codings_are_refused_by_name(
    headers: dict[str, str], error: type[TopluError], name: str
) -> None:
    with pytest.raises(error, match=name):
        await body_of(headers, TEXT)
