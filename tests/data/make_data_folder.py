"""Fills a data folder with something of everything, and kills its server amid a batch.

`make.sh` runs it with the interpreter of an older commit, whose modules have other names than
today's: hence the imports below.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.jobs import (
    create_job,
    finished_job,
    json_lines,
    question,
    send_chunk,
    start_upload,
    upload,
)
from support.server import TOPLU, Server
from support.store.outside_names import log_events, setting_names, wire_names
from toplu import gemini
from toplu.settings import Settings

LIFE_SECONDS = 3_000_000_000  # some ninety years: the archive is opened for as long
LINES = 48
ANSWERED = 12  # of the batch that is cut short, at least
FLASH = "/v1beta/models/gemini-2.5-flash"
CONFIG = f"""
currency = "EUR"
log_level = "debug"
file_life_seconds = {LIFE_SECONDS}
job_life_seconds = {LIFE_SECONDS}
result_life_seconds = {LIFE_SECONDS}
upload_life_seconds = {LIFE_SECONDS}

[[tiers]]
name = "small"
concurrent_batches = 50

[[tiers]]
name = "large"
weight = 3
requests_per_minute = 1000

[[models]]
name = "echo"
aliases = ["gemini-*", "!*embedding*"]
engine = "echo"
lanes = 2
echo = {{ delay_seconds = 0.1, fail_pattern = "please fail" }}
price = {{ input = "0.30", output = "2.50", cached_input = "0.03" }}

[[models]]
name = "echo-embedder"
aliases = ["gemini-embedding-*"]
engine = "echo_embedder"
dimensions = 8
price = {{ embedding = "0.15" }}
"""
HANDBOOK = "# Leave\nA year has thirty days of leave.\n"


class Maker:
    """Calls the older server, and keeps what it answered."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder / "data", config=CONFIG)
        self.key = ""
        self._folder = folder

    def toplu(self, *words: str) -> str:
        config = self._folder / "data.toml"
        config.write_text(CONFIG, encoding="utf-8")
        command = [TOPLU, *words, "--data-dir", self.server.data_dir, "--config", config]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def get(self, path: str) -> Any:
        reply = self.server.call("GET", path, key=self.key)
        assert reply.status == 200, (path, reply.body)
        text = reply.body.decode().replace(self.server.url, "")  # its port is free again
        return text if "alt=media" in path or ":results" in path else json.loads(text)

    def post(self, path: str, body: Any) -> Any:
        reply = self.server.call("POST", path, body, key=self.key)
        assert reply.status == 200, (path, reply.body)
        return reply.json()

    def job(self, lines: list[dict[str, Any]]) -> str:
        return create_job(self.server, lines, key=self.key)

    def inline_job(self, method: str, requests: list[dict[str, Any]]) -> str:
        listed = [
            {"request": each, "metadata": {"key": f"k{n}"}} for n, each in enumerate(requests)
        ]
        batch = {"displayName": "inline", "inputConfig": {"requests": {"requests": listed}}}
        return str(self.post(method, {"batch": batch})["name"])

    def finish(self, name: str) -> str:
        finished_job(self.server, name, key=self.key)
        return name


def saying(text: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def ended_jobs(maker: Maker) -> list[str]:
    """Return batches of every form: with failures, their retry, inline, vectors, cancelled."""
    lines = [question(index) for index in range(9)]
    lines[4] = question(4, "please fail")
    from_file = maker.finish(maker.job(lines))
    retry = str(maker.post(f"/v1beta/{from_file}:retry", {})["name"])
    texts = [saying(f"Inline {index}.") for index in range(4)]
    inline = maker.inline_job(f"{FLASH}:batchGenerateContent", texts)
    embedded = [{"content": {"parts": [{"text": f"Text {index}."}]}} for index in range(4)]
    embedding = "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent"
    vectors = maker.inline_job(embedding, embedded)
    for name in (retry, inline, vectors):
        maker.finish(name)
    cancelled = maker.job([question(index) for index in range(LINES)])
    wait_for_successes(maker, cancelled, 3)
    maker.post(f"/v1beta/{cancelled}:cancel", {})
    return [from_file, retry, inline, vectors, maker.finish(cancelled)]


def wait_for_successes(maker: Maker, name: str, count: int) -> None:
    def successes() -> int:
        stats = maker.get(f"/v1beta/{name}")["metadata"].get("batchStats", {})
        return int(stats.get("successfulRequestCount", 0))

    maker.server.wait_until(lambda: successes() >= count, 600, f"{count} results of {name}")


def cached_question(index: int, cache: str) -> dict[str, Any]:
    line = question(index)
    line["request"]["cachedContent"] = cache
    return line


def begin_upload(maker: Maker, content: bytes) -> dict[str, Any]:
    session = start_upload(maker.server, len(content), key=maker.key)
    half = len(content) // 2
    assert send_chunk(maker.server, session, 0, content[:half], "upload").status == 200
    return {"session": session, "received": half, "content": content.decode()}


def download_paths(maker: Maker, names: list[str]) -> list[str]:
    operations = [maker.get(f"/v1beta/{name}") for name in names]
    files = [each.get("response", {}).get("responsesFile") for each in operations]
    return [f"/v1beta/{file}:download?alt=media" for file in files if file]


def make(folder: Path) -> dict[str, Any]:
    """Fill the folder; return what its server answered before it was killed."""
    maker = Maker(folder)
    maker.key = maker.toplu("keys", "create", "--project", "team-a", "--label", "nightly")
    other_key = maker.toplu("keys", "create", "--project", "team-b")
    revoked = maker.toplu("keys", "create", "--project", "team-a", "--label", "to revoke")
    (row,) = [row for row in maker.toplu("keys", "list").splitlines() if "to revoke" in row]
    maker.toplu("keys", "revoke", row.strip("│ ").split()[0])  # by its id, the first column
    maker.toplu("projects", "set", "team-a", "--tier", "large")
    handbook = folder / "handbook.md"
    handbook.write_text(HANDBOOK, encoding="utf-8")
    maker.toplu("search", "add", str(handbook))
    with maker.server as server:
        server.start()
        maker.post(f"{FLASH}:generateContent", saying("One two three."))
        ended = ended_jobs(maker)
        document = upload(server, b"A file that is kept.\n", key=maker.key)
        text = " ".join(f"word{number}" for number in range(40))
        wish = {"model": "models/gemini-2.5-flash", "ttl": f"{LIFE_SECONDS}s", "displayName": "c"}
        cache = str(maker.post("/v1beta/cachedContents", wish | saying(text))["name"])
        unfinished_upload = begin_upload(maker, json_lines([question(n) for n in range(6)]))
        half_done = maker.job([cached_question(index, cache) for index in range(LINES)])
        queued = maker.job([question(index) for index in range(5)])
        paths = [
            *[f"/v1beta/{name}" for name in ended],
            *[f"/v1beta/{name}:receipt" for name in ended],
            *[f"/v1beta/{name}:results" for name in ended],
            *download_paths(maker, ended),
            f"/v1beta/{document}",
            f"/v1beta/{cache}",
            "/v1beta/cachedContents",
        ]
        replies = {path: maker.get(path) for path in paths}
        wait_for_successes(maker, half_done, ANSWERED)
        server.kill()
    return {
        "key": maker.key,
        "other_key": other_key,
        "revoked_key": revoked,
        "replies": replies,
        "cache": cache,
        "upload": unfinished_upload,
        "half_done": {"name": half_done, "lines": LINES, "answered": ANSWERED},
        "queued": {"name": queued, "lines": 5},
    }


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    facts = make(folder)
    facts["names"] = {
        "settings": sorted(setting_names(Settings)),
        "log_events": log_events(source / "src"),
        "wire": sorted(wire_names(gemini)),
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
