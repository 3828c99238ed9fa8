"""Behaviour of all-MiniLM-L6-v2: the reference's vectors, meaning, its graph and its process."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from support.engines.embedders_under_test import MINILM, AnyRunning, cosine, launched_embedder
from support.engines.minilm_reference import SENTENCES, VECTORS, ReferenceMiniLm
from support.full_disk import full_disk
from support.waiting import PATIENCE_SECONDS
from toplu.clock import SystemClock
from toplu.disk_faults import is_disk_fault
from toplu.engines.embedder import Embedder
from toplu.fleet.embedding.pool import EmbeddingPool
from toplu.fleet.processes.embedder import start_embedder
from toplu.fleet.processes.engine_handle import EngineStartFailed
from toplu.fleet.processes.launch import launch_embedder_of
from toplu.fleet.processes.supervisor import Supervisor
from toplu.models import sources
from toplu.settings.server import Settings
from toplu.wire.gemini.content import Content, Part
from toplu.wire.gemini.embedding import EmbedContentRequest

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

REFERENCES = {entry["text"]: entry["values"] for entry in json.loads(VECTORS.read_text("utf-8"))}

# Two sentences that mean about the same, and one that shares words with the first.
TRIPLES = [
    (
        "How do I reset my password?",
        "I forgot my login credentials and need new ones.",
        "How do I bake my own bread?",
    ),
    (
        "The stock market fell sharply today.",
        "Shares dropped a lot in trading this afternoon.",
        "The old market hall sells fruit and fish today.",
    ),
    (
        "A man is playing the guitar on stage.",
        "A musician performs with his instrument before an audience.",
        "A man is parking his car on the street.",
    ),
    (
        "The vaccine protects children against measles.",
        "Immunisation keeps kids safe from an infectious disease.",
        "The umbrella protects children against rain.",
    ),
    (
        "Python raises an exception when a key is missing.",
        "A KeyError is thrown if the dictionary has no such entry.",
        "A python rises from the grass when it is hungry.",
    ),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def minilm() -> AsyncIterator[AnyRunning]:
    async with launched_embedder(MINILM) as running:
        yield running


@pytest.fixture(scope="module")
def weights() -> Path:
    found = sources.locate(MINILM, Settings().model_dir)
    assert found is not None, "run `make model`"
    return found


async def test_vectors_are_those_of_the_reference(minilm: AnyRunning):
    assert list(REFERENCES) == SENTENCES
    embeddings = await minilm.engine.embed(SENTENCES)
    for text, embedding in zip(SENTENCES, embeddings, strict=True):
        assert cosine(embedding.values, REFERENCES[text]) >= 0.9999, text


async def test_the_committed_vectors_are_what_the_reference_computes(weights: Path):
    reference = ReferenceMiniLm(weights.parent)
    for text in SENTENCES[:4]:
        assert list(reference.embed(text)) == pytest.approx(REFERENCES[text], abs=1e-6)


@pytest.mark.parametrize("triple", TRIPLES, ids=lambda triple: triple[0])
async def test_what_means_the_same_is_nearer_than_what_sounds_alike(
    minilm: AnyRunning, triple: tuple[str, str, str]
):
    one, same, other = await minilm.engine.embed(triple)
    assert cosine(one.values, same.values) > cosine(one.values, other.values)


async def test_the_graph_is_built_once(weights: Path, tmp_path: Path):
    source = tmp_path / "weights"
    source.mkdir()
    for file in ("model.safetensors", "tokenizer.json", "config.json"):
        shutil.copy(weights.with_name(file), source)
    model = msgspec.structs.replace(MINILM, source=f"path:{source}/model.safetensors", sha256=None)
    settings = Settings(model_dir=tmp_path / "models")
    builds = []
    for _ in range(2):
        running = await start_embedder(model, source / "model.safetensors", settings)
        await running.stop()
        (graph,) = (tmp_path / "models" / model.name).iterdir()
        builds.append(graph.stat().st_mtime_ns)
    assert builds[0] == builds[1]


async def test_weights_that_are_none_do_not_start(tmp_path: Path, weights: Path):
    for file in ("tokenizer.json", "config.json"):
        shutil.copy(weights.with_name(file), tmp_path)
    junk = tmp_path / "model.safetensors"
    junk.write_bytes(b"junk")
    model = msgspec.structs.replace(MINILM, sha256=None)
    settings = Settings(model_dir=tmp_path / "models")
    with pytest.raises(EngineStartFailed, match=r"(?s)exit code 1: .*model\.safetensors"):
        await start_embedder(model, junk, settings)
    assert not list((tmp_path / "models").rglob("*.onnx*"))


async def test_a_graph_that_has_no_space_on_disk_is_a_fault_of_the_disk(
    weights: Path, tmp_path: Path
):
    settings = Settings(model_dir=tmp_path / "models")
    with full_disk([os.getpid()]), pytest.raises(OSError, match="File too large") as caught:
        await start_embedder(MINILM, weights, settings)  # a child has the limit of its parent
    assert is_disk_fault(caught.value)
    running = await start_embedder(MINILM, weights, settings)
    await running.stop()


async def test_a_model_of_other_dimensions_does_not_start(weights: Path):
    model = msgspec.structs.replace(MINILM, dimensions=768)
    with pytest.raises(EngineStartFailed, match="has 384 dimensions, not 768"):
        await start_embedder(model, weights, Settings())


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_an_embedder_that_is_lost_costs_no_text_its_vector(blow: signal.Signals):
    settings = Settings(engine_silence_seconds_max=8.0)
    supervisor: Supervisor[Embedder] = Supervisor(
        name="m",
        launch=launch_embedder_of(MINILM, settings),
        clock=SystemClock(),
        start_attempts_max=2,
    )
    pool = EmbeddingPool(model=MINILM, supervisor=supervisor, settings=settings)
    requests = [
        EmbedContentRequest(content=Content(parts=[Part(text=f"The answer is {number}.")]))
        for number in range(300)
    ]
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        runs = [group.create_task(run()) for run in (supervisor.run, pool.run)]
        calls = [group.create_task(pool.answer(each, interactive=False)) for each in requests]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert not all(call.done() for call in calls)
        first_pid = supervisor.pid
        assert first_pid is not None
        os.kill(first_pid, blow)
        responses = await asyncio.gather(*calls)
        assert supervisor.pid not in (None, first_pid)
        for run in runs:
            run.cancel()
    assert all(len(response.embedding.values) == 384 for response in responses)


async def test_a_hung_embedder_that_nobody_asks_is_found_out(weights: Path):
    running = await start_embedder(MINILM, weights, Settings(engine_silence_seconds_max=1.0))
    os.kill(running.pid, signal.SIGSTOP)
    async with asyncio.timeout(PATIENCE_SECONDS):
        death = await running.wait_for_death()
    assert death.reason == "The engine does not answer."
    assert death.exit_code == -signal.SIGKILL
    await running.stop()


async def test_a_stopped_embedder_leaves_no_process():
    async with launched_embedder(MINILM) as running:
        pid = running.pid
        assert pid is not None
        os.kill(pid, 0)
    assert (await running.wait_for_death()).exit_code == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
