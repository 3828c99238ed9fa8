"""A batch from start to end: a server of your own, and Google's official SDK that talks to it.

Run it with `make demo`. It uses a free port and a temporary folder, and leaves nothing behind.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from google import genai
from google.genai import types
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

TOPLU = Path(sys.executable).with_name("toplu")
QUESTIONS = Path(__file__).with_name("questions.jsonl")
API_KEY = "any-key-works-on-loopback"
START_SECONDS = 120.0
BATCH_SECONDS = 600.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.5
COLUMNS = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()

console = Console()


class DemoError(Exception):
    """Something went wrong; the message says what."""


def main() -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="toplu-") as folder, server(Path(folder)) as url:
            client = genai.Client(
                api_key=API_KEY, http_options=types.HttpOptions(base_url=url, api_version="v1beta")
            )
            job = create_batch(client)
            operation = watch(url, str(job.name))
            results = download_results(client, str(job.name))
            show(results, operation)
    except (DemoError, genai.errors.APIError, OSError) as error:
        console.print(Text(f"The demo failed: {error}", style="red"))
        return 1
    return 0


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run `toplu serve` and yield its URL; stop it as an operator would."""
    console.print("Starting [bold]toplu serve[/bold] on a free port, with its data in", folder)
    log = folder / "server.log"
    command = [str(TOPLU), "serve", "--host", "127.0.0.1", "--port", "0"]
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            [*command, "--data-dir", str(folder / "data")],
            stderr=log_file,
            # A Ctrl-C is for this script, which then stops the server in good order.
            start_new_session=True,
        )
    try:
        url = wait_until_ready(process, log)
        console.print(f"It listens on [bold]{url}[/bold] and its small model is loaded.")
        yield url
    finally:
        code = stop(process)
        if code != 0:
            raise DemoError(f"the server ended with exit code {code}:\n{tail(log)}")
        console.print("The server has drained and stopped, with exit code 0.")


def wait_until_ready(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Return the URL once /readyz says that the model can answer."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"server_ready"' in line and is_ready(url := str(json.loads(line)["url"])):
                return url
        time.sleep(POLL_SECONDS)
    why = "ended" if process.poll() is not None else f"was not ready in {START_SECONDS:.0f} s"
    raise DemoError(f"the server {why}:\n{tail(log)}")


def is_ready(url: str) -> bool:
    """Distinguish a server that still loads its model from one that can answer."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=10):
            return True
    except urllib.error.HTTPError:
        return False


def stop(process: "subprocess.Popen[bytes]") -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8").splitlines()[-20:])


# The batch, as any user of the Gemini Batch API writes it


def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


def create_batch(client: genai.Client) -> types.BatchJob:
    console.print(f"Uploading the {len(questions())} questions of {QUESTIONS.name}.")
    uploaded = client.files.upload(
        file=str(QUESTIONS),
        config=types.UploadFileConfig(display_name="questions", mime_type="jsonl"),
    )
    job = client.batches.create(
        model="gemini-2.5-flash",
        src=str(uploaded.name),
        config=types.CreateBatchJobConfig(display_name="demo"),
    )
    console.print(f"Created [bold]{job.name}[/bold] from [bold]{uploaded.name}[/bold].")
    return job


def watch(url: str, name: str) -> dict[str, Any]:
    """Return the batch's operation once it is done; the SDK drops its counts, so ask by HTTP."""
    deadline = time.monotonic() + BATCH_SECONDS
    with Progress(*COLUMNS, console=console) as progress:
        bar = progress.add_task("waiting", total=None)
        while time.monotonic() < deadline:
            operation = get_operation(url, name)
            counts = operation["metadata"].get("batchStats", {})
            total = int(counts.get("requestCount", 0))
            answered = total - int(counts.get("pendingRequestCount", 0))
            state = operation["metadata"]["state"].rpartition("_STATE_")[2].lower()
            progress.update(bar, completed=answered, total=total or None, description=state)
            if operation["done"]:
                return operation
            time.sleep(POLL_SECONDS)
    raise DemoError(f"the batch was not done within {BATCH_SECONDS:.0f} s")


def get_operation(url: str, name: str) -> dict[str, Any]:
    request = urllib.request.Request(f"{url}/v1beta/{name}", headers={"x-goog-api-key": API_KEY})
    with urllib.request.urlopen(request, timeout=30) as reply:
        operation: dict[str, Any] = json.load(reply)
        return operation


def download_results(client: genai.Client, name: str) -> list[dict[str, Any]]:
    job = client.batches.get(name=name)
    if job.state != types.JobState.JOB_STATE_SUCCEEDED or not job.dest or not job.dest.file_name:
        raise DemoError(f"the batch ended as {job.state} and has no results")
    content = client.files.download(file=job.dest.file_name)
    results = [json.loads(line) for line in content.decode("utf-8").splitlines()]
    if [result["key"] for result in results] != [request["key"] for request in questions()]:
        raise DemoError("the results are not those of the questions, in their order")
    return results


def show(results: list[dict[str, Any]], operation: dict[str, Any]) -> None:
    table = Table("Question", "Answer", "Tokens in", "Tokens out", show_lines=True)
    for request, result in zip(questions(), results, strict=True):
        question = request["request"]["contents"][0]["parts"][0]["text"]
        if "error" in result:
            raise DemoError(f"{result['key']} failed: {result['error']['message']}")
        response = types.GenerateContentResponse.model_validate(result["response"])
        usage = response.usage_metadata or types.GenerateContentResponseUsageMetadata()
        tokens = str(usage.prompt_token_count), str(usage.candidates_token_count)
        table.add_row(question, Text((response.text or "").strip()), *tokens)
    console.print(table)
    metadata = operation["metadata"]
    begin, end = (datetime.fromisoformat(metadata[name]) for name in ("createTime", "endTime"))
    counts = {name: int(count) for name, count in metadata["batchStats"].items()}
    console.print(
        f"{counts['requestCount']} requests, {counts.get('successfulRequestCount', 0)} answered,",
        f"{counts.get('failedRequestCount', 0)} failed, in {(end - begin).total_seconds():.1f} s.",
    )


if __name__ == "__main__":
    sys.exit(main())
