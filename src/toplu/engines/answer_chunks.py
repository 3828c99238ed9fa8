"""The encode step of a streamed answer: the response in parts, told apart by nothing but time."""

from dataclasses import replace

import msgspec

from toplu import clock
from toplu.engines.answer import RESPONSE_ID_LENGTH, text_tokens, write_answer
from toplu.engines.engine import Generation, Piece
from toplu.gemini.content import (
    Candidate,
    Content,
    GenerateContentResponse,
    Part,
    UsageMetadata,
)
from toplu.settings import ModelSettings


class AnswerChunks:
    """Writes one answer: pieces of text as they come, then whatever of it is left.

    The last chunk is the whole response less the text that has gone out, so that what an engine
    does not say piece by piece still arrives.
    """

    def __init__(self, model: ModelSettings) -> None:
        self._model = model
        self._response_id = clock.random_id(RESPONSE_ID_LENGTH)
        self._told: dict[int, list[str]] = {}

    @property
    def begun(self) -> bool:
        """Whether any chunk has been written."""
        return bool(self._told)

    def write_piece(self, piece: Piece) -> GenerateContentResponse:
        """Return the chunk with this text; its usage is what is known by then."""
        self._told.setdefault(piece.index, []).append(piece.text)
        content = Content(role="model", parts=[Part(text=piece.text)])
        return GenerateContentResponse(
            candidates=[Candidate(content=content, index=piece.index)],
            usage_metadata=UsageMetadata(
                prompt_token_count=piece.prompt_tokens,
                total_token_count=piece.prompt_tokens,
                prompt_tokens_details=text_tokens(piece.prompt_tokens),
            ),
            model_version=self._model.name,
            response_id=self._response_id,
        )

    def write_rest(self, generation: Generation) -> GenerateContentResponse:
        """Return the last chunk: why each candidate ended, the whole usage, text not yet told."""
        untold = []
        for index, completion in enumerate(generation.completions):
            told = "".join(self._told.get(index, ()))
            assert completion.text.startswith(told), "pieces are the beginning of the text"
            untold.append(replace(completion, text=completion.text[len(told) :]))
        rest = write_answer(replace(generation, completions=tuple(untold)), self._model)
        return msgspec.structs.replace(rest, response_id=self._response_id)
