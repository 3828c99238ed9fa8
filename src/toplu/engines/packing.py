"""Texts of about the same length side by side: a group costs what its longest text costs."""

from collections.abc import Sequence


def pack(lengths: Sequence[int], padded_max: int) -> list[list[int]]:
    """Return groups of indices, each of them in one; count times longest is at most `padded_max`.

    A text that is longer than that by itself stands alone.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        # In rising order, so the text at hand is the longest of the group that it joins.
        if groups and (len(groups[-1]) + 1) * lengths[index] <= padded_max:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups
