"""The size of a benchmark."""

from enum import StrEnum


class Size(StrEnum):
    """To see that it runs; as a part of ten minutes; for the record."""

    TINY = "tiny"
    SELECTION = "selection"
    FULL = "full"
