"""A server's memory does not grow with what is uploaded to it, or fetched from it."""

import base64
import hashlib
import time
from contextlib import suppress
from pathlib import Path

import pytest
from google.genai import types

from support.clients import sdk_client
from support.jobs import (
    create_job_from,
    finished_job,
    operation_of,
    send_chunk,
    start_upload,
    upload,
)
from support.model_tables import echo_model
from support.processes import memory_peak_of
from support.server import started_server

MIB = 1024 * 1024
CHUNK_BYTES = 8 * MIB
UPLOAD_BYTES = 2048 * MIB
MEMORY_BYTES_MAX = 150 * MIB


@pytest.mark.slow
@pytest.mark.system
def test_an_upload_of_two_gigabytes_needs_little_memory(tmp_path: Path) -> None:
    line = b'{"contents": [{"parts": [{"text": "' + b"x" * 900 + b'"}]}]}\n'
    chunk = (line * (CHUNK_BYTES // len(line))).ljust(CHUNK_BYTES, b"\n")
    digest = hashlib.sha256()
    with started_server(tmp_path, config=echo_model()) as server:
        session = start_upload(server, UPLOAD_BYTES)
        for offset in range(0, UPLOAD_BYTES, CHUNK_BYTES):
            is_last = offset + CHUNK_BYTES == UPLOAD_BYTES
            command = "upload, finalize" if is_last else "upload"
            reply = send_chunk(server, session, offset, chunk, command)
            assert reply.status == 200, reply.body
            digest.update(chunk)
        expected = base64.b64encode(digest.hexdigest().encode()).decode()
        assert reply.json()["file"]["sha256Hash"] == expected
        peak_bytes = server.memory_peak_bytes()
    print(f"peak memory of the server: {peak_bytes / MIB:.0f} MiB")
    assert peak_bytes < MEMORY_BYTES_MAX


PLANNED_REQUESTS = 1_000_000
PLANNING_MEMORY_BYTES_MAX = 250 * MIB  # of the server and the child that orders, together
PLANNING_SECONDS_MAX = 300.0


@pytest.mark.slow
@pytest.mark.alone
def test_a_million_requests_are_planned_in_little_memory_while_the_first_run(
    tmp_path: Path,
) -> None:
    content = b"".join(
        b'{"contents": [{"parts": [{"text": "Question %d of passage %d"}]}]}\n'
        % (index % 100, index * 7919 % 10_007)
        for index in range(PLANNED_REQUESTS)
    )
    config = echo_model(delay_seconds=30.0)
    with started_server(tmp_path, config=config, log_level="debug") as server:
        file = upload(server, content)
        created = time.monotonic()
        name = create_job_from(server, file)
        job = name.removeprefix("batches/")
        server.wait_for_event("request_started", 30.0, job=job)
        first_seconds = time.monotonic() - created
        assert not server.events("job_ordered")
        peaks: dict[int, int] = {}

        def is_planned() -> bool:
            for pid in server.child_pids():
                with suppress(OSError, AssertionError):
                    peaks[pid] = max(peaks.get(pid, 0), memory_peak_of(pid))
            return bool(server.events("job_ordered"))

        server.wait_until(is_planned, PLANNING_SECONDS_MAX, "the order")
        seconds = time.monotonic() - created
        stats = operation_of(server, name)["metadata"]["batchStats"]
        assert stats["requestCount"] == str(PLANNED_REQUESTS)
        together = server.memory_peak_bytes() + sum(peaks.values())
    print(f"first request after {first_seconds:.2f} s, order after {seconds:.0f} s")
    print(f"server and child: {together / MIB:.0f} MiB; children {peaks}")
    assert together < PLANNING_MEMORY_BYTES_MAX


INLINE_REQUESTS = 16
INLINE_TEXT = "x" * MIB
CANDIDATES = 8  # each of them the whole text
INLINE_RESULTS_BYTES = INLINE_REQUESTS * CANDIDATES * len(INLINE_TEXT)
MORE_MEMORY_BYTES_MAX = 64 * MIB


@pytest.mark.slow
@pytest.mark.system
def test_inline_results_need_little_memory_however_many_they_are(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server, sdk_client(server.url) as client:
        config = types.GenerateContentConfig(candidate_count=CANDIDATES)
        requests = [types.InlinedRequest(contents=INLINE_TEXT, config=config)] * INLINE_REQUESTS
        name = client.batches.create(model="gemini-2.5-flash", src=requests).name
        assert name is not None
        finished_job(server, name)
        server.restart()  # what creating took does not count
        client.batches.list()
        before = server.memory_peak_bytes()
        done = client.batches.get(name=name)
        more_bytes = server.memory_peak_bytes() - before
    print(f"{more_bytes / MIB:.0f} MiB more for {INLINE_RESULTS_BYTES / MIB:.0f} MiB of results")
    assert done.dest is not None
    results = done.dest.inlined_responses or []
    texts = [
        candidate.content.parts[0].text
        for result in results
        for candidate in result.response.candidates
    ]
    assert texts == [INLINE_TEXT] * (INLINE_REQUESTS * CANDIDATES)
    assert more_bytes < MORE_MEMORY_BYTES_MAX
