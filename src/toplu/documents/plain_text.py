"""Bytes to text: which charset they are in, and a clear fault where they are in none.

A byte order mark says most, then the MIME type, then the document itself (XML and HTML name
their charset near the top), then the zeros of UTF-16 without a mark; else it is UTF-8.
"""

import codecs
import re
from encodings.aliases import aliases

from toplu.documents.fault import DocumentFault
from toplu.documents.media_type import MediaType, Reading

MARKS = (
    (codecs.BOM_UTF8, "utf_8"),
    # Before UTF-16, whose mark is the beginning of this one.
    (codecs.BOM_UTF32_LE, "utf_32_le"),
    (codecs.BOM_UTF32_BE, "utf_32_be"),
    (codecs.BOM_UTF16_LE, "utf_16_le"),
    (codecs.BOM_UTF16_BE, "utf_16_be"),
)

# Python has codecs that are no charsets, and some that take quadratic time: these are read.
CHARSET_NAMES = (
    "ascii utf_8 utf_16 utf_16_le utf_16_be utf_32 utf_32_le utf_32_be latin_1 "
    "iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 "
    "iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16 cp1250 cp1251 cp1252 cp1253 cp1254 "
    "cp1255 cp1256 cp1257 cp1258 cp437 cp850 cp866 cp874 cp932 cp949 koi8_r koi8_u mac_roman "
    "mac_cyrillic shift_jis euc_jp iso2022_jp euc_kr gb2312 gbk gb18030 big5 big5hkscs"
)
CHARSETS = frozenset(CHARSET_NAMES.split())

DECLARED_WITHIN_BYTES = 1024
DECLARED = {
    Reading.XML: re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']"),
    Reading.HTML: re.compile(
        rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE
    ),
}
SAMPLE_BYTES = 4096
# Tab, line feed, form feed and carriage return are text, and so is the escape of a log's colours.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def decode(data: bytes, media_type: MediaType) -> str:
    r"""Return the text with `\n` at every line's end, or raise DocumentFault."""
    charset, mark_bytes = _charset_of(data, media_type)
    try:
        text = data[mark_bytes:].decode(charset)
    except UnicodeDecodeError as error:
        place = mark_bytes + error.start
        raise DocumentFault(
            f"is not {media_type.name} in {charset.replace('_', '-')}: it cannot be decoded at "
            f"byte {place}."
        ) from error
    if found := CONTROL.search(text):
        raise DocumentFault(
            f"is not {media_type.name}: it has the control character U+{ord(found[0]):04X}."
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _charset_of(data: bytes, media_type: MediaType) -> tuple[str, int]:
    """Return the codec, and how many bytes of byte order mark to leave out."""
    for mark, codec in MARKS:
        if data.startswith(mark):
            return codec, len(mark)
    if media_type.charset is not None:
        return _codec(media_type.charset), 0
    declaration = DECLARED.get(media_type.reading)
    if declaration and (found := declaration.search(data[:DECLARED_WITHIN_BYTES])):
        # What can be read in one-byte units is not UTF-16, whatever it says of itself.
        codec = _codec(found[1].decode("ascii"))
        return ("utf_8" if codec.startswith(("utf_16", "utf_32")) else codec), 0
    return _guess(data[:SAMPLE_BYTES]), 0


def _codec(label: str) -> str:
    name = label.lower().replace("-", "_").replace(" ", "_").replace(":", "_").replace(".", "_")
    codec = aliases.get(name, name)
    if codec == "iso8859_1":
        codec = "latin_1"
    if codec not in CHARSETS:
        raise DocumentFault(f"Unsupported charset: {label}")
    return codec


def _guess(sample: bytes) -> str:
    """Tell UTF-16 by its zeros: in most scripts, every other byte of spaces and marks is one."""
    units = len(sample) // 2
    if not units or len(sample) % 2 or 0 not in sample:
        return "utf_8"
    high, low = sample[0 : units * 2 : 2].count(0), sample[1 : units * 2 : 2].count(0)
    if low and not high:
        return "utf_16_le"
    return "utf_16_be" if high and not low else "utf_8"
