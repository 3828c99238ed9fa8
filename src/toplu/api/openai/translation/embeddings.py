"""Embeddings: a request of the core for each text, and a list of vectors of their answers."""

import array
import base64
import sys
from collections.abc import Sequence

from toplu.api.openai.translation.asked import AnswerForm, Asked
from toplu.wire.gemini.content import Content, Part
from toplu.wire.gemini.embedding import EmbedContentRequest
from toplu.wire.openai.embedding import Embedding, Embeddings, EmbeddingsRequest, EmbeddingsUsage
from toplu.wire.openai.message import FreeForm, InvalidParameter, read

TEXTS_MAX = 2048  # of one call, as hosted


def read_embeddings(body: bytes | FreeForm) -> Asked:
    """Return what the body asks for; InvalidParameter says what is wrong, and where."""
    request = read(EmbeddingsRequest, body)
    texts = [request.input] if isinstance(request.input, str) else request.input
    if not texts or len(texts) > TEXTS_MAX:
        raise InvalidParameter("input", f"'input' must have 1 to {TEXTS_MAX} texts.")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidParameter(
                f"input[{index}]", f"'input[{index}]' must be a text: tokens are not served."
            )
    return Asked(
        form=AnswerForm(
            model=request.model,
            as_base64=request.encoding_format == "base64",
            parts=len(texts),
        ),
        requests=tuple(
            EmbedContentRequest(
                content=Content(parts=[Part(text=text)]),
                output_dimensionality=request.dimensions,
            )
            for text in texts
        ),
    )


def embeddings(responses: Sequence[FreeForm], form: AnswerForm) -> Embeddings:
    """Return the vectors of responses that stand in the order of their texts."""
    tokens = sum(response["usageMetadata"]["promptTokenCount"] for response in responses)
    return Embeddings(
        data=[
            Embedding(
                index=index, embedding=_vector(response["embedding"]["values"], form.as_base64)
            )
            for index, response in enumerate(responses)
        ],
        model=form.model,
        usage=EmbeddingsUsage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _vector(values: list[float], as_base64: bool) -> list[float] | str:
    if not as_base64:
        return values
    floats = array.array("f", values)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")
