"""Documents in requests to the real model, through Google's SDK and on a line of a batch.

The specification promises that a batch takes what the interactive API takes. The model is small:
what it is asked is held here, not how well it thinks. A file and its text in the documented
form are the same prompt.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import types

from support.clients import sdk_client
from support.model_tables import model_table
from support.pdf_files import pdf_of
from support.server import Server, started_server
from support.waiting import eventually

pytestmark = pytest.mark.model

FLASH = "gemini-2.5-flash"
CONFIG = {"temperature": 0.0, "seed": 5, "max_output_tokens": 24}
STORY = "The lighthouse keeper of Norderney is called Wilhelmine.\nShe has three cats."
QUESTION = "What is the name of the lighthouse keeper?"
SHOWN = (
    f'<document name="story.pdf" type="application/pdf">\n{STORY}\n</document>\n'
    '<document name="notes.txt" type="text/plain">\nThe cats are grey.\n</document>'
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = model_table(output_tokens_max=24, threads=1, lanes=1)
    with started_server(tmp_path_factory.mktemp("documents"), config=config) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[genai.Client]:
    client = sdk_client(server.url)
    yield client
    client.close()


def test_a_file_is_its_text_to_the_model(client: genai.Client, tmp_path: Path) -> None:
    story = tmp_path / "story.pdf"
    story.write_bytes(pdf_of(STORY))
    notes = tmp_path / "notes.txt"
    notes.write_text("The cats are grey.\n", encoding="utf-8")
    files = [
        client.files.upload(file=path, config={"display_name": path.name})
        for path in (story, notes)
    ]
    asked: list[Any] = [*files, QUESTION]

    written = client.models.generate_content(
        model=FLASH, contents=f"{SHOWN}\n{QUESTION}", config=CONFIG
    )
    read = client.models.generate_content(model=FLASH, contents=asked, config=CONFIG)
    assert read.text == written.text
    assert "Wilhelmine" in read.text
    counted = client.models.count_tokens(model=FLASH, contents=asked)
    assert counted.total_tokens == read.usage_metadata.prompt_token_count
    assert counted.total_tokens == written.usage_metadata.prompt_token_count

    job = client.batches.create(
        model=FLASH,
        src=[
            types.InlinedRequest(
                contents=[
                    *(
                        types.Part.from_uri(file_uri=file.uri, mime_type=file.mime_type)
                        for file in files
                    ),
                    QUESTION,
                ],
                config=CONFIG,
            )
        ],
    )

    def done() -> types.BatchJob | None:
        found = client.batches.get(name=job.name)
        return found if found.state.name == "JOB_STATE_SUCCEEDED" else None

    (answer,) = eventually(done).dest.inlined_responses
    assert answer.response.text == read.text
