"""A request that searches, and the rules that the marks of its answer keep."""

from typing import Any

from google.genai import types

from support.api.batch_calls import asking, text_of
from support.tools.pages_under_test import PAGES

QUESTION = "Who won the euro 2025?"
SEARCHED = asking(QUESTION) | {"tools": [{"google_search": {}}]}
EURO = "https://site.example/euro-2025.html"


def check_grounding(response: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    """Check the marks of the answer to QUESTION by their own rules; return them."""
    strict = types.GenerateContentResponse.model_validate(response)
    assert strict.candidates[0].grounding_metadata.web_search_queries == [QUESTION]
    marks = response["candidates"][0]["groundingMetadata"]
    assert marks["searchEntryPoint"]["renderedContent"].count(QUESTION) == 1
    (chunk,) = marks["groundingChunks"]
    title = PAGES["euro-2025.html"][0]
    assert chunk == {"web": {"uri": EURO, "title": title, "domain": "site.example"}}
    content = (text or text_of(response)).encode()
    supports = marks["groundingSupports"]
    for support in supports:
        segment = support["segment"]
        assert content[segment["startIndex"] : segment["endIndex"]].decode() == segment["text"]
        assert support["groundingChunkIndices"] == [0]
        assert 0 < support["confidenceScores"][0] <= 1
    # The echo engine repeats what it was given, and so the page.
    assert any(PAGES["euro-2025.html"][1] in each["segment"]["text"] for each in supports)
    return marks
