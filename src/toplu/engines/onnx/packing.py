"""Texts of about the same length side by side: a run costs what its longest text costs."""

from collections.abc import Sequence

# What another run costs, in tokens that are computed: measured on two cores with MiniLM.
RUN_TOKENS = 16


def pack(lengths: Sequence[int], padded_max: int) -> list[list[int]]:
    """Return runs of indices, each of them in one; count times longest is at most `padded_max`.

    A text that is longer than that by itself stands alone. A text that would have those before it
    padded for more than a run of its own costs begins one.
    """
    runs: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        # In rising order, so the text at hand is the longest of the run that it joins.
        length = lengths[index]
        padding = len(runs[-1]) * (length - longest) if runs else 0
        if runs and padding <= RUN_TOKENS and (len(runs[-1]) + 1) * length <= padded_max:
            runs[-1].append(index)
        else:
            runs.append([index])
        longest = length
    return runs
