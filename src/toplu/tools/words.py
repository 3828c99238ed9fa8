"""The words of a text that say what it is about."""

import re

WORD = re.compile(r"[^\W_]+")

# Words that nearly every English text has: to find them in a page means nothing. In other
# languages such words are only outweighed, as rare ones count for more.
_EMPTY_WORDS = """
a about an and any are as at be been but by can could did do does for from had has have he
her his how i if in into is it its me my no not of on or our she should so some tell than
that the their them then there these they this to us was we were what when where which who
whom whose why will with would you your
"""
EMPTY_WORDS = frozenset(_EMPTY_WORDS.split())


def telling_words(text: str) -> list[str]:
    """Return the words of the text, folded, in order, without the empty ones."""
    return [word for word in WORD.findall(text.casefold()) if word not in EMPTY_WORDS]
