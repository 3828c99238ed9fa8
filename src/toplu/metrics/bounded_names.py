"""Names that may be labels: so many of them, and one for the rest."""

OTHER = "other"


class BoundedNames:
    """The first names that come have labels of their own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """Return the label of a name."""
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name
