"""The place of a client that follows a batch: which results it has.

    shards of which it has everything ─ 0-511, 513 ─ and of others which places ─ 512: 1101…

The client keeps it and we keep nothing. It is as short as few shards are worked on at a time, and
means the same while the batch runs, after its end and after any crash.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping

import msgspec

from toplu.errors import InvalidArgument

TEXT_LENGTH_MAX = 48 * 1024
BYTES_MAX = 4 * 1024 * 1024


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a batch that were given to a client."""

    count: int = 0  # results
    whole: list[tuple[int, int]] = []  # the first and the last number of neighbouring shards
    parts: dict[int, bytes] = {}  # of other shards, by number: a bit for each place in the order

    @classmethod
    def of_text(cls, text: str) -> "Cursor":
        """Return the cursor that `text` wrote; InvalidArgument if it is none."""
        if not text:
            return cls()
        unknown = InvalidArgument("after is not a place that this server gave.")
        if len(text) > TEXT_LENGTH_MAX:
            raise unknown
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            written = zlib.decompressobj().decompress(packed, BYTES_MAX)
            return msgspec.msgpack.decode(written, type=cls)
        except (ValueError, binascii.Error, zlib.error, msgspec.MsgspecError):
            raise unknown from None

    @property
    def text(self) -> str:
        packed = zlib.compress(msgspec.msgpack.encode(self))
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def has_all_of(self, shard: int) -> bool:
        return any(first <= shard <= last for first, last in self.whole)

    def places_of(self, shard: int) -> set[int]:
        """Return the places of the shard whose results were given."""
        bits = int.from_bytes(self.parts.get(shard, b""), "little")
        return {place for place in range(bits.bit_length()) if bits >> place & 1}

    def moved(
        self, *, count: int, whole: Iterable[int], parts: Mapping[int, Iterable[int]]
    ) -> "Cursor":
        """Return the cursor after so many more results, with all places that are given now."""
        numbers = sorted({*whole})
        ranges = sorted([*self.whole, *((number, number) for number in numbers)])
        kept = {number: bits for number, bits in self.parts.items() if number not in numbers}
        for number, places in parts.items():
            bits = sum(1 << place for place in set(places))
            kept[number] = bits.to_bytes(-(-bits.bit_length() // 8), "little")
        return Cursor(count=self.count + count, whole=_joined(ranges), parts=kept)


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined
