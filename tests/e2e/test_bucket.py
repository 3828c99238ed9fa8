"""A whole server whose bytes are in a bucket: what is promised holds, whatever the bucket does."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from google.genai import types

from support.bucket import own_part
from support.clients import sdk_client
from support.faulty_proxy import FaultyProxy, Mood, faulty_proxy
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job_from,
    executions,
    finished_job,
    json_lines,
    operation_of,
    question,
    results_of,
    send_chunk,
    start_upload,
    text_of,
    upload,
    wait_for_answers,
)
from support.model_tables import echo_model
from support.processes import memory_peak_of
from support.server import Server, started_server
from support.waiting import eventually
from toplu.settings.storage.bucket import BucketSettings

pytestmark = pytest.mark.system

REQUESTS = 60
MIB = 1024 * 1024


@pytest.fixture
def part(store: BucketSettings) -> BucketSettings:
    return own_part(store)


@pytest.fixture
def proxy(store: BucketSettings) -> Iterator[FaultyProxy]:
    port = urlsplit(store.endpoint or "").port
    assert port is not None
    with faulty_proxy(port) as proxy:
        yield proxy


def config_of(part: BucketSettings, **changes: object) -> str:
    fields = msgspec.to_builtins(part, enc_hook=str) | changes
    table = "\n".join(f"{name} = {msgspec.json.encode(it).decode()}" for name, it in fields.items())
    return f"[bucket]\n{table}\n"


def through(proxy: FaultyProxy, part: BucketSettings) -> str:
    endpoint = f"http://127.0.0.1:{proxy.port}"
    return config_of(part, endpoint=endpoint, call_seconds_max=1.0)


def waits_for_storage(server: Server, name: str) -> bool:
    metadata = operation_of(server, name)["metadata"]
    return bool(metadata["toplu"].get("waiting", {}).get("reason") == "STORAGE")


def check_answers(server: Server, name: str, count: int) -> None:
    results = results_of(server, name)
    check_every_request_has_one_outcome(results, count)
    assert [text_of(result) for result in results] == [f"text {n}" for n in range(count)]


def lines_of(count: int) -> bytes:
    return json_lines([question(n, f"text {n}") for n in range(count)])


def test_a_batch_through_the_official_sdk(tmp_path: Path, part: BucketSettings) -> None:
    config = config_of(part) + echo_model(lanes=4)
    source = tmp_path / "input.jsonl"
    source.write_bytes(lines_of(REQUESTS))
    with started_server(tmp_path, config=config) as server:
        client = sdk_client(server.url)
        file = client.files.upload(
            file=str(source), config=types.UploadFileConfig(mime_type="application/jsonl")
        )
        job = client.batches.create(model="gemini-2.5-flash", src=file.name or "")
        client.files.delete(name=file.name or "")
        assert job.name is not None
        check_answers(server, job.name, REQUESTS)
        done = client.batches.get(name=job.name)
        assert done.dest is not None
        output = client.files.download(file=done.dest.file_name or "")
        assert len(output.splitlines()) == REQUESTS
        client.batches.delete(name=job.name)
        client.close()
        kept = [path for path in (server.data_dir / "blobs").rglob("*") if path.is_file()]
        assert not kept, "the folder has no bytes of jobs and files"
        assert not any("testsecret123" in line for line in server.log_lines)


@pytest.mark.parametrize("mood", [Mood.REFUSES, Mood.SILENT, Mood.CUTS])
def test_a_running_batch_waits_for_the_bucket_and_goes_on(
    tmp_path: Path, part: BucketSettings, proxy: FaultyProxy, mood: Mood
) -> None:
    settings = {"log_level": "debug", "lease_seconds": 3600}  # none lapses, however long it takes
    config = through(proxy, part) + echo_model(lanes=2, delay_seconds=0.05)
    with started_server(tmp_path, config=config, **settings) as server:
        name = create_job_from(server, upload(server, lines_of(REQUESTS)))
        wait_for_answers(server, name, 1)
        proxy.become(mood)
        eventually(lambda: waits_for_storage(server, name))
        refused = server.call("POST", "/upload/v1beta/files", b"{}")
        assert refused.status in (400, 503), refused.body
        proxy.become(Mood.WELL)
        check_answers(server, name, REQUESTS)
        assert len(executions(server, name)) == REQUESTS, "what is in memory does not run again"
        assert server.events("bucket_fault")


def test_a_server_that_is_killed_goes_on_with_what_the_bucket_has(
    tmp_path: Path, part: BucketSettings
) -> None:
    config = config_of(part) + echo_model(lanes=2, delay_seconds=0.02)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        content = lines_of(REQUESTS * 3)
        session = start_upload(server, len(content))
        send_chunk(server, session, 0, content[:1000], "upload")
        server.kill()
        server.start()
        query = send_chunk(server, session, 0, b"", "query")
        assert query.headers["x-goog-upload-size-received"] == "1000"
        reply = send_chunk(server, session, 1000, content[1000:], "upload, finalize")
        name = create_job_from(server, reply.json()["file"]["name"])
        for count in (10, 60):
            wait_for_answers(server, name, count)
            server.kill()
            server.start()
        check_answers(server, name, REQUESTS * 3)


def test_a_large_batch_is_ordered_and_assembled_in_little_memory(
    tmp_path: Path, part: BucketSettings
) -> None:
    config = config_of(part, flush_seconds=1.0) + echo_model(lanes=8)
    with started_server(tmp_path, config=config) as server:
        padding = "x" * 1000
        lines = json_lines([question(n, f"{n} {padding}") for n in range(20_000)])
        name = create_job_from(server, upload(server, lines))
        finished_job(server, name)
        results = results_of(server, name)
        check_every_request_has_one_outcome(results, 20_000)
        numbers = [int(text_of(result).split()[0]) for result in results]
        assert all(after == before + 1 for before, after in itertools.pairwise(numbers))
        peaks = {pid: memory_peak_of(pid) // MIB for pid in server.pids}
        assert max(peaks.values()) < 300, peaks
