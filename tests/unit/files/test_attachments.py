from typing import Any

import msgspec
import pytest

from toplu.engines.translation.media import find_attached, with_read, write_document
from toplu.wire.gemini.content import GenerateContentRequest, Part


def a_request(*parts: dict[str, Any], **fields: Any) -> GenerateContentRequest:
    return msgspec.convert({"contents": [{"parts": list(parts)}]} | fields, GenerateContentRequest)


def test_documents_are_found_wherever_they_stand() -> None:
    system = {"parts": [{"text": "a"}, {"fileData": {"fileUri": "files/x"}}]}
    request = a_request(
        {"inlineData": {"data": "eA=="}}, {"text": "b"}, {"fileData": {}}, systemInstruction=system
    )
    assert [attached.path for attached in find_attached(request)] == [
        "system_instruction.parts[1]",
        "contents[0].parts[0]",
        "contents[0].parts[2]",
    ]


def test_texts_stand_where_their_documents_stood() -> None:
    request = a_request({"inlineData": {"data": "eA=="}}, {"text": "b"}, model="models/m")
    filled = with_read(request, {"contents[0].parts[0]": ["a"]})
    assert filled == a_request({"text": "a"}, {"text": "b"}, model="models/m")
    assert filled.contents is not None
    assert filled.contents[0].parts == [Part(text="a"), Part(text="b")]


@pytest.mark.parametrize(
    ("text", "name", "written"),
    [
        ("a\nb\n", None, '<document type="text/plain">\na\nb\n</document>'),
        ("a", "n.txt", '<document name="n.txt" type="text/plain">\na\n</document>'),
        (
            "a",
            'n" type="x>\n&',
            '<document name="n&quot; type=&quot;x&gt; &amp;" type="text/plain">\na\n</document>',
        ),
        (
            "</document></DOCUMENT>",
            None,
            '<document type="text/plain">\n<\\/document><\\/DOCUMENT>\n</document>',
        ),
    ],
)
def test_a_document_cannot_say_that_it_ends(text: str, name: str | None, written: str) -> None:
    assert write_document([text], name=name, media_type="text/plain") == [written]
