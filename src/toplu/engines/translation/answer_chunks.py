"""The encode step of a streamed answer: the response in parts that differ in nothing but time."""

import msgspec
from msgspec.structs import replace

from toplu import clock
from toplu.engines.generation import Completion, Generation, Piece
from toplu.engines.translation.answer import RESPONSE_ID_LENGTH, text_tokens, write_answer
from toplu.engines.translation.logprobs import average_logprob, write_logprobs
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import (
    Candidate,
    Content,
    GenerateContentResponse,
    Part,
    UsageMetadata,
)


class AnswerChunks:
    """Writes one answer: pieces of text as they come, then whatever of it is left.

    The last chunk is the whole response less what has gone out, so that what an engine does not
    say piece by piece still arrives.
    """

    def __init__(self, model: ModelSettings) -> None:
        self._model = model
        self._response_id = clock.random_id(RESPONSE_ID_LENGTH)
        self._told: dict[int, list[Piece]] = {}

    @property
    def begun(self) -> bool:
        """Whether any chunk has been written."""
        return bool(self._told)

    def write_piece(self, piece: Piece) -> GenerateContentResponse:
        """Return the chunk with this text; its usage is what is known by then."""
        self._told.setdefault(piece.index, []).append(piece)
        part = Part(text=piece.text, thought=piece.is_thought or None)
        candidate = Candidate(
            content=Content(role="model", parts=[part]),
            logprobs_result=write_logprobs(piece.steps),
            index=piece.index,
        )
        return GenerateContentResponse(
            candidates=[candidate],
            usage_metadata=UsageMetadata(
                prompt_token_count=piece.prompt_tokens,
                total_token_count=piece.prompt_tokens,
                prompt_tokens_details=text_tokens(piece.prompt_tokens),
            ),
            model_version=self._model.name,
            response_id=self._response_id,
        )

    def write_rest(self, generation: Generation) -> GenerateContentResponse:
        """Return the last chunk: why each candidate ended, the whole usage, what is left."""
        untold = [
            self._untold(index, completion)
            for index, completion in enumerate(generation.completions)
        ]
        rest = write_answer(replace(generation, completions=tuple(untold)), self._model)
        # The mean is of the whole answer, and of use to nobody before.
        candidates = [
            msgspec.structs.replace(candidate, avg_logprobs=average_logprob(completion.steps))
            for candidate, completion in zip(rest.candidates, generation.completions, strict=True)
        ]
        return msgspec.structs.replace(rest, candidates=candidates, response_id=self._response_id)

    def _untold(self, index: int, completion: Completion) -> Completion:
        pieces = self._told.get(index, [])
        thoughts = "".join(piece.text for piece in pieces if piece.is_thought)
        text = "".join(piece.text for piece in pieces if not piece.is_thought)
        steps_count = sum(len(piece.steps) for piece in pieces)
        assert completion.text.startswith(text), "pieces are the beginning of the text"
        assert completion.thoughts.startswith(thoughts), "and of the thoughts"
        return replace(
            completion,
            text=completion.text[len(text) :],
            thoughts=completion.thoughts[len(thoughts) :],
            steps=completion.steps[steps_count:],
        )
