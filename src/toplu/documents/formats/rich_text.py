"""RTF to its text: what a reader would see, without fonts, pictures and fields.

Only `documents.child` reads it: the library's patterns take long for what is made for them.
"""

import codecs
import re

from toplu.documents.fault import DocumentFault

MARK = b"{\\rtf"
CODE_PAGE = re.compile(rb"\\ansicpg(\d{1,5})")
CODE_PAGE_WITHIN_BYTES = 1024
DEFAULT_CODE_PAGE = "cp1252"
# What JSON and models take for no text: all controls but tab and line feed.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
EMPTY_LINES = re.compile(r"\n{3,}")


def read_rich_text(data: bytes) -> str:
    """Return the text, or raise DocumentFault."""
    from striprtf.striprtf import rtf_to_text

    code_page = _code_page_of(data)
    try:
        coded = data.decode(code_page, "replace")
        text: str = rtf_to_text(coded, encoding=code_page, errors="replace")  # type: ignore[no-untyped-call]
        # A character beyond 16 bits is written as the two halves of a surrogate pair.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        # Python's own faults, wherever the library was led astray.
        raise DocumentFault("is RTF that is damaged.") from error
    text = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return EMPTY_LINES.sub("\n\n", "\n".join(map(str.rstrip, text.split("\n")))).strip("\n")


def is_rich_text(data: bytes) -> bool:
    """Return whether the bytes begin as RTF does."""
    return data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(MARK)


def _code_page_of(data: bytes) -> str:
    """Return the codec of bytes that are not escaped, which is that of those that are."""
    found = CODE_PAGE.search(data[:CODE_PAGE_WITHIN_BYTES])
    if found is None:
        return DEFAULT_CODE_PAGE
    try:
        return codecs.lookup(f"cp{int(found[1])}").name
    except LookupError:
        return DEFAULT_CODE_PAGE
