from typing import Any

import msgspec

from toplu.engines.generation import Completion, Generation, Piece
from toplu.engines.translation.answer_chunks import AnswerChunks
from toplu.settings.server import ModelSettings
from toplu.wire.gemini import message
from toplu.wire.gemini.content import GenerateContentResponse

MODEL = ModelSettings(name="m", engine="echo")


def written(chunk: GenerateContentResponse) -> dict[str, Any]:
    return msgspec.json.decode(message.write(chunk))


def a_generation(*texts: str) -> Generation:
    completions = tuple(Completion(text=text, tokens=2, hit_token_limit=True) for text in texts)
    return Generation(completions=completions, prompt_tokens=10, cached_tokens=4)


def test_a_piece_has_text_and_no_end():
    chunk = written(AnswerChunks(MODEL).write_piece(Piece(index=0, text="Y", prompt_tokens=10)))
    assert chunk.pop("responseId")
    assert chunk == {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Y"}]}, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 10,
            "totalTokenCount": 10,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}],
        },
        "modelVersion": "m",
    }


def test_the_last_chunk_says_how_each_candidate_ended_and_the_whole_usage():
    chunks = AnswerChunks(MODEL)
    assert not chunks.begun
    piece = written(chunks.write_piece(Piece(index=0, text="Yes", prompt_tokens=10)))
    assert chunks.begun
    chunks.write_piece(Piece(index=1, text="N", prompt_tokens=10))
    chunks.write_piece(Piece(index=1, text="o", prompt_tokens=10))
    rest = written(chunks.write_rest(a_generation("Yes", "No")))
    assert [candidate["index"] for candidate in rest["candidates"]] == [0, 1]
    assert {candidate["finishReason"] for candidate in rest["candidates"]} == {"MAX_TOKENS"}
    assert texts_of(rest) == ["", ""]
    assert rest["responseId"] == piece["responseId"]
    assert rest["usageMetadata"]["candidatesTokenCount"] == 4
    assert rest["usageMetadata"]["cachedContentTokenCount"] == 4


def test_the_last_chunk_has_the_text_that_was_not_sent():
    chunks = AnswerChunks(MODEL)
    chunks.write_piece(Piece(index=0, text="Yes, ", prompt_tokens=10))
    rest = written(chunks.write_rest(a_generation("Yes, sir", "No")))
    assert texts_of(rest) == ["sir", "No"]


def test_an_answer_without_pieces_is_one_whole_chunk():
    assert texts_of(written(AnswerChunks(MODEL).write_rest(a_generation("Yes")))) == ["Yes"]


def texts_of(chunk: dict[str, Any]) -> list[str]:
    return [candidate["content"]["parts"][0]["text"] for candidate in chunk["candidates"]]
