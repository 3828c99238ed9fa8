"""OpenAI's API through the processes of a server, and over a kill -9 of all of them."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from support.api.openai_batches import chat_line, create, finish, lines_of
from support.api.openai_calls import CHAT_MODEL, user
from support.clients import NO_CERTIFICATES
from support.model_tables import echo_model, quick_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

LINES = 200
DONE_BEFORE_THE_KILL = 40


@contextlib.contextmanager
def sdk_of(server: Server) -> Iterator[Any]:
    with openai.OpenAI(
        base_url=f"{server.url}/openai/v1",
        api_key="any",
        timeout=PATIENCE_SECONDS,
        http_client=openai.DefaultHttpxClient(verify=NO_CERTIFICATES),
    ) as client:
        yield client


@pytest.mark.model
def test_calls_and_streams_come_through_from_a_worker(tmp_path: Path) -> None:
    greedy: dict[str, Any] = {"model": CHAT_MODEL, "temperature": 0, "seed": 7}
    with started_server(tmp_path, config=quick_model(8)) as server, sdk_of(server) as sdk:
        question = user("What is the capital of France?")
        whole = sdk.chat.completions.create(**greedy, messages=question)
        stream = sdk.chat.completions.create(**greedy, messages=question, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
        assert "".join(pieces) == whole.choices[0].message.content != ""
        with pytest.raises(openai.NotFoundError):
            sdk.chat.completions.create(model="nobody", messages=question)


def test_every_line_has_one_answer_though_all_processes_are_killed(tmp_path: Path) -> None:
    config = echo_model(delay_seconds=0.02)
    with started_server(tmp_path, config=config) as server:
        with sdk_of(server) as sdk:
            batch = create(sdk, [chat_line(f"c{n}", f"word {n}") for n in range(LINES)])
            deadline = time.monotonic() + PATIENCE_SECONDS
            while sdk.batches.retrieve(batch.id).request_counts.completed < DONE_BEFORE_THE_KILL:
                assert time.monotonic() < deadline
        server.kill()
        server.start()
        with sdk_of(server) as sdk:
            done = finish(sdk, sdk.batches.retrieve(batch.id))
            assert (done.status, done.error_file_id) == ("completed", None)
            lines = lines_of(sdk, done.output_file_id)
    assert [line["custom_id"] for line in lines] == [f"c{n}" for n in range(LINES)]
    said = [line["response"]["body"]["choices"][0]["message"]["content"] for line in lines]
    assert said == [f"word {n}" for n in range(LINES)]
