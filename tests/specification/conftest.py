"""One server with the real model for all examples."""

from collections.abc import Iterator

import pytest

from support.model_tables import quick_embedder, quick_model
from support.server import Server
from support.specification.batches import ANSWER_TOKENS, Batches
from support.specification.examples import Examples


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # The examples say nothing of sampling: by chance an answer of so small a model is empty.
    config = quick_model(ANSWER_TOKENS, temperature=0) + quick_embedder()
    data_dir = tmp_path_factory.mktemp("specification") / "data"
    with Server(data_dir, config=config) as server:
        yield server.start()
        code = server.stop()
        assert code == 0, f"the server ended with {code}\n{server.log_tail()}"


@pytest.fixture(scope="session")
def batches(server: Server) -> Batches:
    return Batches(server)


def examples_of(
    language: str, server: Server, factory: pytest.TempPathFactory
) -> Iterator[Examples]:
    examples = Examples(language=language, server=server, workplace=factory.mktemp(language))
    yield examples
    examples.close()


@pytest.fixture(scope="session")
def python(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    yield from examples_of("python", server, tmp_path_factory)


@pytest.fixture(scope="session")
def javascript(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    yield from examples_of("javascript", server, tmp_path_factory)


@pytest.fixture(scope="session")
def rest(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    yield from examples_of("rest", server, tmp_path_factory)
