"""Labels that clients give to requests, and what was used under each of them.

A request counts once under each of its labels. A label is a key with a value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from toplu.money import NO_TOKENS, TOKENS, Usage

Labels = Mapping[str, str]
Label = tuple[str, str]

LABELS_MAX = 64  # of one request
LENGTH_MAX = 63  # of a key, and of a value
# So many labels of one batch are summed apart; all others together, under a key that no label has.
SUMMED_MAX = 1000
OTHERS: Label = ("", "")


def label_faults(labels: Labels) -> Iterator[str]:
    """Yield what is wrong with the labels of a request."""
    if len(labels) > LABELS_MAX:
        yield f"there must be at most {LABELS_MAX} labels."
        return
    for key, value in labels.items():
        if not 0 < len(key) <= LENGTH_MAX or len(value) > LENGTH_MAX:
            yield f"a key has 1 to {LENGTH_MAX} characters, and a value at most {LENGTH_MAX}."
        elif not (key + value).isprintable():
            yield "keys and values must be printable text."


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSum:
    """Requests and tokens of one label."""

    requests: int = 0
    usage: Usage = NO_TOKENS

    def __add__(self, other: "LabelSum") -> "LabelSum":
        return LabelSum(requests=self.requests + other.requests, usage=self.usage + other.usage)


class LabelSums:
    """Sums by label, of a bounded number of labels."""

    def __init__(self) -> None:
        self._sums: dict[Label, LabelSum] = {}

    def __bool__(self) -> bool:
        return bool(self._sums)

    def items(self) -> list[tuple[Label, LabelSum]]:
        """Return the sums, by label in order."""
        return sorted(self._sums.items(), key=lambda item: item[0])

    def count(self, labels: Labels | None, usage: Usage, *, requests: int = 1) -> None:
        """Add requests that have these labels."""
        for label in (labels or {}).items():
            self._add(label, LabelSum(requests=requests, usage=usage))

    def add(self, others: "LabelSums") -> None:
        """Add what was summed elsewhere."""
        for label, each in others.items():
            self._add(label, each)

    def _add(self, label: Label, more: LabelSum) -> None:
        if label not in self._sums and len(self._sums) >= SUMMED_MAX:
            label = OTHERS
        self._sums[label] = self._sums.get(label, LabelSum()) + more

    def encode(self) -> bytes:
        """Return the sums as JSON: `[key, value, requests, tokens…]` for each label."""
        return msgspec.json.encode(
            [
                [*label, each.requests, *(getattr(each.usage, name) for name in TOKENS)]
                for label, each in self.items()
            ]
        )

    @classmethod
    def decode(cls, encoded: bytes) -> "LabelSums":
        """Return the sums that were encoded; earlier versions wrote the first three tokens."""
        sums = cls()
        for key, value, requests, *tokens in msgspec.json.decode(encoded):
            usage = Usage(**dict(zip(TOKENS, tokens, strict=False)))
            sums._sums[key, value] = LabelSum(requests=requests, usage=usage)
        return sums
