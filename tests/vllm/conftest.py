"""A toplu before a real vLLM, which has a parser of calls or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.api.local_server import LocalServer
from support.engines.running_vllm import CONTEXT_TOKENS, MODEL, RunningVllm, running_vllm
from toplu.settings.remote import ServerSettings
from toplu.settings.server import ModelSettings, Settings

# Left to itself, vLLM keeps to the backend that its first request happened to need.
GUIDANCE = ("--structured-outputs-config.backend", "guidance")
XGRAMMAR = ("--structured-outputs-config.backend", "xgrammar")
PARSER = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")


PRIORITY = ("--scheduling-policy", "priority")
TOLD = ("--enable-prompt-tokens-details",)


@pytest.fixture(scope="session")
def plain_vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVllm]:
    """A vLLM without options: it takes no tools, and heeds no priority."""
    with running_vllm(tmp_path_factory.mktemp("plain-vllm"), *GUIDANCE) as vllm:
        yield vllm


@pytest.fixture(scope="session")
def calling_vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVllm]:
    """One that makes calls itself, heeds priority, and says what came from its cache."""
    options = (*XGRAMMAR, *PARSER, *PRIORITY, *TOLD)
    with running_vllm(tmp_path_factory.mktemp("calling-vllm"), *options) as vllm:
        yield vllm


@pytest.fixture(scope="session")
def plain(
    plain_vllm: RunningVllm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalServer]:
    """A server before the one without options."""
    with _before(plain_vllm, tmp_path_factory.mktemp("plain")) as server:
        yield server


@pytest.fixture(scope="session")
def calling(
    calling_vllm: RunningVllm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalServer]:
    """A server before the one that makes calls."""
    with _before(calling_vllm, tmp_path_factory.mktemp("calling")) as server:
        yield server


@pytest.fixture(scope="session", params=["plain", "calling"])
def server(request: pytest.FixtureRequest) -> LocalServer:
    """Each of them."""
    made: LocalServer = request.getfixturevalue(request.param)
    return made


@contextmanager
def _before(vllm: RunningVllm, folder: Path) -> Iterator[LocalServer]:
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
