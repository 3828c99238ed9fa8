"""kill -9 of a remote server: the batch waits for it, and every line gets its answer."""

from pathlib import Path

import pytest

from support.engines.listening_llama_cpp import CONTEXT_TOKENS, KEY, listening_llama_cpp
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    greedy_question,
    operation_of,
    results_of,
    text_of,
    wait_for_answers,
)
from support.model_tables import remote_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.model, pytest.mark.system]

REQUESTS = 24
LONG = "Count from one to one thousand."


def not_ready(server: Server) -> bool:
    ready = server.call("GET", "/readyz")
    if ready.status == 200:
        return False
    reason = ready.json()["reasons"]["remote"]
    assert reason.startswith("No server of the model takes requests: ")
    assert "127.0.0.1" not in reason
    return True


def test_a_killed_server_costs_no_line_its_answer(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    with listening_llama_cpp() as llama:
        room = {"context_tokens": CONTEXT_TOKENS, "output_tokens_max": 40}
        config = remote_model(llama.url, key_file, room)
        with started_server(tmp_path, config=config, log_level="debug") as server:
            name = create_job(
                server,
                [greedy_question(index, LONG) for index in range(REQUESTS)],
            )
            for answers in (3, 10):
                wait_for_answers(server, name, answers)
                llama.kill()
                server.wait_until(lambda: not_ready(server), PATIENCE_SECONDS, "/readyz to be 503")
                assert operation_of(server, name)["done"] is False
                llama.start()
            results = results_of(server, name)
            check_every_request_has_one_outcome(results, REQUESTS)
            assert all(text_of(result).strip() for result in results)
            assert not any(KEY in line for line in server.log_lines)
