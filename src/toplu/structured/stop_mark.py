"""Grammar of free text that ends at a mark: thoughts at their end, text where a call begins.

An automaton of the mark: `NAME-N` has just read its first N characters. It never branches, so
that following it costs the engine next to nothing.
"""

from toplu.structured.characters import quote


def write_until(
    mark: str, then: str | None, name: str, *, may_end: bool, certain: int | None = None
) -> str:
    """Return the rules of any text up to the first `mark`, and then what the symbol `then` says.

    They begin with `NAME-0`. If it `may_end`, the text need not come to the mark. After the first
    `certain` characters of the mark, nothing but the rest of it can come. Without a `then`, the
    mark never comes.
    """
    alphabet = sorted(set(mark))
    others = "[^" + "".join(f"\\U{ord(sign):08X}" for sign in alphabet) + "]"
    rules = []
    for read in range(len(mark)):
        if certain is not None and read == certain:
            rules.append(f"{name}-{read} ::= {quote(mark[read:])} {then}\n")
            break
        ways = [f"{others} {name}-0"]
        for sign in alphabet:
            state = _longest_start(mark, mark[:read] + sign)
            following = then if state == len(mark) else f"{name}-{state}"
            if following is not None:
                ways.append(f"{quote(sign)} {following}")
        body = " | ".join(ways)
        rules.append(f"{name}-{read} ::= {f'({body})?' if may_end else body}\n")
    return "".join(rules)


def _longest_start(mark: str, text: str) -> int:
    """Return how many characters of `mark` the text ends with."""
    return next(size for size in range(len(text), -1, -1) if text.endswith(mark[:size]))
