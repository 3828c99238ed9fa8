"""Real text to ask about: two tasks of BIG-bench, fetched from its package when they are wanted.

Many questions are about one passage, so most of a prompt stands in other prompts as well; they
come in the file's order, in which questions about one passage are rarely neighbours.
"""

import hashlib
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import platformdirs

PACKAGE = "bigbench==1.0.0"
SHA256 = "1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2"
FETCH_SECONDS_MAX = 1200
TASKS = {
    "multirc": "subtask049_multirc_questions_needed_to_answer",
    "quoref": "subtask002_quoref_answer_generation",
}
SEED = 7
ANSWER_TOKENS_MAX = 16


def lines(task: str, *, passages: int, questions: int) -> list[dict[str, Any]]:
    """Return so many questions about each of so many passages, shuffled, as lines of an input."""
    examples = _examples(task)
    by_passage: dict[str, list[str]] = {}
    for example in examples["examples"]:
        by_passage.setdefault(example["input"].split("\nQuestion")[0], []).append(example["input"])
    rich = [asked[:questions] for asked in by_passage.values() if len(asked) >= questions]
    texts = [text for asked in rich[:passages] for text in asked]
    random.Random(SEED).shuffle(texts)
    return [_line(number, examples["task_prefix"], text) for number, text in enumerate(texts)]


def _line(number: int, task: str, text: str) -> dict[str, Any]:
    return {
        "key": f"question-{number}",
        "request": {
            "systemInstruction": {"parts": [{"text": task}]},
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"temperature": 0, "maxOutputTokens": ANSWER_TOKENS_MAX, "seed": 1},
        },
    }


def _examples(task: str) -> dict[str, Any]:
    kept = Path(platformdirs.user_cache_dir("toplu")) / "benchmarks" / f"{task}.json"
    if not kept.exists():
        _fetch(kept.parent)
    examples: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return examples


def _fetch(folder: Path) -> None:
    """Download the package, which is no wheel, and keep the tasks alone."""
    folder.mkdir(parents=True, exist_ok=True)
    print(f"  fetching {PACKAGE}, 358 MB, once", flush=True)
    with tempfile.TemporaryDirectory() as downloads:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run(
            [*download, "--no-binary", ":all:", "--dest", downloads, PACKAGE],
            check=True,
            timeout=FETCH_SECONDS_MAX,
        )
        (archive,) = Path(downloads).iterdir()
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        assert digest == SHA256, f"{archive.name} is not the package that was measured with"
        with tarfile.open(archive) as content:
            for member in content:
                for task, name in TASKS.items():
                    if member.name.endswith(f"/{name}/task.json"):
                        source = content.extractfile(member)
                        assert source is not None, "a task is a file"
                        (folder / f"{task}.json").write_bytes(source.read())
