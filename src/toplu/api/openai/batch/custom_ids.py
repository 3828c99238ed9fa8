"""Finds ids that stand twice in a file of any length: twelve bytes for each."""

import hashlib
from array import array

BUCKETS = 256
HASH_BYTES = 8


class CustomIds:
    """The ids of lines, as hashes: in one of 300,000 files of ten million, two are alike."""

    def __init__(self) -> None:
        self._hashes = [array("Q") for _ in range(BUCKETS)]
        self._numbers = [array("L") for _ in range(BUCKETS)]

    def add(self, number: int, custom_id: str) -> None:
        """Take note of the id of a line."""
        digest = hashlib.blake2b(
            custom_id.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES
        ).digest()
        self._hashes[digest[0]].append(int.from_bytes(digest))
        self._numbers[digest[0]].append(number)

    def repeated(self) -> list[int]:
        """Return the numbers of the lines whose id an earlier line has, in their order."""
        found: list[int] = []
        for hashes, numbers in zip(self._hashes, self._numbers, strict=True):
            seen: set[int] = set()
            for hashed, number in zip(hashes, numbers, strict=True):
                if hashed in seen:
                    found.append(number)
                seen.add(hashed)
        return sorted(found)
