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
from support.model_tables import echo_model, model_table, quick_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS
from toplu.settings.model import ModelSettings

LINES = 200
DONE_BEFORE_THE_KILL = 40
MODELS = (CHAT_MODEL, "second")


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
    echo = {"delay_seconds": 0.02}
    second = model_table(ModelSettings(name="second", engine="echo", lanes=4), echo=echo)
    config = f"{echo_model(**echo)}\n{second}"
    with started_server(tmp_path, config=config) as server:
        with sdk_of(server) as sdk:
            lines = [chat_line(f"c{n}", f"word {n}", model=MODELS[n % 2]) for n in range(LINES)]
            batch = create(sdk, lines)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while sdk.batches.retrieve(batch.id).request_counts.completed < DONE_BEFORE_THE_KILL:
                assert time.monotonic() < deadline
        server.kill()
        server.start()
        with sdk_of(server) as sdk:
            done = finish(sdk, sdk.batches.retrieve(batch.id))
            assert (done.status, done.error_file_id) == ("completed", None)
            found = lines_of(sdk, done.output_file_id)
    assert [line["custom_id"] for line in found] == [f"c{n}" for n in range(LINES)]
    bodies = [line["response"]["body"] for line in found]
    assert [body["model"] for body in bodies] == [MODELS[n % 2] for n in range(LINES)]
    said = [body["choices"][0]["message"]["content"] for body in bodies]
    assert said == [f"word {n}" for n in range(LINES)]
