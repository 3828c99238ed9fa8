"""A toplu before a real vLLM, which has a parser of calls or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.api.local_server import LocalServer
from support.engines.running_vllm import CONTEXT_TOKENS, MODEL, running_vllm
from toplu.settings.remote import ServerSettings
from toplu.settings.server import ModelSettings, Settings

# Left to itself, vLLM keeps to the backend that its first request happened to need.
GUIDANCE = ("--structured-outputs-config.backend", "guidance")
XGRAMMAR = ("--structured-outputs-config.backend", "xgrammar")
PARSER = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server whose vLLM takes no tools, as it is without options."""
    with _before_vllm(tmp_path_factory.mktemp("plain"), *GUIDANCE) as server:
        yield server


@pytest.fixture(scope="session")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server whose vLLM makes calls itself."""
    with _before_vllm(tmp_path_factory.mktemp("calling"), *XGRAMMAR, *PARSER) as server:
        yield server


@pytest.fixture(scope="session", params=["plain", "calling"])
def server(request: pytest.FixtureRequest) -> LocalServer:
    """Each of them."""
    made: LocalServer = request.getfixturevalue(request.param)
    return made


@contextmanager
def _before_vllm(folder: Path, *options: str) -> Iterator[LocalServer]:
    with running_vllm(folder, *options) as vllm:
        model = ModelSettings(
            name="smol",
            aliases=("gemini-*",),
            engine="openai_server",
            servers=(ServerSettings(url=f"{vllm.url}/v1", model=MODEL),),
            context_tokens=CONTEXT_TOKENS,
            output_tokens_max=512,
        )
        settings = Settings(data_dir=folder / "data", models=(model,), drain_seconds=0.1)
        with LocalServer(settings) as server:
            yield server
